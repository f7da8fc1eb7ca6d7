//! The plan of an optimization job.

use std::collections::BTreeMap;

use kiln_data::channel::Source;
use kiln_optimize::Technique;
use serde::{Deserialize, Serialize};

use super::{Assignment, Keys, ObjectPlan};
use crate::runtime::Limits;

/// The only instance of an optimization job: it fetches a model, has one container after
/// another work on it, each on what the one before has made, and stores what the last
/// one left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OptimizationPlan {
    /// Which instance it is, and how it reaches the control plane and the data.
    #[serde(flatten)]
    pub assignment: Assignment,
    /// Where the model is.
    pub model: ModelPlan,
    /// Where the optimized model's files go, directly below it.
    pub output: PrefixPlan,
    /// The KMS key to encrypt them with.
    pub kms_key: Option<String>,
    /// What is done, in order.
    pub steps: Vec<StepPlan>,
    /// `DeploymentInstanceType`.
    pub deployment: String,
    /// The job's own keys, which the containers of custom images are given.
    pub keys: Keys,
    /// What a container may use.
    pub limits: Limits,
    /// The machine's GPUs that are its own, by number.
    pub gpus: Vec<u32>,
    /// Seconds from the beginning of the work to the time limit, whichever agent began it.
    pub max_runtime_seconds: u64,
    /// The number of the last report that the control plane has of the instance. A machine
    /// that lost its power may have lost that report.
    #[serde(default)]
    pub reported: u64,
    /// Whether nothing is to be done but to take back what agents before have stored.
    #[serde(default)]
    pub takes_back: bool,
}

/// What a model comes as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelPlan {
    /// Its files, each an object.
    Files(PrefixPlan),
    /// One `.tar.gz` of its files.
    Archive(ObjectPlan),
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
    /// Texts or tokens to calibrate with, or to train with.
    pub calibration: Option<Source>,
}
