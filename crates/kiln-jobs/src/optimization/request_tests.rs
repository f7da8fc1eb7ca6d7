//! Tables: what is accepted, and what is refused in which words.

use serde_json::{Value, json};

use super::*;

fn request(change: impl FnOnce(&mut Value)) -> CreateOptimizationJobRequest {
    let mut request = json!({
        "OptimizationJobName": "o",
        "RoleArn": "arn:aws:iam::123456789012:role/r",
        "ModelSource": {"S3": {"S3Uri": "s3://data/m"}},
        "DeploymentInstanceType": "ml.g5.xlarge",
        "OptimizationConfigs": [{"ModelQuantizationConfig": {}}],
        "OutputConfig": {"S3OutputLocation": "s3://out/x"},
        "StoppingCondition": {},
    });
    change(&mut request);
    serde_json::from_value(request).unwrap()
}

#[test]
fn a_request_without_a_limit_gets_the_usual_one() {
    let accepted = accept(request(|_| {})).unwrap();
    let stopping = accepted.stopping_condition;
    assert_eq!(stopping.max_runtime_in_seconds, Some(86_400));
}

#[test]
fn a_licence_is_accepted_or_goes_without_saying() {
    let access = |accepted| {
        request(|r| r["ModelSource"]["S3"]["ModelAccessConfig"] = json!({"AcceptEula": accepted}))
    };
    assert!(accept(access(true)).is_ok());
    let refusal = accept(access(false)).unwrap_err();
    assert!(refusal.contains("set AcceptEula to true"), "{refusal}");
}

#[test]
fn the_result_does_not_replace_the_model() {
    let found = |request: &CreateOptimizationJobRequest| place::of_source(&request.model_source);
    let apart = request(|_| {});
    assert_eq!(keeps_the_model(&apart, &found(&apart).unwrap()), Ok(()));
    let same = request(|r| r["OutputConfig"]["S3OutputLocation"] = json!("s3://data/m/"));
    let refusal = keeps_the_model(&same, &found(&same).unwrap()).unwrap_err();
    let expected = "The S3OutputLocation \"s3://data/m/\" in OutputConfig is where the model comes \
                    from. Give another prefix: the optimized model must not replace it.";
    assert_eq!(refusal, expected);
}

#[test]
fn what_makes_no_sense_is_refused() {
    type Change = fn(&mut Value);
    let cases: [(Change, &str); 9] = [
        (
            |r| r["ModelSource"]["SageMakerModel"] = json!({"ModelName": "m"}),
            "You can specify S3 or SageMakerModel in ModelSource, but not both.",
        ),
        (
            |r| r["ModelSource"] = json!({}),
            "You must specify either S3 or SageMakerModel in ModelSource.",
        ),
        (
            |r| r["ModelSource"] = json!({"SageMakerModel": {}}),
            "ModelName is required in ModelSource.SageMakerModel.",
        ),
        (
            |r| r["ModelSource"] = json!({"S3": {}}),
            "S3Uri is required in ModelSource.S3.",
        ),
        (
            |r| r["OptimizationConfigs"] = json!([]),
            "OptimizationConfigs must have at least one configuration.",
        ),
        (
            |r| {
                r["OptimizationConfigs"] = json!([
                    {"ModelQuantizationConfig": {}},
                    {"ModelQuantizationConfig": {"Image": "i"}},
                ]);
            },
            "OptimizationConfigs has more than one ModelQuantizationConfig. Each technique can be \
             applied once in an optimization job.",
        ),
        (
            |r| r["OutputConfig"]["SageMakerModel"] = json!({"ModelName": "m"}),
            "SageMakerModel in OutputConfig is not available in this version of Kiln: create the \
             model from S3OutputLocation once the job has completed.",
        ),
        (
            |r| r["StoppingCondition"] = json!({"MaxWaitTimeInSeconds": 5}),
            "MaxWaitTimeInSeconds is for managed spot training and not valid for an optimization \
             job.",
        ),
        (
            |r| r["Tags"] = json!([{"Key": "aws:x", "Value": ""}]),
            "Tag keys that start with 'aws:' are reserved for AWS use, and cannot be given: \
             'aws:x'.",
        ),
    ];
    for (change, message) in cases {
        assert_eq!(accept(request(change)).unwrap_err(), message);
    }
}
