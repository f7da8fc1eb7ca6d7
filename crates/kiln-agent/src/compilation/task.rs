//! What the compiling container is told, and what it answers: three files.

use std::collections::BTreeMap;
use std::path::PathBuf;

use kiln_compile::Order;
use serde::{Deserialize, Serialize};

/// The artifact's name in the output directory.
pub const ARTIFACT: &str = "artifact.tar.gz";
/// The name of the [`Findings`] there.
pub const COMPILED: &str = "compiled.json";

/// What a container is to compile, and with what. All paths are absolute, and as the
/// container sees them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// What is asked for.
    pub order: Order,
    /// The model's archive, read-only.
    pub archive: PathBuf,
    /// An empty directory for what is needed on the way.
    pub scratch: PathBuf,
    /// An empty directory for [`ARTIFACT`] and [`COMPILED`], or the reason for a failure.
    pub output: PathBuf,
    /// The directories of the environments that are ready, by their names.
    pub environments: BTreeMap<String, PathBuf>,
    /// The directory of the target's parts, for a target that has some.
    pub parts: Option<PathBuf>,
}

/// What a compilation has found out about its model.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Findings {
    /// The `DataInputConfig` that was derived from the model, where it could be.
    pub derived_data_input_config: Option<String>,
}
