//! What a training job may ask for of its inputs, and what its channels mean.

use std::collections::HashSet;

use kiln_data::channel::{Mode, Shard, Source};
use kiln_model::S3Uri;
use kiln_model::api::{
    Channel, CompressionType, CreateTrainingJobRequest, FileSystemAccessMode, FileSystemDataSource,
    RecordWrapper, S3DataDistribution, S3DataSource, S3DataType, TrainingInputMode,
};

use super::{has_any, not_yet, parse, refuse_if};
use crate::training::hosts;

/// An input of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Objects of an S3.
    Objects(kiln_data::channel::Channel),
    /// A directory of a file system that configuration maps.
    Directory {
        /// The channel's name.
        channel: String,
        /// The file system, such as `fs-0123456789abcdef0`.
        file_system: String,
        /// The directory in it.
        path: String,
        /// Whether the job may not write to it.
        read_only: bool,
    },
}

/// One host's place among those of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// Which host, from 0.
    pub index: u32,
    /// The instance group of every host, in the hosts' order.
    pub groups: &'a [&'a str],
}

impl Place<'_> {
    /// The group of a cluster that names none.
    pub const HOMOGENEOUS: &'static str = "homogeneousCluster";
    /// The only host of a job with one instance.
    pub const ONLY: Place<'static> = Place {
        index: 0,
        groups: &[Self::HOMOGENEOUS],
    };
}

/// What a host is given as inputs, in the request's order: all channels but
/// those that are for other instance groups.
///
/// # Errors
/// When a channel's location is none, which acceptance rules out.
pub fn inputs(request: &CreateTrainingJobRequest, place: Place<'_>) -> Result<Vec<Input>, String> {
    let channels = request.input_data_config.iter().flatten();
    channels
        .filter_map(|channel| input(request, channel, place).transpose())
        .collect()
}

/// The S3 locations that a request's channels name, in order, each with whether
/// it is a manifest's.
///
/// # Errors
/// When one is no S3 URI.
pub fn locations(request: &CreateTrainingJobRequest) -> Result<Vec<(S3Uri, bool)>, String> {
    let channels = request.input_data_config.iter().flatten();
    let sources = channels.filter_map(|channel| channel.data_source.s3_data_source.as_ref());
    sources
        .map(|source| Ok((parse(&source.s3_uri)?, names_manifest(source))))
        .collect()
}

/// The mode of a channel: its own, or else the job's.
#[must_use]
pub fn mode(request: &CreateTrainingJobRequest, channel: &Channel) -> TrainingInputMode {
    let algorithm = request.algorithm_specification.as_ref();
    channel
        .input_mode
        .or(algorithm.map(|algorithm| algorithm.training_input_mode))
        .unwrap_or(TrainingInputMode::File)
}

/// Whether a source's location is one object that lists the data, and no prefix.
fn names_manifest(source: &S3DataSource) -> bool {
    matches!(
        source.s3_data_type,
        S3DataType::ManifestFile | S3DataType::AugmentedManifestFile
    )
}

fn input(
    request: &CreateTrainingJobRequest,
    channel: &Channel,
    place: Place<'_>,
) -> Result<Option<Input>, String> {
    if let Some(directory) = &channel.data_source.file_system_data_source {
        return Ok(Some(Input::Directory {
            channel: channel.channel_name.clone(),
            file_system: directory.file_system_id.clone(),
            path: directory.directory_path.clone(),
            read_only: directory.file_system_access_mode == FileSystemAccessMode::Ro,
        }));
    }
    let source = objects(channel)?;
    let Some(shard) = shard(source, place) else {
        return Ok(None);
    };
    Ok(Some(Input::Objects(kiln_data::channel::Channel {
        name: channel.channel_name.clone(),
        source: named(source)?,
        shard,
        shuffle: channel
            .shuffle_config
            .as_ref()
            .map(|shuffle| shuffle.seed.cast_unsigned()),
        mode: presented(channel, mode(request, channel)),
    })))
}

/// The part of a source that a host receives; `None` when the channel is for
/// other groups. A sharded channel is divided among those who receive it.
fn shard(source: &S3DataSource, place: Place<'_>) -> Option<Shard> {
    let receives = |group: &str| match source.instance_group_names.as_deref() {
        None | Some([]) => true,
        Some(names) => names.iter().any(|name| name == group),
    };
    let own = *place.groups.get(place.index as usize)?;
    if !receives(own) {
        return None;
    }
    if source.s3_data_distribution_type != Some(S3DataDistribution::ShardedByS3Key) {
        return Some(Shard::WHOLE);
    }
    let receivers = |groups: &[&str]| groups.iter().filter(|group| receives(group)).count() as u32;
    Some(Shard {
        index: receivers(&place.groups[..place.index as usize]),
        count: receivers(place.groups),
    })
}

