//! What a model is compiled for: the service's devices and platforms, and what is
//! built for each.
//!
//! [`Place::of_device`] and [`Place::of_platform`] find a target by the names in a
//! request. [`Place::target`] applies the compiler options, and the result says
//! what is built, and in its remarks what a user should know of it.

mod cpus;
mod cuda;
mod devices;
mod error;
mod features;
mod place;
mod platform;
mod platforms;
mod processor;
#[cfg(test)]
mod tests;
mod vendor;

use crate::options::Options;

pub use error::TargetError;
pub use place::{Graphics, Machine, Place};
pub use platform::{Arch, Os, Platform};
pub use vendor::needs_vendor;

/// What a model is compiled for, with everything that was asked applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The name: a device's, such as `ml_c5`, or a platform's, such as
    /// `LINUX_X86_64_NVIDIA`.
    pub name: String,
    /// What is made for it.
    pub plan: Plan,
    /// What the job's owner should know, each a sentence.
    pub remarks: Vec<String>,
}

/// What is made for a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// Native code.
    Build(Build),
    /// A model in Core ML's own form.
    CoreMl,
}

/// Native code for a processor, and for an accelerator beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    /// The machine's platform.
    pub platform: Platform,
    /// What computes a neural network.
    pub accelerator: Accelerator,
}

/// What computes a neural network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accelerator {
    /// The processor itself.
    None,
    /// An NVIDIA GPU.
    Cuda {
        /// The compute capability to generate code for, as 75 is that of `sm_75`.
        sm: u32,
    },
    /// A GPU through Vulkan.
    Vulkan {
        /// The profile of features to be content with.
        profile: &'static str,
    },
}

impl Target {
    /// The last part of the artifact's key.
    #[must_use]
    pub fn artifact_name(&self) -> String {
        format!("model-{}.tar.gz", self.name)
    }

    /// The same target for a tree ensemble, which the processor evaluates.
    #[must_use]
    pub fn for_trees(mut self, options: &Options) -> Self {
        if let Plan::Build(build) = &self.plan
            && !matches!(build.platform.arch, Arch::ArmEabi | Arch::ArmEabihf)
            && options.names_processor()
        {
            let remark = "mcpu and mattr make no difference: the code of tree ensembles finds \
                          out what its processor can do, and uses it.";
            self.remarks.push(remark.to_owned());
        }
        if let Plan::Build(build) = &mut self.plan
            && build.accelerator != Accelerator::None
        {
            build.accelerator = Accelerator::None;
            let remark = "The target's GPU is not used: the processor evaluates tree ensembles.";
            self.remarks.push(remark.to_owned());
        }
        self
    }
}
