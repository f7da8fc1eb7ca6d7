//! What one step of an optimization job was asked for, in the request's own words.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Which member of `OptimizationConfig` a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Technique {
    /// `ModelQuantizationConfig`.
    Quantization,
    /// `ModelCompilationConfig`.
    Compilation,
    /// `ModelShardingConfig`.
    Sharding,
    /// `ModelSpeculativeDecodingConfig`.
    SpeculativeDecoding,
}

/// What is to be done with a model. Nothing in it is checked yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The step's kind.
    pub technique: Technique,
    /// `OptimizationEnvironment` with the step's `OverrideEnvironment` over it:
    /// `OPTION_*` and whatever else was given.
    pub environment: BTreeMap<String, String>,
    /// `DeploymentInstanceType`: where the result is meant to run.
    pub deployment: String,
}

/// An order, and the directories it is about. All paths are absolute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// What is asked for.
    pub order: Order,
    /// The model's directory, read-only.
    pub model: PathBuf,
    /// The directory of texts or tokens to calibrate with, read-only, where there is one.
    pub calibration: Option<PathBuf>,
    /// A directory whose contents outlast a crash: where a calibration goes on from.
    pub scratch: PathBuf,
    /// An empty directory for the optimized model.
    pub output: PathBuf,
}
