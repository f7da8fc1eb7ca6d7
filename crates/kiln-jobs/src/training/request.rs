//! What a training job may ask for, beyond what the shapes say.
//!
//! These are the cloud's semantic checks, and this version's own limits: what
//! Kiln cannot do yet is refused here by name, never accepted and forgotten.

use std::collections::HashSet;

use kiln_model::S3Uri;
use kiln_model::api::{
    Channel, CompressionType, CreateTrainingJobRequest, OutputCompressionType, RecordWrapper,
    ResourceConfig, S3DataSource, S3DataType, TrainingInputMode,
};

use super::DEFAULT_MAX_RUNTIME;

/// The longest that a job may be allowed to run, in seconds: 28 days.
const LONGEST_RUNTIME: i32 = 2_419_200;

type Check = fn(&CreateTrainingJobRequest) -> Result<(), String>;

const CHECKS: [Check; 9] = [
    the_algorithm,
    the_metrics,
    the_channels,
    the_output,
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

/// The S3 locations of a request's channels, in order.
///
/// # Errors
/// When one is no S3 URI.
pub fn inputs(request: &CreateTrainingJobRequest) -> Result<Vec<(String, S3Uri)>, String> {
    let channels = request.input_data_config.iter().flatten();
    channels
        .map(|channel| Ok((channel.channel_name.clone(), s3_uri(source(channel)?)?)))
        .collect()
}

/// Where a request's outputs go.
///
/// # Errors
/// When that is no S3 URI.
pub fn output(request: &CreateTrainingJobRequest) -> Result<S3Uri, String> {
    parse(&request.output_data_config.s3_output_path)
}

fn parse(uri: &str) -> Result<S3Uri, String> {
    uri.parse()
        .map_err(|_| format!("The S3 URI \"{uri}\" is not valid. Give s3://bucket/prefix."))
}

fn s3_uri(source: &S3DataSource) -> Result<S3Uri, String> {
    parse(&source.s3_uri)
}

fn source(channel: &Channel) -> Result<&S3DataSource, String> {
    channel.data_source.s3_data_source.as_ref().ok_or_else(|| {
        format!(
            "The data source of channel '{}' is not available in this version of Kiln: use an \
             S3DataSource.",
            channel.channel_name
        )
    })
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

fn the_channels(request: &CreateTrainingJobRequest) -> Result<(), String> {
    let mut names = HashSet::new();
    for channel in request.input_data_config.iter().flatten() {
        let name = &channel.channel_name;
        refuse_if(
            !names.insert(name),
            format!("Channel names must be unique: '{name}' is repeated."),
        )?;
        refuse_if(
            matches!(name.as_str(), "." | ".."),
            format!("'{name}' cannot be the name of a channel: it is not the name of a directory."),
        )?;
        the_channel(request, channel)?;
    }
    Ok(())
}

fn the_channel(request: &CreateTrainingJobRequest, channel: &Channel) -> Result<(), String> {
    let name = &channel.channel_name;
    let source = source(channel)?;
    s3_uri(source)?;
    let job_mode = request
        .algorithm_specification
        .as_ref()
        .map(|a| a.training_input_mode);
    let mode = channel.input_mode.or(job_mode);
    refuse_if(
        mode != Some(TrainingInputMode::File),
        format!("Channel '{name}': only the File input mode is available in this version of Kiln."),
    )?;
    refuse_if(
        source.s3_data_type != S3DataType::S3Prefix,
        format!(
            "Channel '{name}': only the S3Prefix data type is available in this version of Kiln."
        ),
    )?;
    let compressed = channel
        .compression_type
        .is_some_and(|kind| kind != CompressionType::None);
    refuse_if(
        compressed,
        format!("Channel '{name}': CompressionType Gzip is supported only in Pipe mode."),
    )?;
    let wrapped = channel
        .record_wrapper_type
        .is_some_and(|kind| kind != RecordWrapper::None);
    refuse_if(
        wrapped,
        format!("Channel '{name}': RecordWrapperType RecordIO is supported only in Pipe mode."),
    )?;
    let unavailable = [
        (channel.shuffle_config.is_some(), "ShuffleConfig"),
        (has_any(&source.attribute_names), "AttributeNames"),
        (has_any(&source.instance_group_names), "InstanceGroupNames"),
        (source.model_access_config.is_some(), "ModelAccessConfig"),
        (source.hub_access_config.is_some(), "HubAccessConfig"),
    ];
    match unavailable.iter().find(|(asked, _)| *asked) {
        Some((_, what)) => Err(format!("Channel '{name}': {}", not_yet(what))),
        None => Ok(()),
    }
}

fn the_output(request: &CreateTrainingJobRequest) -> Result<(), String> {
    output(request)?;
    let raw = request.output_data_config.compression_type == Some(OutputCompressionType::None);
    refuse_if(raw, not_yet("OutputDataConfig.CompressionType NONE"))?;
    let key = request
        .output_data_config
        .kms_key_id
        .as_deref()
        .unwrap_or_default();
    refuse_if(!key.is_empty(), not_yet("OutputDataConfig.KmsKeyId"))
}

fn the_resources(request: &CreateTrainingJobRequest) -> Result<(), String> {
    let Some(resources) = &request.resource_config else {
        return Err("ResourceConfig is required for this training job.".to_owned());
    };
    let ResourceConfig {
        instance_type,
        instance_count,
        instance_groups,
        ..
    } = resources;
    refuse_if(
        instance_groups.is_some() && (instance_type.is_some() || instance_count.is_some()),
        "You can specify either InstanceGroups or InstanceType and InstanceCount in \
         ResourceConfig, but not both.",
    )?;
    refuse_if(
        instance_groups.is_some(),
        not_yet("ResourceConfig.InstanceGroups"),
    )?;
    refuse_if(
        instance_type.is_none() || instance_count.is_none(),
        "InstanceType and InstanceCount are required in ResourceConfig.",
    )?;
    refuse_if(
        instance_count.is_some_and(|n| n > 1),
        not_yet("ResourceConfig.InstanceCount above 1"),
    )?;
    refuse_if(
        instance_count.is_some_and(|n| n < 1),
        "InstanceCount in ResourceConfig must be at least 1.",
    )?;
    let kept = resources
        .keep_alive_period_in_seconds
        .is_some_and(|seconds| seconds > 0);
    refuse_if(kept, not_yet("ResourceConfig.KeepAlivePeriodInSeconds"))?;
    let encrypted = resources
        .volume_kms_key_id
        .as_ref()
        .is_some_and(|key| !key.is_empty());
    refuse_if(encrypted, not_yet("ResourceConfig.VolumeKmsKeyId"))?;
    refuse_if(
        resources.training_plan_arn.is_some(),
        not_yet("ResourceConfig.TrainingPlanArn"),
    )
}

fn the_stopping_condition(request: &CreateTrainingJobRequest) -> Result<(), String> {
    let spot = request.enable_managed_spot_training == Some(true);
    let stopping = request.stopping_condition.clone().unwrap_or_default();
    let wait = stopping.max_wait_time_in_seconds;
    refuse_if(
        wait.is_some() && !spot,
        "MaxWaitTimeInSeconds above 0 is valid only when EnableManagedSpotTraining is true.",
    )?;
    let runtime = stopping.max_runtime_in_seconds;
    let runtime = runtime.unwrap_or(DEFAULT_MAX_RUNTIME);
    refuse_if(
        runtime > LONGEST_RUNTIME,
        format!("MaxRuntimeInSeconds must be at most {LONGEST_RUNTIME} seconds, which is 28 days."),
    )?;
    refuse_if(
        wait.is_some_and(|wait| wait < runtime),
        "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to \
         MaxRuntimeInSeconds.",
    )?;
    refuse_if(spot, not_yet("EnableManagedSpotTraining"))?;
    let pending = stopping.max_pending_time_in_seconds.is_some();
    refuse_if(
        pending,
        not_yet("StoppingCondition.MaxPendingTimeInSeconds"),
    )
}

fn the_tags(request: &CreateTrainingJobRequest) -> Result<(), String> {
    let tags: Vec<_> = request
        .tags
        .iter()
        .flatten()
        .map(|tag| tag.key.as_str())
        .collect();
    super::check_tag_keys(&tags)
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
        (request.checkpoint_config.is_some(), "CheckpointConfig"),
        (request.retry_strategy.is_some(), "RetryStrategy"),
        (
            request.tensor_board_output_config.is_some(),
            "TensorBoardOutputConfig",
        ),
        (
            has_any(&request.debug_rule_configurations),
            "DebugRuleConfigurations",
        ),
        (
            has_any(&request.profiler_rule_configurations),
            "ProfilerRuleConfigurations",
        ),
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
                "/InputDataConfig/0/InputMode",
                json!("FastFile"),
                "only the File input mode",
            ),
            (
                "/ResourceConfig/InstanceCount",
                json!(2),
                "InstanceCount above 1",
            ),
            ("/ResourceConfig/InstanceGroups", json!([]), "but not both"),
            (
                "/ResourceConfig/KeepAlivePeriodInSeconds",
                json!(60),
                "KeepAlivePeriodInSeconds",
            ),
            (
                "/CheckpointConfig",
                json!({"S3Uri": "s3://bkt/c"}),
                "CheckpointConfig is not available",
            ),
            (
                "/EnableManagedSpotTraining",
                json!(true),
                "EnableManagedSpotTraining",
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
