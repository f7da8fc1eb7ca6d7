//! What a compilation is asked for: the request's own words, not yet understood.

use serde::{Deserialize, Serialize};

/// The strings of a request, as it has them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The framework that the model is in, such as `XGBOOST`.
    pub framework: String,
    /// The framework's version.
    pub framework_version: Option<String>,
    /// Names and shapes of the model's inputs.
    pub data_input_config: Option<String>,
    /// The device to compile for, such as `ml_c5`.
    pub target_device: Option<String>,
    /// The operating system to compile for, where no device is named.
    pub target_os: Option<String>,
    /// The processor's architecture that goes with it.
    pub target_arch: Option<String>,
    /// The accelerator that goes with them.
    pub target_accelerator: Option<String>,
    /// Options for the compiler.
    pub compiler_options: Option<String>,
}
