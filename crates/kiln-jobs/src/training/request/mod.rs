//! What a training job may ask for, beyond what the shapes say.
//!
//! These are the cloud's semantic checks, and this version's own limits: what
//! Kiln cannot do yet is refused here by name, never accepted and forgotten.

mod channels;
mod outputs;
mod resources;
mod rules;

use kiln_model::S3Uri;
use kiln_model::api::CreateTrainingJobRequest;

use super::DEFAULT_MAX_RUNTIME;
use channels::the_channels;
use outputs::the_output;
use resources::{the_resources, the_stopping_condition};

pub use channels::{Input, Place, inputs, locations, mode};
pub use outputs::{
    CHECKPOINTS, PROFILE, PROFILER, PROFILING_INTERVAL, Synchronised, TENSORBOARD, TENSORS,
    below_job, output, places, profile_path, profiling_interval, synchronised,
};
pub use rules::{Rule, RuleKind, records, rules, the_rules};

type Check = fn(&CreateTrainingJobRequest) -> Result<(), String>;

const CHECKS: [Check; 10] = [
    the_algorithm,
    the_metrics,
    the_channels,
    the_output,
    the_rules,
    the_resources,
    the_stopping_condition,
    the_tags,
    the_environment,
    what_is_not_available_yet,
];

/// Checks a request whose shapes are right, and fills in the defaults that a
/// describe call shows.
///
/// # Errors
/// The message of the first check that fails.
pub fn accept(mut request: CreateTrainingJobRequest) -> Result<CreateTrainingJobRequest, String> {
    CHECKS.iter().try_for_each(|check| check(&request))?;
    let stopping = request.stopping_condition.get_or_insert_default();
    stopping
        .max_runtime_in_seconds
        .get_or_insert(DEFAULT_MAX_RUNTIME);
    if let Some(algorithm) = &mut request.algorithm_specification {
        let measured = has_any(&algorithm.metric_definitions);
        algorithm
            .enable_sage_maker_metrics_time_series
            .get_or_insert(measured);
    }
    Ok(request)
}

fn parse(uri: &str) -> Result<S3Uri, String> {
    uri.parse()
        .map_err(|_| format!("The S3 URI \"{uri}\" is not valid. Give s3://bucket/prefix."))
}

fn refuse_if(wrong: bool, message: impl Into<String>) -> Result<(), String> {
    if wrong { Err(message.into()) } else { Ok(()) }
}

fn the_algorithm(request: &CreateTrainingJobRequest) -> Result<(), String> {
    let Some(algorithm) = &request.algorithm_specification else {
        return Err("AlgorithmSpecification is required for this training job.".to_owned());
    };
    match (&algorithm.training_image, &algorithm.algorithm_name) {
        (Some(_), None) => Ok(()),
        (None, Some(_)) => Err(
            "AlgorithmName is not available in this version of Kiln: use \
            TrainingImage."
                .to_owned(),
        ),
        _ => Err(
            "You must specify exactly one of TrainingImage and AlgorithmName in \
            AlgorithmSpecification."
                .to_owned(),
        ),
    }
}

fn the_metrics(request: &CreateTrainingJobRequest) -> Result<(), String> {
    let algorithm = request.algorithm_specification.iter();
    for metric in algorithm.flat_map(|a| a.metric_definitions.iter().flatten()) {
        if let Err(error) = fancy_regex::Regex::new(&metric.regex) {
            let name = &metric.name;
            return Err(format!(
                "The regex of metric definition '{name}' is not valid: {error}"
            ));
        }
    }
    Ok(())
}

fn the_tags(request: &CreateTrainingJobRequest) -> Result<(), String> {
    let tags: Vec<_> = request
        .tags
        .iter()
        .flatten()
        .map(|tag| tag.key.as_str())
        .collect();
    crate::check_tag_keys(&tags)
}

