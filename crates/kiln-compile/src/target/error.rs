//! Why nothing can be built for a target.

use super::Arch;

/// Why a target was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// No device has that name.
    #[error("TargetDevice {0} is not known")]
    UnknownDevice(String),

    /// A part of the platform has an unknown name.
    #[error("TargetPlatform has the unknown {part} {name}")]
    UnknownPart {
        /// `Os`, `Arch` or `Accelerator`.
        part: &'static str,
        /// What was given.
        name: String,
    },

    /// Such machines do not exist, or nobody builds for them.
    #[error("TargetPlatform {os} does not support Arch {arch}. Supported are {supported}")]
    Arch {
        /// The operating system.
        os: String,
        /// What was given.
        arch: String,
        /// What could have been, as a list.
        supported: &'static str,
    },

    /// Such machines have no such accelerator.
    #[error("TargetPlatform {os} {arch} does not support Accelerator {accelerator}. {supported}")]
    Accelerator {
        /// The operating system.
        os: String,
        /// The architecture.
        arch: String,
        /// What was given.
        accelerator: String,
        /// What could have been, as a sentence.
        supported: &'static str,
    },

    /// Only the maker of the device can compile for it.
    #[error("{target} needs {compiler}, which is not available here. {instead}")]
    Vendor {
        /// The device or the accelerator.
        target: String,
        /// The compiler that it needs, and whose.
        compiler: &'static str,
        /// What to do instead, as a sentence.
        instead: &'static str,
    },

    /// A processor that the compiler does not know.
    #[error("mcpu '{cpu}' is not a processor of the architecture {}", .arch.name())]
    Cpu {
        /// What was given.
        cpu: String,
        /// The target's architecture.
        arch: Arch,
    },

    /// A processor feature that the compiler does not know.
    #[error("mattr '{feature}' is not a feature of processors of the architecture {}", .arch.name())]
    Feature {
        /// What was given, with its sign.
        feature: String,
        /// The target's architecture.
        arch: Arch,
    },
}
