//! Why a request for a compilation is refused.

use crate::framework::Framework;
use crate::input_config::InputConfigError;
use crate::options::OptionsError;
use crate::target::TargetError;

/// Why an order was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// No framework has that name.
    #[error("Framework {0} is not known")]
    Framework(String),

    /// A version whose models are not read.
    #[error("FrameworkVersion {version} is not supported for {}. Supported versions: {accepted}", .framework.name())]
    Version {
        /// The framework.
        framework: Framework,
        /// What was given.
        version: String,
        /// What could have been.
        accepted: String,
    },

    /// Neither a device nor a platform.
    #[error("OutputConfig must have either TargetDevice, or TargetPlatform with Os and Arch")]
    NoTarget,

    /// A device and a platform.
    #[error("OutputConfig must not have both TargetDevice and TargetPlatform")]
    TwoTargets,

    /// The target is not known, or nothing can be built for it.
    #[error(transparent)]
    Target(#[from] TargetError),

    /// Models of that framework cannot be built for the target.
    #[error("Framework {} is not supported for {target}. {reason}", .framework.name())]
    Combination {
        /// The framework.
        framework: Framework,
        /// The target's name.
        target: String,
        /// Why, and what could be.
        reason: &'static str,
    },

    /// Nothing is said of the inputs, and the model says nothing either.
    #[error("DataInputConfig is required for {}, whose models do not tell the shapes of their inputs", .0.name())]
    NoInputs(Framework),

    /// What is said of the inputs is broken.
    #[error(transparent)]
    Inputs(#[from] InputConfigError),

    /// The compiler options are broken, or do not fit.
    #[error(transparent)]
    Options(#[from] OptionsError),
}
