//! The quickstart's job: a digit classifier, trained by XGBoost in script mode.

use serde_json::{Value, json};

/// AWS's own name for its XGBoost image, which the image table knows.
pub const IMAGE: &str = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.0-5";
/// Where everything goes.
pub const BUCKET: &str = "kiln-quickstart";
/// The script's name in the source archive.
pub const PROGRAM: &str = "train.py";
/// The script.
pub const SCRIPT: &str = include_str!("../../../quickstart/train.py");
/// The data set: keys and contents. The test rows are held out.
pub const DATA: [(&str, &str); 2] = [
    (
        "digits/train/train.csv",
        include_str!("../../../quickstart/train.csv"),
    ),
    (
        "digits/test/test.csv",
        include_str!("../../../quickstart/test.csv"),
    ),
];

/// The key of a job's source archive.
pub fn source_key(job: &str) -> String {
    format!("{job}/source/sourcedir.tar.gz")
}

/// The key of a job's model.
pub fn model_key(job: &str) -> String {
    format!("output/{job}/output/model.tar.gz")
}

/// The request, as the SageMaker Python SDK would write it.
pub fn training_job(name: &str) -> Value {
    let quoted = |text: &str| json!(text).to_string();
    json!({
        "TrainingJobName": name,
        "RoleArn": "arn:aws:iam::123456789012:role/KilnExecutionRole",
        "AlgorithmSpecification": {
            "TrainingImage": IMAGE,
            "TrainingInputMode": "File",
            "MetricDefinitions": [
                metric("train:mlogloss", r"train:mlogloss=([0-9.]+)"),
                metric("validation:mlogloss", r"validation:mlogloss=([0-9.]+)"),
                metric("train:accuracy", r"train:accuracy=([0-9.]+)"),
                metric("test:accuracy", r"test:accuracy=([0-9.]+)"),
            ],
        },
        "HyperParameters": {
            "sagemaker_program": quoted(PROGRAM),
            "sagemaker_submit_directory": quoted(&format!("s3://{BUCKET}/{}", source_key(name))),
            // The toolkit's own lines are of no interest here.
            "sagemaker_container_log_level": "30",
            "rounds": "40",
        },
        "InputDataConfig": [channel("train"), channel("test")],
        "OutputDataConfig": {"S3OutputPath": format!("s3://{BUCKET}/output")},
        "ResourceConfig": {
            "InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
    })
}

fn metric(name: &str, regex: &str) -> Value {
    json!({"Name": name, "Regex": regex})
}

fn channel(name: &str) -> Value {
    json!({
        "ChannelName": name,
        "ContentType": "text/csv",
        "DataSource": {"S3DataSource": {
            "S3DataType": "S3Prefix", "S3Uri": format!("s3://{BUCKET}/digits/{name}/")
        }},
    })
}
