//! The configuration files that a container finds under
//! `/opt/ml/input/config`, in the cloud's own spelling.

use std::collections::BTreeMap;

use kiln_model::Arn;
use kiln_model::api::{Channel, CreateTrainingJobRequest, S3DataSource, TrainingInputMode};
use serde_json::{Value, json};

use super::hosts::HostSpec;
use super::request::{self, CHECKPOINTS, PROFILE, TENSORBOARD, TENSORS, mode};

/// For whom the files are.
pub(crate) struct Seat<'a> {
    /// All hosts of the job.
    pub(crate) hosts: &'a [HostSpec],
    /// Which of them this is.
    pub(crate) own: usize,
    /// Which attempt of the job this is, from 1.
    pub(crate) attempt: u32,
}

/// The files by name. `network_interface_name` is a placeholder that the agent
/// replaces by the truth.
pub(crate) fn config_files(
    job: &CreateTrainingJobRequest,
    arn: &Arn,
    seat: &Seat<'_>,
) -> BTreeMap<String, Value> {
    let algorithm = job.algorithm_specification.as_ref();
    let metrics = algorithm
        .and_then(|a| a.metric_definitions.clone())
        .unwrap_or_default();
    let mut files = BTreeMap::from([
        (
            "hyperparameters.json".to_owned(),
            json!(job.hyper_parameters.clone().unwrap_or_default()),
        ),
        ("init-config.json".to_owned(), init_config(job, seat)),
        ("inputdataconfig.json".to_owned(), input_data_config(job)),
        ("metric-definition-regex.json".to_owned(), json!(metrics)),
        ("resourceconfig.json".to_owned(), resource_config(seat)),
        (
            "trainingjobconfig.json".to_owned(),
            training_job_config(job, arn),
        ),
        ("upstreamoutputdataconfig.json".to_owned(), json!([])),
    ]);
    let when_asked_for = [
        ("debughookconfig.json", debug_hook_config(job)),
        ("checkpointconfig.json", checkpoint_config(job)),
        (
            "tensorboardoutputconfig.json",
            tensor_board_output_config(job),
        ),
        ("profilerconfig.json", profiler_config(job)),
    ];
    for (name, content) in when_asked_for {
        if let Some(content) = content {
            files.insert(name.to_owned(), content);
        }
    }
    files
}

fn debug_hook_config(job: &CreateTrainingJobRequest) -> Option<Value> {
    let hook = job.debug_hook_config.as_ref()?;
    let mut content = json!(hook);
    content["S3OutputPath"] = json!(below_job(&hook.s3_output_path, job, "debug-output"));
    fill(&mut content, "LocalPath", TENSORS);
    Some(content)
}

fn checkpoint_config(job: &CreateTrainingJobRequest) -> Option<Value> {
    let mut content = json!(job.checkpoint_config.as_ref()?);
    fill(&mut content, "LocalPath", CHECKPOINTS);
    Some(content)
}

fn tensor_board_output_config(job: &CreateTrainingJobRequest) -> Option<Value> {
    let board = job.tensor_board_output_config.as_ref()?;
    let mut content = json!(board);
    content["S3OutputPath"] = json!(below_job(&board.s3_output_path, job, "tensorboard-output"));
    fill(&mut content, "LocalPath", &format!("{TENSORBOARD}/"));
    Some(content)
}

fn profiler_config(job: &CreateTrainingJobRequest) -> Option<Value> {
    let mut content = json!(job.profiler_config.as_ref()?);
    fill(&mut content, "LocalPath", PROFILE);
    Some(content)
}

/// The place that is kept in step, as text; what is none stays as it is.
fn below_job(path: &str, job: &CreateTrainingJobRequest, name: &str) -> String {
    request::below_job(job, path, name).map_or_else(|_| path.to_owned(), |place| place.to_string())
}

/// Fills in what was not given, or given as nothing.
fn fill(content: &mut Value, name: &str, value: &str) {
    if content[name].as_str().is_none_or(str::is_empty) {
        content[name] = json!(value);
    }
}

