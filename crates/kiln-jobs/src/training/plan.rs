//! From an accepted request to an instance plan, and to the configuration
//! files that the container finds under `/opt/ml/input/config`.

use std::collections::BTreeMap;

use kiln_agent::plan::{ChannelPlan, InstancePlan, Keys, MetricPlan, OutputPlan};
use kiln_agent::runtime::{Limits, NetworkPolicy, Start};
use kiln_model::api::{Channel, CreateTrainingJobRequest, TrainingInputMode};
use kiln_model::{Arn, S3Uri};
use serde_json::{Value, json};

use super::DEFAULT_MAX_RUNTIME;
use super::describe::output_prefix;
use super::request;
use crate::Settings;

/// Seconds between SIGTERM and SIGKILL.
const GRACE: u64 = 120;
/// The only host of a job with one instance.
pub(crate) const HOST: &str = "algo-1";

/// What a plan needs beyond the request.
pub(crate) struct Placement<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) arn: &'a Arn,
    pub(crate) instance: &'a str,
    pub(crate) token: &'a str,
    pub(crate) keys: Keys,
    pub(crate) limits: Limits,
}

/// Builds the plan of a job's instance.
///
/// # Errors
/// When the request names something that is no S3 location, which its
/// acceptance rules out.
pub(crate) fn build(
    job: &CreateTrainingJobRequest,
    placement: Placement<'_>,
) -> Result<InstancePlan, String> {
    let Placement {
        settings,
        arn,
        instance,
        token,
        keys,
        limits,
    } = placement;
    let algorithm = job.algorithm_specification.clone().unwrap_or_else(|| {
        // Acceptance requires it; an empty one names no image and fails as such.
        kiln_model::api::AlgorithmSpecification::new(TrainingInputMode::File)
    });
    let channel = |(name, uri): (String, S3Uri)| ChannelPlan {
        name,
        bucket: uri.bucket().to_owned(),
        prefix: uri.key().to_owned(),
    };
    let outputs: S3Uri = output_prefix(job)
        .parse()
        .map_err(|_| "no output location".to_owned())?;
    let metrics = algorithm.metric_definitions.iter().flatten();
    let seconds = job
        .stopping_condition
        .as_ref()
        .and_then(|limit| limit.max_runtime_in_seconds);
    Ok(InstancePlan {
        instance: instance.to_owned(),
        token: token.to_owned(),
        control: settings.control.clone(),
        data_dir: settings.data_dir.clone(),
        cache_dir: settings.cache_dir.clone(),
        images: settings.images.clone(),
        engine_socket: settings.engine_socket.clone(),
        region: settings.identity.region.to_string(),
        keys,
        image: algorithm.training_image.clone().unwrap_or_default(),
        start: Start {
            entrypoint: algorithm.container_entrypoint.clone(),
            arguments: algorithm.container_arguments.clone(),
        },
        environment: environment(job, arn, settings),
        config: config_files(job, arn),
        host: HOST.to_owned(),
        channels: request::inputs(job)?.into_iter().map(channel).collect(),
        outputs: OutputPlan {
            bucket: outputs.bucket().to_owned(),
            prefix: outputs.key().to_owned(),
        },
        metrics: metrics
            .map(|metric| MetricPlan {
                name: metric.name.clone(),
                regex: metric.regex.clone(),
            })
            .collect(),
        limits,
        network: match job.enable_network_isolation {
            Some(true) => NetworkPolicy::Isolated,
            _ => NetworkPolicy::Open,
        },
        max_runtime_seconds: seconds.unwrap_or(DEFAULT_MAX_RUNTIME).unsigned_abs().into(),
        grace_seconds: GRACE,
    })
}