/// Variables whose meaning is the platform's.
fn the_environment(request: &CreateTrainingJobRequest) -> Result<(), String> {
    for name in request.environment.iter().flatten().map(|(name, _)| name) {
        let ours = matches!(name.as_str(), "TRAINING_JOB_NAME" | "TRAINING_JOB_ARN");
        refuse_if(
            ours,
            format!("The environment variable {name} is reserved by the platform."),
        )?;
    }
    Ok(())
}

fn what_is_not_available_yet(request: &CreateTrainingJobRequest) -> Result<(), String> {
    let asked = [
        (
            request.serverless_job_config.is_some(),
            "ServerlessJobConfig",
        ),
        (request.mlflow_config.is_some(), "MlflowConfig"),
        (request.model_package_config.is_some(), "ModelPackageConfig"),
    ];
    match asked.iter().find(|(asked, _)| *asked) {
        Some((_, name)) => Err(not_yet(name)),
        None => Ok(()),
    }
}

fn has_any<T>(list: &Option<Vec<T>>) -> bool {
    list.as_ref().is_some_and(|list| !list.is_empty())
}

fn not_yet(name: &str) -> String {
    format!("{name} is not available in this version of Kiln.")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn request() -> Value {
        json!({
            "TrainingJobName": "job",
            "RoleArn": "arn:aws:iam::123456789012:role/r",
            "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
            "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
            "ResourceConfig": {
                "InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10
            },
            "InputDataConfig": [{
                "ChannelName": "train",
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bkt/p"}}
            }],
        })
    }

    fn with(pointer: &str, value: Value) -> Result<CreateTrainingJobRequest, String> {
        let mut request = request();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        request.pointer_mut(parent).unwrap()[name] = value;
        accept(serde_json::from_value(request).unwrap())
    }

    #[test]
    fn the_default_time_limit_is_filled_in() {
        let accepted = accept(serde_json::from_value(request()).unwrap()).unwrap();
        let stopping = accepted.stopping_condition.unwrap();
        assert_eq!(stopping.max_runtime_in_seconds, Some(DEFAULT_MAX_RUNTIME));
    }

    #[test]
    fn contradictions_are_refused_with_a_reason() {
        let cases = [
            (
                "/AlgorithmSpecification/AlgorithmName",
                json!("x"),
                "exactly one of TrainingImage",
            ),
            (
                "/StoppingCondition",
                json!({"MaxWaitTimeInSeconds": 9}),
                "MaxWaitTimeInSeconds",
            ),
            (
                "/InputDataConfig/0/CompressionType",
                json!("Gzip"),
                "only in Pipe mode",
            ),
            (
                "/InputDataConfig/0/RecordWrapperType",
                json!("RecordIO"),
                "only in Pipe mode",
            ),
            (
                "/InputDataConfig/0/DataSource/S3DataSource/S3DataType",
                json!("AugmentedManifestFile"),
                "only in Pipe mode",
            ),
            (
                "/InputDataConfig/0/DataSource/S3DataSource/AttributeNames",
                json!(["image-ref"]),
                "only when S3DataType is AugmentedManifestFile",
            ),
            (
                "/InputDataConfig/0/DataSource/S3DataSource/InstanceGroupNames",
                json!(["workers"]),
                "names no instance group",
            ),
            (
                "/InputDataConfig/0/DataSource",
                json!({}),
                "exactly one of S3DataSource and FileSystemDataSource",
            ),
            (
                "/InputDataConfig/0/DataSource",
                json!({"FileSystemDataSource": {
                    "FileSystemId": "fs-0123456789abcdef0", "FileSystemAccessMode": "ro",
                    "FileSystemType": "EFS", "DirectoryPath": "/data",
                }}),
                "VpcConfig is required",
            ),
            (
                "/ResourceConfig/InstanceCount",
                json!(33),
                "at most 32 instances",
            ),
            ("/ResourceConfig/InstanceGroups", json!([]), "but not both"),
            (
                "/CheckpointConfig",
                json!({"S3Uri": "s3://bkt/c", "LocalPath": "/opt/ml/input/x"}),
                "collides",
            ),
            (
                "/EnableManagedSpotTraining",
                json!(true),
                "Invalid MaxWaitTimeInSeconds",
            ),
            (
                "/OutputDataConfig/S3OutputPath",
                json!("https://x"),
                "not valid",
            ),
            (
                "/Environment",
                json!({"TRAINING_JOB_NAME": "x"}),
                "reserved",
            ),
            ("/Tags", json!([{"Key": "aws:x", "Value": ""}]), "aws:"),
        ];
        for (pointer, value, expected) in cases {
            let message = with(pointer, value).unwrap_err();
            assert!(message.contains(expected), "{pointer}: {message}");
        }
        let regex = json!([{"Name": "m", "Regex": "("}]);
        assert!(with("/AlgorithmSpecification/MetricDefinitions", regex).is_err());
    }

    #[test]
    fn what_machines_and_limits_may_not_be_asked_for_together() {
        let group = |name: &str, count: i32| {
            json!({
                "InstanceGroupName": name, "InstanceType": "ml.m5.large", "InstanceCount": count
            })
        };
        let groups = |groups: Value| json!({"InstanceGroups": groups, "VolumeSizeInGB": 1});
        let spot = |wait: i32, keep: i32| {
            json!({
                "EnableManagedSpotTraining": true,
                "StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": wait},
                "ResourceConfig": {
                    "InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1,
                    "KeepAlivePeriodInSeconds": keep
                }
            })
        };
        let on = |groups: Value| json!({"ResourceConfig": groups});
        let cases = [
            (spot(60, 0), None),
            (spot(59, 0), Some("Invalid MaxWaitTimeInSeconds")),
            (
                spot(60, 9),
                Some("KeepAlivePeriodInSeconds is not supported"),
            ),
            (on(groups(json!([group("a", 1), group("b", 31)]))), None),
            (
                on(groups(json!([group("a", 1), group("b", 32)]))),
                Some("at most 32"),
            ),
            (
                on(groups(json!([group("a", 1), group("a", 1)]))),
                Some("must be unique"),
            ),
            (on(groups(json!([group("a", 0)]))), Some("at least 1")),
            (on(groups(json!([]))), Some("at least one instance group")),
        ];
        for (members, expected) in cases {
            let mut request = request();
            for (name, value) in members.as_object().unwrap() {
                request[name] = value.clone();
            }
            let outcome = accept(serde_json::from_value(request).unwrap());
            match expected {
                None => drop(outcome.unwrap()),
                Some(text) => assert!(outcome.unwrap_err().contains(text), "{text}"),
            }
        }
    }

    #[test]
    fn channels_whose_files_would_have_one_name_are_refused() {
        let channel = |name: &str, mode: &str| {
            json!({
                "ChannelName": name, "InputMode": mode,
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bkt/p"}}
            })
        };
        let cases = [
            (("train", "File"), ("train-manifest", "File"), false),
            (("train", "File"), ("train_0", "File"), true),
            (("train", "Pipe"), ("train_0", "File"), false),
            (("train", "Pipe"), ("train_x", "File"), true),
            (("train_12", "File"), ("train", "Pipe"), false),
            (("train", "FastFile"), ("test", "Pipe"), true),
        ];
        for (one, other, allowed) in cases {
            let channels = json!([channel(one.0, one.1), channel(other.0, other.1)]);
            let outcome = with("/InputDataConfig", channels);
            assert_eq!(outcome.is_ok(), allowed, "{one:?} {other:?}");
        }
    }

    #[test]
    fn what_every_sdk_sends_is_tolerated() {
        for (pointer, value) in [
            (
                "/DebugHookConfig",
                json!({"S3OutputPath": "s3://bkt/", "CollectionConfigurations": []}),
            ),
            (
                "/ProfilerConfig",
                json!({"S3OutputPath": "s3://bkt/", "DisableProfiler": false}),
            ),
            ("/OutputDataConfig/KmsKeyId", json!("")),
            (
                "/VpcConfig",
                json!({"SecurityGroupIds": ["sg-1"], "Subnets": ["s-1"]}),
            ),
        ] {
            with(pointer, value).unwrap();
        }
    }
}
