//! The plan of a compilation job.

use kiln_compile::Order;
use serde::{Deserialize, Serialize};

use super::Assignment;
use crate::runtime::Limits;

/// The only instance of one attempt of a compilation job: it fetches an archive, has
/// it compiled in a container without network and without keys, and stores what came
/// of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CompilationPlan {
    /// Which instance it is, and how it reaches the control plane and the data.
    #[serde(flatten)]
    pub assignment: Assignment,
    /// The model's archive.
    pub input: ObjectPlan,
    /// Where the artifact goes.
    pub output: ObjectPlan,
    /// The KMS key to encrypt the artifact with.
    pub kms_key: Option<String>,
    /// What is to be compiled, how, and for what.
    pub order: Order,
    /// What compiles in place of Kiln, for a target that only its maker's compiler builds
    /// for.
    pub vendor: Option<VendorPlan>,
    /// What the container may use.
    pub limits: Limits,
    /// Seconds from the beginning of the work to the time limit.
    pub max_runtime_seconds: u64,
}

/// An image that compiles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VendorPlan {
    /// Its name.
    pub image: String,
    /// The target, as the artifact's name has it.
    pub target: String,
}

/// One object of S3.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectPlan {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
}
