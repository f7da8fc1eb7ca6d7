//! The request for a training job, out of the options and of what was brought to
//! the server.

use serde_json::{Map, Value, json};

use super::Train;
use super::code::Code;
use super::options::Pair;

/// Room for a job's files, which is only taken as it is used.
const VOLUME_GIB: u32 = 30;
/// How long a spot job may wait beside the time that it may run, in seconds.
const SPOT_WAIT: u64 = 86_400;
/// The toolkit's own lines are of no interest unless they warn.
const TOOLKIT_LOG_LEVEL: &str = "30";

/// What the options leave open.
pub struct Plan {
    /// The job's name.
    pub name: String,
    /// The role to run as.
    pub role: String,
    /// Where the server is.
    pub region: String,
    /// The image to run in.
    pub image: String,
    /// The channels' names and places.
    pub channels: Vec<(String, String)>,
    /// How the script is started.
    pub code: Code,
    /// Where the outputs go.
    pub output: String,
}

/// The request, as the SageMaker Python SDK would write it.
pub fn training_job(train: &Train, plan: &Plan) -> Value {
    let mut request = json!({
        "TrainingJobName": plan.name,
        "RoleArn": plan.role,
        "AlgorithmSpecification": algorithm(train, plan),
        "OutputDataConfig": {"S3OutputPath": plan.output},
        "ResourceConfig": {
            "InstanceType": train.instance_type, "InstanceCount": train.count,
            "VolumeSizeInGB": VOLUME_GIB,
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": train.max_run},
    });
    let hyperparameters = hyperparameters(train, plan);
    let channels: Vec<Value> = plan.channels.iter().map(channel).collect();
    let given = [
        ("HyperParameters", json!(hyperparameters)),
        ("InputDataConfig", json!(channels)),
        ("Environment", json!(map(&train.environment))),
    ];
    for (member, value) in given {
        let is_empty = value == json!({}) || value == json!([]);
        if !is_empty {
            request[member] = value;
        }
    }
    if train.spot {
        request["EnableManagedSpotTraining"] = json!(true);
        let longest = u64::from(train.max_run) + SPOT_WAIT;
        request["StoppingCondition"]["MaxWaitTimeInSeconds"] = json!(longest);
    }
    if let Some(place) = &train.checkpoint {
        request["CheckpointConfig"] = json!({"S3Uri": place.to_string()});
    }
    request
}

fn algorithm(train: &Train, plan: &Plan) -> Value {
    let mut algorithm = json!({"TrainingImage": plan.image, "TrainingInputMode": "File"});
    if let Code::Command(command) = &plan.code {
        algorithm["ContainerEntrypoint"] = json!(command);
    }
    if !train.metrics.is_empty() {
        let metrics = train.metrics.iter();
        algorithm["MetricDefinitions"] = metrics
            .map(|metric| json!({"Name": metric.name, "Regex": metric.regex}))
            .collect();
    }
    algorithm
}

fn hyperparameters(train: &Train, plan: &Plan) -> Map<String, Value> {
    let mut all = Map::new();
    if let Code::Toolkit { program, archive } = &plan.code {
        // The toolkit reads each of its own as JSON.
        let own = [
            ("sagemaker_program", json!(program)),
            ("sagemaker_submit_directory", json!(archive)),
            ("sagemaker_region", json!(plan.region)),
        ];
        for (name, value) in own {
            all.insert(name.to_owned(), json!(value.to_string()));
        }
        let level = json!(TOOLKIT_LOG_LEVEL);
        all.insert("sagemaker_container_log_level".to_owned(), level);
    }
    all.extend(map(&train.hyperparameters));
    all
}

fn map(pairs: &[Pair]) -> Map<String, Value> {
    pairs
        .iter()
        .map(|pair| (pair.name.clone(), json!(pair.value)))
        .collect()
}

fn channel((name, place): &(String, String)) -> Value {
    json!({
        "ChannelName": name,
        "DataSource": {"S3DataSource": {
            "S3DataType": "S3Prefix", "S3Uri": place,
            "S3DataDistributionType": "FullyReplicated",
        }},
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use kiln_model::api;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        train: Train,
    }

    fn request(options: &[&str], code: Code) -> Value {
        let line = ["kiln", "train.py"].iter().chain(options);
        let train = Line::parse_from(line).train;
        let plan = Plan {
            name: "job-1".to_owned(),
            role: "arn:aws:iam::123456789012:role/KilnExecutionRole".to_owned(),
            region: "us-east-1".to_owned(),
            image: "an-image".to_owned(),
            channels: vec![("train".to_owned(), "s3://bucket/data/".to_owned())],
            code,
            output: "s3://bucket/".to_owned(),
        };
        let request = training_job(&train, &plan);
        let read: Result<api::CreateTrainingJobRequest, _> =
            serde_json::from_value(request.clone());
        assert!(read.is_ok(), "{:?}", read.err());
        request
    }

    fn toolkit() -> Code {
        Code::Toolkit {
            program: "train.py".to_owned(),
            archive: "s3://bucket/sourcedir.tar.gz".to_owned(),
        }
    }

    #[test]
    fn a_plain_job_says_no_more_than_it_must() {
        let command = vec!["/bin/sh".to_owned(), "x".to_owned()];
        let request = request(&[], Code::Command(command));
        let members: Vec<&String> = request.as_object().unwrap().keys().collect();
        let expected = [
            "AlgorithmSpecification",
            "InputDataConfig",
            "OutputDataConfig",
            "ResourceConfig",
            "RoleArn",
            "StoppingCondition",
            "TrainingJobName",
        ];
        assert_eq!(members, expected);
        let entrypoint = &request["AlgorithmSpecification"]["ContainerEntrypoint"];
        assert_eq!(*entrypoint, json!(["/bin/sh", "x"]));
    }

    #[test]
    fn a_toolkit_is_told_where_the_script_is() {
        let request = request(&["--hp", "rounds=5"], toolkit());
        assert_eq!(
            request["HyperParameters"],
            json!({
                "rounds": "5",
                "sagemaker_container_log_level": "30",
                "sagemaker_program": "\"train.py\"",
                "sagemaker_region": "\"us-east-1\"",
                "sagemaker_submit_directory": "\"s3://bucket/sourcedir.tar.gz\"",
            })
        );
    }

    #[test]
    fn every_option_reaches_the_request() {
        let options = [
            "--metric",
            "loss=l=([0-9]+)",
            "--instance-type",
            "ml.c5.xlarge",
            "--count",
            "2",
            "--env",
            "A=b",
            "--max-run",
            "60",
            "--spot",
            "--checkpoint",
            "s3://bucket/c",
        ];
        let request = request(&options, toolkit());
        let metrics = &request["AlgorithmSpecification"]["MetricDefinitions"];
        assert_eq!(*metrics, json!([{"Name": "loss", "Regex": "l=([0-9]+)"}]));
        assert_eq!(request["ResourceConfig"]["InstanceType"], "ml.c5.xlarge");
        assert_eq!(request["ResourceConfig"]["InstanceCount"], 2);
        assert_eq!(request["Environment"], json!({"A": "b"}));
        assert_eq!(request["EnableManagedSpotTraining"], true);
        assert_eq!(
            request["StoppingCondition"],
            json!({"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 86_460})
        );
        assert_eq!(
            request["CheckpointConfig"],
            json!({"S3Uri": "s3://bucket/c"})
        );
    }
}
