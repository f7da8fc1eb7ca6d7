//! The job kinds: semantic validation, state machines, and recovery after a
//! crash. No sockets, no processes: the world is reached through the store, an
//! engine and a view of the buckets.

mod keys;
pub mod training;

pub use keys::{JobSession, SessionKeys};

use std::path::PathBuf;

use async_trait::async_trait;
use kiln_engine::EngineError;
use kiln_model::{AccountId, Region};
use kiln_store::StoreError;

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
}

/// What job rules need to know about S3.
#[async_trait]
pub trait Buckets: Send + Sync {
    /// Whether there is such a bucket.
    async fn exists(&self, bucket: &str) -> Result<bool, String>;
    /// Whether any key starts with the prefix.
    async fn any_object(&self, bucket: &str, prefix: &str) -> Result<bool, String>;
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
