//! The job kinds: semantic validation, state machines, and recovery after a
//! crash. No sockets, no processes: the world is reached through the store, an
//! engine and a view of the buckets.

pub mod compilation;
mod jobs;
mod keys;
pub mod models;
pub mod optimization;
mod plane;
mod roles;
mod scope;
mod solo;
mod tags;
#[cfg(test)]
mod test_machine;
pub mod training;

pub use jobs::Jobs;
pub use keys::{JobSession, Party, SessionKeys};
pub use plane::{ReportError, Session};
pub use roles::{CreatedRole, policies};
pub use scope::{Access, Scope};
pub use tags::check_tag_keys;

use std::collections::BTreeMap;
use std::path::PathBuf;

use async_trait::async_trait;
use kiln_agent::plan::{Assignment, FastFile, Keys, Site, StorePlan};
use kiln_engine::EngineError;
use kiln_model::{AccountId, Region};
use kiln_store::StoreError;
use serde::Deserialize;

/// Who and where this control plane is.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The region in ARNs.
    pub region: Region,
    /// The account in ARNs.
    pub account: AccountId,
}

/// What every plan of this control plane has in common.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Region and account.
    pub identity: Identity,
    /// Where agents find the control plane.
    pub control: kiln_agent::runtime::ControlAddress,
    /// The server's data directory.
    pub data_dir: PathBuf,
    /// Where framework environments are kept.
    pub cache_dir: PathBuf,
    /// Additions to the image table.
    pub images: Vec<kiln_agent::image::table::Entry>,
    /// A configured container engine's socket.
    pub engine_socket: Option<PathBuf>,
    /// What the machine that runs the jobs may lack.
    pub tolerance: kiln_agent::runtime::embedded::Tolerance,
    /// Whether somebody listens to the changes of jobs.
    pub announced: bool,
    /// Whether spot jobs are interrupted when others wait for their room.
    pub preempt_spot: bool,
    /// The images that compile for targets that only their makers' compilers build for, by
    /// the targets' names.
    pub compiler_images: BTreeMap<String, String>,
    /// The image that trains EAGLE heads.
    pub eagle_image: Option<String>,
    /// Host directories that stand for file systems.
    pub file_systems: Vec<FileSystem>,
    /// What becomes of FastFile channels.
    pub fast_file: FastFile,
    /// The S3 that jobs use instead of the embedded one, and as whom.
    pub external_store: Option<StorePlan>,
}

impl Settings {
    /// What stands for a file system.
    #[must_use]
    pub fn file_system(&self, id: &str) -> Option<&FileSystem> {
        self.file_systems.iter().find(|one| one.id == id)
    }

    /// Which instance an agent is to live, and how it reaches the control plane and,
    /// with these keys, the data.
    fn assignment(
        &self,
        instance: String,
        token: String,
        server: String,
        agent_keys: Keys,
    ) -> Assignment {
        Assignment {
            instance,
            token,
            server,
            site: self.site(),
            store: self.store(agent_keys),
        }
    }

    /// What all plans have of the settings.
    fn site(&self) -> Site {
        Site {
            control: self.control.clone(),
            data_dir: self.data_dir.clone(),
            cache_dir: self.cache_dir.clone(),
            images: self.images.clone(),
            engine_socket: self.engine_socket.clone(),
            tolerance: self.tolerance,
            region: self.identity.region.to_string(),
            fast_file: self.fast_file,
        }
    }

    /// The agent's way to the data: as the control plane's own guest, or as whoever
    /// configuration names in another S3.
    fn store(&self, agent_keys: Keys) -> StorePlan {
        self.external_store.clone().unwrap_or(StorePlan {
            endpoint: None,
            region: self.identity.region.to_string(),
            keys: agent_keys,
        })
    }
}

/// A host directory that stands for a file system of EFS or FSx.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSystem {
    /// The file system's id, such as `fs-0123456789abcdef0`.
    pub id: String,
    /// The host directory.
    pub path: PathBuf,
    /// Whether no job may write to it, whatever it asks for.
    #[serde(default)]
    pub read_only: bool,
}

/// What job rules need to know about S3.
#[async_trait]
pub trait Buckets: Send + Sync {
    /// Whether there is such a bucket.
    async fn exists(&self, bucket: &str) -> Result<bool, BucketsError>;
    /// The first of the keys that start with the prefix.
    async fn first_key(&self, bucket: &str, prefix: &str) -> Result<Option<String>, BucketsError>;
}

/// Why a bucket cannot be looked into.
#[derive(Debug, thiserror::Error)]
pub enum BucketsError {
    /// The store lets nobody look who has the keys that Kiln has.
    #[error("access is denied")]
    Denied,
    /// The store failed; the text is for the server's log.
    #[error("the object store cannot be asked: {0}")]
    Failed(String),
}

/// Why a request about a job is refused. Each is one of AWS's error codes, and
/// reads as AWS's message.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// `ValidationException`.
    #[error("{0}")]
    Validation(String),
    /// `ResourceInUse`.
    #[error("{0}")]
    InUse(String),
    /// `ResourceNotFound`.
    #[error("{0}")]
    NotFound(String),
    /// `ResourceLimitExceeded`.
    #[error("{0}")]
    LimitExceeded(String),
    /// `InternalFailure`: our fault; the text is for the server's log.
    #[error("{0}")]
    Internal(String),
}

impl JobError {
    /// What AWS says of a training job that does not exist.
    pub(crate) fn missing() -> Self {
        Self::Validation("Requested resource not found.".to_owned())
    }
}

impl From<StoreError> for JobError {
    fn from(error: StoreError) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<kiln_store::SqliteError> for JobError {
    fn from(error: kiln_store::SqliteError) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<serde_json::Error> for JobError {
    fn from(error: serde_json::Error) -> Self {
        Self::Internal(format!("a stored document is damaged: {error}"))
    }
}

impl From<EngineError> for JobError {
    fn from(error: EngineError) -> Self {
        Self::Internal(error.to_string())
    }
}