fn environment(
    job: &CreateTrainingJobRequest,
    arn: &Arn,
    settings: &Settings,
) -> BTreeMap<String, String> {
    let ours = [
        ("AWS_EXECUTION_ENV", "AWS_ECS_EC2".to_owned()),
        ("AWS_REGION", settings.identity.region.to_string()),
        ("HOSTNAME", HOST.to_owned()),
        ("NVIDIA_VISIBLE_DEVICES", "void".to_owned()),
        ("TRAINING_JOB_ARN", arn.to_string()),
        ("TRAINING_JOB_NAME", job.training_job_name.clone()),
    ];
    let mut all: BTreeMap<String, String> = ours
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    let algorithm = job.algorithm_specification.as_ref();
    if algorithm.and_then(|a| a.enable_sage_maker_metrics_time_series) == Some(true) {
        let directory = "/opt/ml/output/metrics/sagemaker".to_owned();
        all.insert("SAGEMAKER_METRICS_DIRECTORY".to_owned(), directory);
    }
    all.extend(job.environment.clone().unwrap_or_default());
    all
}

/// The files by name. `network_interface_name` is a placeholder that the agent
/// replaces by the truth.
fn config_files(job: &CreateTrainingJobRequest, arn: &Arn) -> BTreeMap<String, Value> {
    let algorithm = job.algorithm_specification.as_ref();
    let metrics = algorithm
        .and_then(|a| a.metric_definitions.clone())
        .unwrap_or_default();
    let mut files = BTreeMap::from([
        (
            "hyperparameters.json".to_owned(),
            json!(job.hyper_parameters.clone().unwrap_or_default()),
        ),
        ("init-config.json".to_owned(), init_config(job)),
        ("inputdataconfig.json".to_owned(), input_data_config(job)),
        ("metric-definition-regex.json".to_owned(), json!(metrics)),
        ("resourceconfig.json".to_owned(), resource_config(job)),
        (
            "trainingjobconfig.json".to_owned(),
            training_job_config(job, arn),
        ),
        ("upstreamoutputdataconfig.json".to_owned(), json!([])),
    ]);
    if let Some(hook) = &job.debug_hook_config {
        let mut content = json!(hook);
        content["S3OutputPath"] = json!(below_job(&hook.s3_output_path, job, "debug-output"));
        fill(&mut content, "LocalPath", "/opt/ml/output/tensors");
        files.insert("debughookconfig.json".to_owned(), content);
    }
    if let Some(profiler) = &job.profiler_config {
        let mut content = json!(profiler);
        fill(&mut content, "LocalPath", "/opt/ml/output/profiler");
        files.insert("profilerconfig.json".to_owned(), content);
    }
    files
}

fn below_job(path: &str, job: &CreateTrainingJobRequest, name: &str) -> String {
    format!(
        "{}/{}/{name}",
        path.trim_end_matches('/'),
        job.training_job_name
    )
}

fn fill(content: &mut Value, name: &str, value: &str) {
    if content[name].is_null() {
        content[name] = json!(value);
    }
}

fn mode(job: &CreateTrainingJobRequest, channel: &Channel) -> TrainingInputMode {
    let of_job = job
        .algorithm_specification
        .as_ref()
        .map(|a| a.training_input_mode);
    channel
        .input_mode
        .or(of_job)
        .unwrap_or(TrainingInputMode::File)
}

fn input_data_config(job: &CreateTrainingJobRequest) -> Value {
    let mut channels = serde_json::Map::new();
    for channel in job.input_data_config.iter().flatten() {
        let mut entry = json!({
            "TrainingInputMode": mode(job, channel),
            "S3DistributionType": distribution(channel),
            "RecordWrapperType": channel.record_wrapper_type.map_or("None", |kind| kind.as_str()),
        });
        if let Some(kind) = &channel.content_type {
            entry["ContentType"] = json!(kind);
        }
        channels.insert(channel.channel_name.clone(), entry);
    }
    Value::Object(channels)
}

fn distribution(channel: &Channel) -> &'static str {
    let source = channel.data_source.s3_data_source.as_ref();
    source
        .and_then(|s| s.s3_data_distribution_type)
        .map_or("FullyReplicated", |kind| kind.as_str())
}

