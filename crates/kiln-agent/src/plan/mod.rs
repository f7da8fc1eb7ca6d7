//! The plan of an instance: everything an agent needs to know, in one file.
//!
//! A plan is written once, by the engine that places the instance, into the
//! instance's own directory, readable by nobody else since it holds keys. What its
//! work is depends on the job's kind; what it is told of the server, the machine and
//! the store of the data does not.

mod compilation;
mod optimization;
#[cfg(test)]
pub(crate) mod sample;
mod training;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::image::table::Entry;
use crate::runtime::ControlAddress;
use crate::runtime::embedded::Tolerance;

pub use compilation::{CompilationPlan, ObjectPlan, VendorPlan};
pub use optimization::{ModelPlan, OptimizationPlan, PrefixPlan, StepPlan};
pub use training::{
    DirectoryPlan, InstancePlan, Kept, MetricPlan, OutputPlan, ProfilePlan, RecordsPlan, RulePlan,
    SynchronisedPlan,
};

/// The plan's name in the instance's directory.
pub const PLAN_FILE: &str = "plan.json";

/// The container's own files, in the instance's directory.
pub const SCRATCH: &str = "sandbox";

/// The plan of an instance, by the kind of its job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Plan {
    /// A host of a training job, or one of its rules.
    Training(Box<InstancePlan>),
    /// A compilation job.
    Compilation(Box<CompilationPlan>),
    /// An optimization job.
    Optimization(Box<OptimizationPlan>),
}

/// Which instance an agent lives, and how it reaches the control plane and the data.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Assignment {
    /// The instance, unique for ever; also its containers' id.
    pub instance: String,
    /// Shown to the control plane with every report.
    pub token: String,
    /// The identifier that the control plane's answers carry.
    pub server: String,
    /// What is the same for all instances.
    #[serde(flatten)]
    pub site: Site,
    /// Where inputs come from and outputs go, and as whom.
    pub store: StorePlan,
}

/// The rest holds secrets.
impl std::fmt::Debug for Assignment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Assignment")
            .field("instance", &self.instance)
            .finish_non_exhaustive()
    }
}

/// What every instance is told of the server and the machine.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Site {
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
    /// What this machine may lack.
    #[serde(default)]
    pub tolerance: Tolerance,
    /// The region, as `AWS_REGION` says it.
    pub region: String,
    /// What becomes of FastFile channels.
    pub fast_file: FastFile,
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

/// The object store of a job's data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorePlan {
    /// Another S3's URL; without one, the control plane's own.
    pub endpoint: Option<String>,
    /// The region to sign for.
    pub region: String,
    /// The agent's own keys there, which no container sees.
    pub keys: Keys,
}

/// What becomes of FastFile channels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FastFile {
    /// They are file systems that fetch what is read.
    #[default]
    Mount,
    /// They are downloaded whole, and read-only.
    Download,
}

/// The kind that is written in a plan.
#[derive(Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    #[default]
    Training,
    Compilation,
    Optimization,
}

/// A plan of which only the kind is read. Those that were written when there was one
/// kind only say none.
#[derive(Deserialize)]
struct Kinded {
    #[serde(default)]
    kind: Kind,
}

impl Plan {
    /// Which instance it is for, and how that reaches the control plane and the data.
    #[must_use]
    pub fn assignment(&self) -> &Assignment {
        match self {
            Self::Training(plan) => &plan.assignment,
            Self::Compilation(plan) => &plan.assignment,
            Self::Optimization(plan) => &plan.assignment,
        }
    }

    /// Whether it waits for no other instance of its job at its end.
    #[must_use]
    pub fn is_first(&self) -> bool {
        match self {
            Self::Training(plan) => plan.cluster.is_first(),
            Self::Compilation(_) | Self::Optimization(_) => true,
        }
    }

    /// Whether an agent can go on where another one that died was. Otherwise an
    /// instance is lived once.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        matches!(self, Self::Optimization(_))
    }

    /// The number of the last report that is known of the instance.
    #[must_use]
    pub fn reported(&self) -> u64 {
        match self {
            Self::Optimization(plan) => plan.reported,
            Self::Training(_) | Self::Compilation(_) => 0,
        }
    }

    /// Reads the plan of the instance whose directory this is.
    ///
    /// # Errors
    /// When the file cannot be read or is no plan.
    pub fn read(directory: &Path) -> std::io::Result<Self> {
        Ok(Self::of_json(&std::fs::read(directory.join(PLAN_FILE))?)?)
    }

    fn of_json(text: &[u8]) -> serde_json::Result<Self> {
        Ok(match serde_json::from_slice::<Kinded>(text)?.kind {
            Kind::Training => Self::Training(serde_json::from_slice(text)?),
            Kind::Compilation => Self::Compilation(serde_json::from_slice(text)?),
            Kind::Optimization => Self::Optimization(serde_json::from_slice(text)?),
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_plan_is_read_as_it_was_written() {
        let training = Plan::Training(Box::new(sample::plan(2, 1)));
        let compilation = Plan::Compilation(Box::new(sample::compilation()));
        let optimization = Plan::Optimization(Box::new(sample::optimization()));
        for plan in [training, compilation, optimization] {
            let directory = tempfile::tempdir().unwrap();
            plan.write(directory.path()).unwrap();
            let read = Plan::read(directory.path()).unwrap();
            assert!(read == plan, "{read:?}");
        }
    }

    #[test]
    fn a_plan_without_a_kind_is_a_training_jobs() {
        let text = serde_json::to_vec(&sample::plan(1, 0)).unwrap();
        let Plan::Training(plan) = Plan::of_json(&text).unwrap() else {
            panic!("it is none");
        };
        assert_eq!(plan.assignment.instance, "i0");
    }
}