fn input_data_config(job: &CreateTrainingJobRequest) -> Value {
    let mut channels = serde_json::Map::new();
    for channel in job.input_data_config.iter().flatten() {
        let mut entry = json!({
            "TrainingInputMode": shown_mode(job, channel),
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

/// FastFile channels are files to the container, and are called so in the
/// cloud's current form of this file, since algorithms check for modes that
/// they know.
fn shown_mode(job: &CreateTrainingJobRequest, channel: &Channel) -> &'static str {
    match mode(job, channel) {
        TrainingInputMode::Pipe => "Pipe",
        _ => "File",
    }
}

fn distribution(channel: &Channel) -> &'static str {
    let source = channel.data_source.s3_data_source.as_ref();
    source
        .and_then(|s| s.s3_data_distribution_type)
        .map_or("FullyReplicated", |kind| kind.as_str())
}

/// Hosts are listed in the order of their names as text, as the cloud does.
fn resource_config(seat: &Seat<'_>) -> Value {
    let own = seat.hosts.get(seat.own);
    let names = |group: Option<&str>| {
        let members = seat.hosts.iter();
        let members = members.filter(|host| group.is_none_or(|group| host.group == group));
        let mut names: Vec<_> = members.map(|host| host.name.as_str()).collect();
        names.sort_unstable();
        names
    };
    let mut groups: Vec<Value> = Vec::new();
    for host in seat.hosts {
        if !groups
            .iter()
            .any(|group| group["instance_group_name"] == *host.group)
        {
            groups.push(json!({
                "hosts": names(Some(&host.group)),
                "instance_group_name": host.group,
                "instance_type": host.instance_type,
            }));
        }
    }
    json!({
        "current_group_name": own.map(|host| &host.group),
        "current_host": own.map(|host| &host.name),
        "current_instance_type": own.map(|host| host.instance_type),
        "hosts": names(None),
        "instance_groups": groups,
        "network_interface_name": null,
    })
}

/// The platform's own view of the channels, in its own spelling.
fn init_config(job: &CreateTrainingJobRequest, seat: &Seat<'_>) -> Value {
    let channels = job.input_data_config.iter().flatten();
    let channels: serde_json::Map<String, Value> = channels
        .map(|channel| (channel.channel_name.clone(), init_channel(job, channel)))
        .collect();
    let of_job = job
        .algorithm_specification
        .as_ref()
        .map(|a| a.training_input_mode);
    json!({
        "inputMode": of_job.map(|mode| shouted(mode.as_str())),
        "channels": channels,
        "checkpointChannel": checkpoint_channel(job),
        "hostConfig": {"clusterSize": seat.hosts.len(), "hostNumber": seat.own + 1},
        "enableAdditionalPlatformLoggingForCustomer": false,
        "jobRunInfo": {"jobRunNumber": seat.attempt},
    })
}

fn init_channel(job: &CreateTrainingJobRequest, channel: &Channel) -> Value {
    let compression = channel
        .compression_type
        .map_or("None", |kind| kind.as_str());
    let wrapper = channel
        .record_wrapper_type
        .map_or("None", |kind| kind.as_str());
    let shuffle = channel.shuffle_config.as_ref();
    json!({
        "s3DataSource": channel.data_source.s3_data_source.as_ref().map(init_source),
        "fileSystemDataSource": channel.data_source.file_system_data_source.as_ref().map(|source| {
            json!({
                "fileSystemId": source.file_system_id,
                "fileSystemType": shouted(source.file_system_type.as_str()),
                "fileSystemAccessMode": shouted(source.file_system_access_mode.as_str()),
                "directoryPath": source.directory_path,
            })
        }),
        "compressionType": shouted(compression),
        "recordWrapper": shouted(wrapper),
        "shuffleConfig": shuffle.map(|shuffle| json!({"seed": shuffle.seed})),
        "inputMode": shouted(mode(job, channel).as_str()),
        "sharded": distribution(channel) == "ShardedByS3Key",
    })
}

fn init_source(source: &S3DataSource) -> Value {
    let distribution = source
        .s3_data_distribution_type
        .map_or("FullyReplicated", |kind| kind.as_str());
    json!({
        "s3DataType": shouted(source.s3_data_type.as_str()),
        "s3Uri": source.s3_uri,
        "s3DataDistributionType": shouted(distribution),
        "attributeNames": source.attribute_names,
    })
}

/// The place of the checkpoints, as one more channel, which may be empty.
fn checkpoint_channel(job: &CreateTrainingJobRequest) -> Option<Value> {
    let config = job.checkpoint_config.as_ref()?;
    Some(json!({
        "name": "checkpoints",
        "channel": {
            "s3DataSource": {
                "s3DataType": "S3_PREFIX",
                "s3Uri": config.s3_uri,
                "s3DataDistributionType": null,
                "attributeNames": null,
            },
            "fileSystemDataSource": null,
            "compressionType": null,
            "recordWrapper": null,
            "shuffleConfig": null,
            "inputMode": "FILE",
            "sharded": false,
        },
        "outputPath": checkpoint_config(job)?["LocalPath"],
        "allowEmpty": true,
    }))
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
    for (member, file) in [
        ("DebugHookConfig", debug_hook_config(job)),
        ("CheckpointConfig", checkpoint_config(job)),
        ("TensorBoardOutputConfig", tensor_board_output_config(job)),
    ] {
        if let Some(file) = file {
            content[member] = file;
        }
    }
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
    use super::super::hosts::hosts;
    use super::*;

    #[test]
    fn every_host_is_told_of_all_groups() {
        let resources = json!({"InstanceGroups": [
            {"InstanceGroupName": "a", "InstanceType": "ml.m5.large", "InstanceCount": 2},
            {"InstanceGroupName": "b", "InstanceType": "ml.c5.xlarge", "InstanceCount": 8},
        ]});
        let hosts = hosts(Some(&serde_json::from_value(resources).unwrap()));
        let seat = Seat {
            hosts: &hosts,
            own: 1,
            attempt: 1,
        };
        let first: Vec<_> = ["algo-1", "algo-2"].into();
        let second: Vec<_> = (3..=10).map(|n| format!("algo-{n}")).collect();
        let mut sorted = second.clone();
        sorted.sort();
        let mut all = [first.iter().map(ToString::to_string).collect(), second].concat();
        all.sort();
        let expected = json!({
            "current_group_name": "a",
            "current_host": "algo-2",
            "current_instance_type": "ml.m5.large",
            "hosts": all,
            "instance_groups": [
                {"hosts": first, "instance_group_name": "a", "instance_type": "ml.m5.large"},
                {"hosts": sorted, "instance_group_name": "b", "instance_type": "ml.c5.xlarge"},
            ],
            "network_interface_name": null,
        });
        assert_eq!(resource_config(&seat), expected);
        assert_eq!(all[1], "algo-10");
    }

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
