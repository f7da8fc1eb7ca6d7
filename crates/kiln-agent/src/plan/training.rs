//! The plan of one host of a training job, or of a rule that watches one.

use std::collections::BTreeMap;
use std::path::PathBuf;

use kiln_data::channel::Channel;
use serde::{Deserialize, Serialize};

use super::{Assignment, Keys};
use crate::cluster::Cluster;
use crate::runtime::{Limits, NetworkPolicy, Start};
use crate::ssh::ClusterKey;

/// One instance's part in one attempt of a training job.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct InstancePlan {
    /// Which instance it is, and how it reaches the control plane and the data.
    #[serde(flatten)]
    pub assignment: Assignment,
    /// The job's own keys, which its container is given.
    pub keys: Keys,
    /// The training image as the request names it.
    pub image: String,
    /// The container's entrypoint and arguments, when the request has them.
    pub start: Start,
    /// The container's environment, without the keys and endpoints that the
    /// agent adds.
    pub environment: BTreeMap<String, String>,
    /// Files under `/opt/ml/input/config`, by name.
    pub config: BTreeMap<String, serde_json::Value>,
    /// The job's hosts, and which of them this is.
    pub cluster: Cluster,
    /// By which the hosts let each other in; a host that is alone has none.
    #[serde(default)]
    pub cluster_key: Option<ClusterKey>,
    /// Input channels, in the request's order.
    pub channels: Vec<Channel>,
    /// Channels that are directories of this host.
    pub directories: Vec<DirectoryPlan>,
    /// Where the archives of `/opt/ml/model` and `/opt/ml/output/data` go.
    pub outputs: OutputPlan,
    /// Directories that are kept in step with S3.
    pub synchronised: Vec<SynchronisedPlan>,
    /// Bytes that the job may fill on this host's disk.
    pub volume_bytes: u64,
    /// Lines that match become metrics.
    pub metrics: Vec<MetricPlan>,
    /// What the instance evaluates, if it is no host of the job but one of its rules.
    #[serde(default)]
    pub rule: Option<RulePlan>,
    /// What the profiler measures, if anything.
    #[serde(default)]
    pub profile: Option<ProfilePlan>,
    /// What the container may use.
    pub limits: Limits,
    /// The machine's GPUs that are its own, by number.
    pub gpus: Vec<u32>,
    /// A directory that outlives the job, for the jobs that get its warm pool.
    pub warm_pool_cache: Option<PathBuf>,
    /// What the container may reach.
    pub network: NetworkPolicy,
    /// Seconds from the first download to the time limit.
    pub max_runtime_seconds: u64,
    /// Seconds between SIGTERM and SIGKILL.
    pub grace_seconds: u64,
}

/// The rest holds what the job keeps secret: keys, variables, hyperparameters.
impl std::fmt::Debug for InstancePlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InstancePlan")
            .field("instance", &self.assignment.instance)
            .field("image", &self.image)
            .field("host", &self.cluster.name())
            .finish_non_exhaustive()
    }
}

/// A channel that is a directory of this host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryPlan {
    /// The channel's name.
    pub name: String,
    /// The host directory that stands for the file system.
    pub root: PathBuf,
    /// The path in the file system, with a slash before it.
    pub path: String,
    /// Whether the job may not write to it.
    pub read_only: bool,
}

/// A directory of the container that is kept in step with S3.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SynchronisedPlan {
    /// The absolute path in the container.
    pub path: PathBuf,
    /// The bucket.
    pub bucket: String,
    /// The key prefix, without a slash at its end.
    pub prefix: String,
    /// What it holds.
    pub kept: Kept,
}

/// What a synchronised directory holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kept {
    /// Checkpoints: restored before the start, and deletions follow.
    Checkpoints,
    /// What Debugger or the profiler writes; its readers wait for a file that
    /// says that the job has ended.
    Records,
    /// Event files for TensorBoard.
    Events,
}

/// Where outputs go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputPlan {
    /// The bucket.
    pub bucket: String,
    /// The key prefix, ending in `/output/`, to which archive names are added.
    pub prefix: String,
    /// Whether they become archives, or stay single files.
    pub compressed: bool,
    /// The KMS key to encrypt them with.
    pub kms_key: Option<String>,
}

impl OutputPlan {
    /// The key of one of the outputs.
    #[must_use]
    pub fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
}

/// One metric definition of the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetricPlan {
    /// The metric's name.
    pub name: String,
    /// A regular expression whose first group is the value.
    pub regex: String,
}

/// A rule of Debugger or of the profiler: a container that reads what its job
/// records, stores neither model nor output data, and ends with a verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RulePlan {
    /// What the job records.
    pub records: Vec<RecordsPlan>,
}

/// A directory of the container that follows a place in S3.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordsPlan {
    /// The absolute path in the container.
    pub path: PathBuf,
    /// The bucket.
    pub bucket: String,
    /// The key prefix, without a slash at its end.
    pub prefix: String,
}

/// The profiler's measuring of what the container uses. The records go below
/// `/opt/ml/output/profiler`, which is among [`InstancePlan::synchronised`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfilePlan {
    /// Milliseconds between two measurements.
    pub interval_ms: u64,
}
