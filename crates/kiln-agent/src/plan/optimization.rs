//! The plan of an optimization job.

use std::collections::BTreeMap;

use kiln_optimize::Technique;
use serde::{Deserialize, Serialize};

use super::Assignment;
use crate::runtime::Limits;

/// The only instance of an optimization job: it fetches a model, has one container after
/// another work on it, each on what the one before has made, and stores what the last
/// one left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OptimizationPlan {
    /// Which instance it is, and how it reaches the control plane and the data.
    #[serde(flatten)]
    pub assignment: Assignment,
    /// The model's files.
    pub model: PrefixPlan,
    /// Where the optimized model's files go, directly below it.
    pub output: PrefixPlan,
    /// The KMS key to encrypt them with.
    pub kms_key: Option<String>,
    /// What is done, in order.
    pub steps: Vec<StepPlan>,
    /// `DeploymentInstanceType`.
    pub deployment: String,
    /// What a container may use.
    pub limits: Limits,
    /// Seconds from the beginning of the work to the time limit.
    pub max_runtime_seconds: u64,
}

/// All objects whose keys begin so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrefixPlan {
    /// The bucket.
    pub bucket: String,
    /// The prefix, with its slash at the end unless it is empty.
    pub prefix: String,
}

/// One `OptimizationConfig`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepPlan {
    /// Which of its members was given.
    pub technique: Technique,
    /// The image that does it; without one, Kiln itself.
    pub image: Option<String>,
    /// `OptimizationEnvironment` with the step's `OverrideEnvironment` over it.
    pub environment: BTreeMap<String, String>,
    /// Texts or tokens to calibrate with.
    pub calibration: Option<PrefixPlan>,
}