fn resource_config(job: &CreateTrainingJobRequest) -> Value {
    let kind = job
        .resource_config
        .as_ref()
        .and_then(|resources| resources.instance_type);
    json!({
        "current_group_name": "homogeneousCluster",
        "current_host": HOST,
        "current_instance_type": kind,
        "hosts": [HOST],
        "instance_groups": [{
            "hosts": [HOST],
            "instance_group_name": "homogeneousCluster",
            "instance_type": kind,
        }],
        "network_interface_name": null,
    })
}

/// The platform's own view of the channels, in its own spelling.
fn init_config(job: &CreateTrainingJobRequest) -> Value {
    let mut channels = serde_json::Map::new();
    for channel in job.input_data_config.iter().flatten() {
        let entry = json!({
            "s3DataSource": {
                "s3DataType": "S3_PREFIX",
                "s3Uri": channel.data_source.s3_data_source.as_ref().map(|s| &s.s3_uri),
                "s3DataDistributionType": shouted(distribution(channel)),
                "attributeNames": null,
            },
            "fileSystemDataSource": null,
            "compressionType": "NONE",
            "recordWrapper": "NONE",
            "shuffleConfig": null,
            "inputMode": shouted(mode(job, channel).as_str()),
            "sharded": distribution(channel) == "ShardedByS3Key",
        });
        channels.insert(channel.channel_name.clone(), entry);
    }
    let of_job = job
        .algorithm_specification
        .as_ref()
        .map(|a| a.training_input_mode);
    json!({
        "inputMode": of_job.map(|mode| shouted(mode.as_str())),
        "channels": channels,
        "checkpointChannel": null,
        "hostConfig": {"clusterSize": 1, "hostNumber": 1},
        "enableAdditionalPlatformLoggingForCustomer": false,
        "jobRunInfo": {"jobRunNumber": 1},
    })
}

/// The request as the platform writes it down: enum values shouted, defaults
/// filled in.
fn training_job_config(job: &CreateTrainingJobRequest, arn: &Arn) -> Value {
    let mut content = json!(job);
    let defaults = [
        ("EnableInterContainerTrafficEncryption", json!(false)),
        ("EnableNetworkIsolation", json!(false)),
        ("EnableManagedSpotTraining", json!(false)),
        ("HyperParameters", json!({})),
        ("InputDataConfig", json!([])),
        ("Tags", json!([])),
        ("BaseTags", json!([])),
        ("TrainingJobArn", json!(arn.to_string())),
    ];
    for (name, value) in defaults {
        if content[name].is_null() {
            content[name] = value;
        }
    }
    fill(&mut content["OutputDataConfig"], "KmsKeyId", "");
    for channel in content["InputDataConfig"]
        .as_array_mut()
        .into_iter()
        .flatten()
    {
        fill(channel, "CompressionType", "None");
        fill(channel, "RecordWrapperType", "None");
        let source = "/DataSource/S3DataSource";
        let spoken = [
            "/CompressionType".to_owned(),
            "/RecordWrapperType".to_owned(),
        ];
        let nested =
            ["S3DataType", "S3DataDistributionType"].map(|name| format!("{source}/{name}"));
        for pointer in spoken.into_iter().chain(nested) {
            if let Some(value) = channel.pointer_mut(&pointer) {
                *value = json!(value.as_str().map(shouted));
            }
        }
    }
    content
}

/// `S3Prefix` as `S3_PREFIX`, `ShardedByS3Key` as `SHARDED_BY_S3_KEY`.
fn shouted(word: &str) -> String {
    let mut shouted = String::new();
    let mut before = '_';
    for letter in word.chars() {
        if letter.is_ascii_uppercase() && !before.is_ascii_uppercase() && before != '_' {
            shouted.push('_');
        }
        shouted.push(letter.to_ascii_uppercase());
        before = letter;
    }
    shouted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_shouted_as_the_platform_does() {
        for (word, expected) in [
            ("S3Prefix", "S3_PREFIX"),
            ("ShardedByS3Key", "SHARDED_BY_S3_KEY"),
            ("FullyReplicated", "FULLY_REPLICATED"),
            ("File", "FILE"),
            ("None", "NONE"),
            ("RecordIO", "RECORD_IO"),
        ] {
            assert_eq!(shouted(word), expected);
        }
    }
}
