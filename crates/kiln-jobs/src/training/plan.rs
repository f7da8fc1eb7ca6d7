//! From an accepted request to an instance plan.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use kiln_agent::cluster::Cluster;
use kiln_agent::plan::{
    DirectoryPlan, InstancePlan, Keys, MetricPlan, OutputPlan, ProfilePlan, SynchronisedPlan,
};
use kiln_agent::runtime::{NetworkPolicy, Start};
use kiln_agent::ssh::ClusterKey;
use kiln_data::channel::Channel;
use kiln_engine::Claim;
use kiln_model::api::{
    AlgorithmSpecification, CreateTrainingJobRequest, OutputCompressionType, TrainingInputMode,
};
use kiln_model::{Arn, S3Uri};

use super::config_files::{Seat, config_files};
use super::describe::output_prefix;
use super::hosts::{self, HostSpec};
use super::request::{self, Input, Place, Synchronised};
use crate::Settings;

/// Seconds between SIGTERM and SIGKILL.
pub(super) const GRACE: u64 = 120;
/// Bytes of a volume's gigabyte, which is a GiB.
pub(super) const GIGABYTE: u64 = 1 << 30;

/// What a plan needs beyond the request.
pub(crate) struct Placement<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) arn: &'a Arn,
    pub(crate) cluster: Cluster,
    pub(crate) cluster_key: Option<ClusterKey>,
    /// Which attempt of the job this is, from 1.
    pub(crate) attempt: u32,
    pub(crate) token: &'a str,
    pub(crate) server: String,
    /// The keys of the container's code.
    pub(crate) keys: Keys,
    /// The agent's own.
    pub(crate) agent_keys: Keys,
    pub(crate) claim: Claim,
    /// What the host has from the jobs that had its warm pool before.
    pub(crate) warm_pool_cache: Option<PathBuf>,
    /// For how long the work may still run.
    pub(crate) runtime: Duration,
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
        cluster,
        cluster_key,
        attempt,
        token,
        server,
        keys,
        agent_keys,
        claim,
        warm_pool_cache,
        runtime,
    } = placement;
    let hosts = hosts::hosts(job.resource_config.as_ref());
    let own = cluster.hosts.get(cluster.own);
    let instance = own.map(|host| host.instance.clone()).unwrap_or_default();
    let algorithm = job.algorithm_specification.clone().unwrap_or_else(|| {
        // Acceptance requires it; an empty one names no image and fails as such.
        AlgorithmSpecification::new(TrainingInputMode::File)
    });
    let (channels, directories) = inputs(job, &hosts, cluster.own, settings)?;
    let metrics = algorithm.metric_definitions.iter().flatten();
    Ok(InstancePlan {
        assignment: settings.assignment(instance, token.to_owned(), server, agent_keys),
        keys,
        image: algorithm.training_image.clone().unwrap_or_default(),
        start: Start {
            entrypoint: algorithm.container_entrypoint.clone(),
            arguments: algorithm.container_arguments.clone(),
        },
        environment: environment(job, arn, settings, cluster.name()),
        config: config_files(
            job,
            arn,
            &Seat {
                hosts: &hosts,
                own: cluster.own,
                attempt,
            },
        ),
        cluster,
        cluster_key,
        channels,
        directories,
        outputs: outputs(job)?,
        synchronised: synchronised(job)?,
        volume_bytes: volume_bytes(job),
        metrics: metrics
            .map(|metric| MetricPlan {
                name: metric.name.clone(),
                regex: metric.regex.clone(),
            })
            .collect(),
        limits: claim.limits,
        gpus: claim.gpus,
        warm_pool_cache,
        rule: None,
        profile: request::profiling_interval(job).map(|interval_ms| ProfilePlan { interval_ms }),
        network: match job.enable_network_isolation {
            Some(true) => NetworkPolicy::Isolated,
            _ => NetworkPolicy::Open,
        },
        max_runtime_seconds: runtime.as_secs().max(1),
        grace_seconds: GRACE,
    })
}

/// The channels of a host: those that are fetched, and those that are
/// directories of this machine.
fn inputs(
    job: &CreateTrainingJobRequest,
    hosts: &[HostSpec],
    own: usize,
    settings: &Settings,
) -> Result<(Vec<Channel>, Vec<DirectoryPlan>), String> {
    let (mut channels, mut directories) = (Vec::new(), Vec::new());
    let groups: Vec<_> = hosts.iter().map(|host| host.group.as_str()).collect();
    let place = Place {
        index: u32::try_from(own).unwrap_or(u32::MAX),
        groups: &groups,
    };
    for input in request::inputs(job, place)? {
        match input {
            Input::Objects(channel) => channels.push(channel),
            Input::Directory {
                channel,
                file_system,
                path,
                read_only,
            } => {
                let mapped = settings.file_system(&file_system).ok_or_else(|| {
                    format!("the file system {file_system} is not configured any more")
                })?;
                directories.push(DirectoryPlan {
                    name: channel,
                    root: mapped.path.clone(),
                    path,
                    read_only: read_only || mapped.read_only,
                });
            }
        }
    }
    Ok((channels, directories))
}

fn outputs(job: &CreateTrainingJobRequest) -> Result<OutputPlan, String> {
    let place: S3Uri = output_prefix(job)
        .parse()
        .map_err(|_| "no output location".to_owned())?;
    let config = &job.output_data_config;
    Ok(OutputPlan {
        bucket: place.bucket().to_owned(),
        prefix: place.key().to_owned(),
        compressed: config.compression_type != Some(OutputCompressionType::None),
        kms_key: config.kms_key_id.clone().filter(|key| !key.is_empty()),
    })
}

fn synchronised(job: &CreateTrainingJobRequest) -> Result<Vec<SynchronisedPlan>, String> {
    let all = request::synchronised(job)?.into_iter();
    let plan = |one: Synchronised| SynchronisedPlan {
        path: one.path.into(),
        bucket: one.place.bucket().to_owned(),
        prefix: one.place.key().trim_end_matches('/').to_owned(),
        kept: one.kept,
    };
    Ok(all.map(plan).collect())
}

fn volume_bytes(job: &CreateTrainingJobRequest) -> u64 {
    let resources = job.resource_config.as_ref();
    let gigabytes = resources.and_then(|resources| resources.volume_size_in_gb);
    // Without a size, or with none to speak of, there is no volume of its own.
    let gigabytes = gigabytes.filter(|gigabytes| *gigabytes > 0);
    gigabytes.map_or(u64::MAX, |gigabytes| {
        u64::from(gigabytes.unsigned_abs()) * GIGABYTE
    })
}

fn environment(
    job: &CreateTrainingJobRequest,
    arn: &Arn,
    settings: &Settings,
    host: &str,
) -> BTreeMap<String, String> {
    let ours = [
        ("AWS_EXECUTION_ENV", "AWS_ECS_EC2".to_owned()),
        ("AWS_REGION", settings.identity.region.to_string()),
        ("HOSTNAME", host.to_owned()),
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
