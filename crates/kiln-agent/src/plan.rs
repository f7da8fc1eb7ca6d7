//! The instance plan: everything an agent needs to know, in one file.
//!
//! A plan is written once, by the engine that places the instance, into the
//! instance's own directory, readable by nobody else since it holds keys.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::image::table::Entry;
use crate::runtime::{ControlAddress, Limits, NetworkPolicy, Start};

/// The plan's name in the instance's directory.
pub const PLAN_FILE: &str = "plan.json";

/// The container's own files, in the instance's directory.
pub const SCRATCH: &str = "sandbox";

/// One instance's part in one attempt of a training job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InstancePlan {
    /// The instance, unique for ever; also its containers' id.
    pub instance: String,
    /// Shown to the control plane with every report.
    pub token: String,
    /// Where the control plane answers.
    pub control: ControlAddress,
    /// The directory that holds `images/` and is never shown to a job.
    pub data_dir: PathBuf,
    /// Where framework environments are kept between jobs.
    pub cache_dir: PathBuf,
    /// Additions to the image table, which win over the built-in ones.
    pub images: Vec<Entry>,
    /// A configured container engine's socket.
    pub engine_socket: Option<PathBuf>,
    /// The region, as `AWS_REGION` says it.
    pub region: String,
    /// The job's own keys.
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
    /// This host's name in the cluster, such as `algo-1`.
    pub host: String,
    /// Input channels, in the request's order.
    pub channels: Vec<ChannelPlan>,
    /// Where the archives of `/opt/ml/model` and `/opt/ml/output/data` go.
    pub outputs: OutputPlan,
    /// Lines that match become metrics.
    pub metrics: Vec<MetricPlan>,
    /// What the container may use.
    pub limits: Limits,
    /// What the container may reach.
    pub network: NetworkPolicy,
    /// Seconds from the first download to the time limit.
    pub max_runtime_seconds: u64,
    /// Seconds between SIGTERM and SIGKILL.
    pub grace_seconds: u64,
}

/// A job's short-lived keys.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keys {
    /// The access key's id.
    pub access_key: String,
    /// Its secret.
    pub secret_key: String,
    /// The session token that goes with them.
    pub session_token: String,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys")
            .field("access_key", &self.access_key)
            .finish_non_exhaustive()
    }
}

/// One File-mode channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelPlan {
    /// The channel's name and directory.
    pub name: String,
    /// The bucket.
    pub bucket: String,
    /// The string prefix of the keys.
    pub prefix: String,
}

/// Where outputs go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputPlan {
    /// The bucket.
    pub bucket: String,
    /// The key prefix, ending in `/output/`, to which archive names are added.
    pub prefix: String,
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

impl InstancePlan {
    /// Reads the plan of the instance whose directory this is.
    ///
    /// # Errors
    /// When the file cannot be read or is no plan.
    pub fn read(directory: &Path) -> std::io::Result<Self> {
        let text = std::fs::read(directory.join(PLAN_FILE))?;
        serde_json::from_slice(&text).map_err(std::io::Error::from)
    }

    /// Writes the plan into the instance's directory, mode 0600.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, directory: &Path) -> std::io::Result<()> {
        use std::io::Write;
        use std::os::unix::fs::OpenOptionsExt;
        let text = serde_json::to_vec(self)?;
        let mut options = std::fs::OpenOptions::new();
        let path = directory.join(PLAN_FILE);
        options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(path)?
            .write_all(&text)
    }
}
