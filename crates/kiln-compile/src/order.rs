//! What a compilation job was asked for, in the request's own words.

use serde::{Deserialize, Serialize};

/// The part of a CreateCompilationJob request that decides what is built.
/// Nothing in it is checked or read yet: checking it comes next.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// `InputConfig.Framework`.
    pub framework: String,
    /// `InputConfig.FrameworkVersion`.
    pub framework_version: Option<String>,
    /// `InputConfig.DataInputConfig`.
    pub data_input_config: Option<String>,
    /// `OutputConfig.TargetDevice`.
    pub target_device: Option<String>,
    /// `OutputConfig.TargetPlatform.Os`.
    pub target_os: Option<String>,
    /// `OutputConfig.TargetPlatform.Arch`.
    pub target_arch: Option<String>,
    /// `OutputConfig.TargetPlatform.Accelerator`.
    pub target_accelerator: Option<String>,
    /// `OutputConfig.CompilerOptions`.
    pub compiler_options: Option<String>,
}