fn named(source: &S3DataSource) -> Result<Source, String> {
    let uri = parse(&source.s3_uri)?;
    let (bucket, key) = (uri.bucket().to_owned(), uri.key().to_owned());
    Ok(match source.s3_data_type {
        S3DataType::ManifestFile => Source::Manifest { bucket, key },
        S3DataType::AugmentedManifestFile => Source::AugmentedManifest {
            bucket,
            key,
            attributes: source.attribute_names.clone().unwrap_or_default(),
        },
        _ => Source::Prefix {
            bucket,
            prefix: key,
        },
    })
}

fn presented(channel: &Channel, mode: TrainingInputMode) -> Mode {
    match mode {
        TrainingInputMode::FastFile => Mode::FastFile,
        TrainingInputMode::Pipe => Mode::Pipe {
            decompress: channel.compression_type == Some(CompressionType::Gzip),
            record_io: channel.record_wrapper_type == Some(RecordWrapper::RecordIO),
        },
        _ => Mode::File,
    }
}

pub(super) fn the_channels(request: &CreateTrainingJobRequest) -> Result<(), String> {
    let channels: Vec<&Channel> = request.input_data_config.iter().flatten().collect();
    let mut names = HashSet::new();
    for channel in &channels {
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
    let clash = channels
        .iter()
        .find_map(|channel| clash(request, channel, &channels));
    match clash {
        Some((one, other)) => Err(format!(
            "Channel '{one}' cannot be beside channel '{other}', whose files would have its name."
        )),
        None => Ok(()),
    }
}

/// A channel whose directory would have the name of what another one's data
/// are shown as: its manifest, or its pipes.
fn clash<'a>(
    request: &CreateTrainingJobRequest,
    channel: &'a Channel,
    all: &[&'a Channel],
) -> Option<(&'a str, &'a str)> {
    let name = channel.channel_name.as_str();
    let is_beside = |other: &&&Channel| {
        let Some(suffix) = name.strip_prefix(other.channel_name.as_str()) else {
            return false;
        };
        let piped = mode(request, other) == TrainingInputMode::Pipe;
        let is_epoch = |number: &str| {
            !number.is_empty() && number.bytes().all(|letter| letter.is_ascii_digit())
        };
        suffix == "-manifest" || (piped && suffix.strip_prefix('_').is_some_and(is_epoch))
    };
    let other = all.iter().find(is_beside)?;
    Some((name, &other.channel_name))
}

fn the_channel(request: &CreateTrainingJobRequest, channel: &Channel) -> Result<(), String> {
    let (name, mode) = (&channel.channel_name, mode(request, channel));
    let within = |outcome: Result<(), String>| {
        outcome.map_err(|message| format!("Channel '{name}': {message}"))
    };
    within(the_wrapping(channel, mode))?;
    let source = &channel.data_source;
    refuse_if(
        source.dataset_source.is_some(),
        format!("Channel '{name}': {}", not_yet("DatasetSource")),
    )?;
    match (&source.s3_data_source, &source.file_system_data_source) {
        (Some(objects), None) => within(the_objects(request, objects, channel, mode)),
        (None, Some(directory)) => within(the_directory(request, channel, directory, mode)),
        _ => within(Err(
            "give exactly one of S3DataSource and FileSystemDataSource in DataSource.".to_owned(),
        )),
    }
}

fn the_wrapping(channel: &Channel, mode: TrainingInputMode) -> Result<(), String> {
    let piped = mode == TrainingInputMode::Pipe;
    let compressed = channel
        .compression_type
        .is_some_and(|kind| kind != CompressionType::None);
    refuse_if(
        compressed && !piped,
        "CompressionType Gzip is supported only in Pipe mode.",
    )?;
    let wrapped = channel
        .record_wrapper_type
        .is_some_and(|kind| kind != RecordWrapper::None);
    refuse_if(
        wrapped && !piped,
        "RecordWrapperType RecordIO is supported only in Pipe mode.",
    )
}

fn the_objects(
    request: &CreateTrainingJobRequest,
    source: &S3DataSource,
    channel: &Channel,
    mode: TrainingInputMode,
) -> Result<(), String> {
    let uri = parse(&source.s3_uri)?;
    let kind = source.s3_data_type;
    refuse_if(kind == S3DataType::Converse, not_yet("S3DataType Converse"))?;
    refuse_if(
        mode == TrainingInputMode::FastFile && kind != S3DataType::S3Prefix,
        format!("S3DataType {kind} is not supported in FastFile mode, only S3Prefix is."),
    )?;
    let augmented = kind == S3DataType::AugmentedManifestFile;
    refuse_if(
        augmented && mode != TrainingInputMode::Pipe,
        "S3DataType AugmentedManifestFile is supported only in Pipe mode.",
    )?;
    refuse_if(
        augmented && !has_any(&source.attribute_names),
        "AttributeNames are required when S3DataType is AugmentedManifestFile.",
    )?;
    refuse_if(
        !augmented && has_any(&source.attribute_names),
        "AttributeNames are supported only when S3DataType is AugmentedManifestFile.",
    )?;
    refuse_if(
        names_manifest(source) && (uri.key().is_empty() || uri.key().ends_with('/')),
        format!("the S3 URI \"{uri}\" does not name a manifest file."),
    )?;
    refuse_if(
        augmented && channel.compression_type == Some(CompressionType::Gzip),
        "CompressionType Gzip is not supported when S3DataType is AugmentedManifestFile.",
    )?;
    the_groups(request, source)?;
    refuse_if(
        source.hub_access_config.is_some(),
        not_yet("HubAccessConfig"),
    )
}

/// A channel for groups that the job has not would reach no host at all.
fn the_groups(request: &CreateTrainingJobRequest, source: &S3DataSource) -> Result<(), String> {
    let names = source.instance_group_names.iter().flatten();
    let hosts = hosts::hosts(request.resource_config.as_ref());
    let known = |name: &&String| hosts.iter().any(|host| host.group == **name);
    match names.into_iter().find(|name| !known(name)) {
        Some(name) => Err(format!(
            "'{name}' in InstanceGroupNames names no instance group of ResourceConfig."
        )),
        None => Ok(()),
    }
}

fn the_directory(
    request: &CreateTrainingJobRequest,
    channel: &Channel,
    directory: &FileSystemDataSource,
    mode: TrainingInputMode,
) -> Result<(), String> {
    refuse_if(
        mode != TrainingInputMode::File,
        "FileSystemDataSource is supported only in File mode.",
    )?;
    refuse_if(
        channel.shuffle_config.is_some(),
        "ShuffleConfig is not supported with FileSystemDataSource.",
    )?;
    refuse_if(
        request.vpc_config.is_none(),
        "VpcConfig is required when a FileSystemDataSource is used.",
    )?;
    let path = &directory.directory_path;
    refuse_if(
        !path.starts_with('/') || path.split('/').any(|segment| segment == ".."),
        format!("the DirectoryPath \"{path}\" is not an absolute path without '..'."),
    )
}

fn objects(channel: &Channel) -> Result<&S3DataSource, String> {
    channel
        .data_source
        .s3_data_source
        .as_ref()
        .ok_or_else(|| format!("channel '{}' has no source", channel.channel_name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn source(distribution: &str, groups: &[&str]) -> S3DataSource {
        serde_json::from_value(json!({
            "S3DataType": "S3Prefix",
            "S3Uri": "s3://bucket/p",
            "S3DataDistributionType": distribution,
            "InstanceGroupNames": groups,
        }))
        .unwrap()
    }

    #[test]
    fn a_channel_is_divided_among_the_hosts_that_receive_it() {
        let groups = ["a", "b", "a", "b", "a"];
        let cases = [
            ("FullyReplicated", vec![], 3, Some((0, 1))),
            ("FullyReplicated", vec!["a"], 3, None),
            ("FullyReplicated", vec!["a"], 2, Some((0, 1))),
            ("ShardedByS3Key", vec![], 3, Some((3, 5))),
            ("ShardedByS3Key", vec!["a"], 2, Some((1, 3))),
            ("ShardedByS3Key", vec!["b"], 3, Some((1, 2))),
            ("ShardedByS3Key", vec!["b"], 0, None),
            ("ShardedByS3Key", vec!["a", "b"], 4, Some((4, 5))),
            ("ShardedByS3Key", vec![], 5, None),
        ];
        for (distribution, names, index, expected) in cases {
            let place = Place {
                index,
                groups: &groups,
            };
            let shard = shard(&source(distribution, &names), place);
            let found = shard.map(|shard| (shard.index, shard.count));
            assert_eq!(found, expected, "{distribution} {names:?} {index}");
        }
    }
}
