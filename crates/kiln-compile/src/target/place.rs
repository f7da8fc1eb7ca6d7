//! A target as its name alone describes it, before compiler options are applied.

use super::cuda::{self, Generated};
use super::{Accelerator, Arch, Build, Os, Plan, Platform, Target, TargetError, cpus, features};
use crate::options::Options;

/// The level of Android's interface that LLVM is told of.
const ANDROID_LEVEL: u32 = 29;

/// The profile that Mali, Adreno and Intel GPUs have in common.
const VULKAN_PROFILE: &str = "vp_android_baseline_2022";

/// What a target's name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A machine that native code runs on.
    Machine(Machine),
    /// Apple's Core ML.
    CoreMl,
}

/// A machine that native code runs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// The target's name.
    pub name: String,
    /// The operating system.
    pub os: Os,
    /// The architecture.
    pub arch: Arch,
    /// The oldest processor that machines of that name have, as LLVM names it.
    pub cpu: Option<&'static str>,
    /// Features beside those of the processor.
    pub features: &'static [&'static str],
    /// What the machine has beside its processor.
    pub graphics: Graphics,
}

/// What a machine has beside its processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Graphics {
    /// Nothing.
    None,
    /// An NVIDIA GPU, with its compute capability if the name tells it.
    Nvidia(Option<u32>),
    /// A GPU that is reached through Vulkan.
    Vulkan,
    /// An accelerator that no build uses, with a sentence that says so.
    Unused(&'static str),
}

impl Place {
    /// The name in artifacts and messages.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Machine(machine) => &machine.name,
            Self::CoreMl => "coreml",
        }
    }

    /// The machine, if code runs on one.
    #[must_use]
    pub fn machine(&self) -> Option<&Machine> {
        match self {
            Self::Machine(machine) => Some(machine),
            Self::CoreMl => None,
        }
    }

    /// The target with its options.
    ///
    /// # Errors
    ///
    /// If the options name a processor that the architecture has not.
    pub fn target(&self, options: &Options) -> Result<Target, TargetError> {
        match self {
            Self::Machine(machine) => machine.target(options),
            Self::CoreMl => Ok(Target {
                name: self.name().to_owned(),
                plan: Plan::CoreMl,
                remarks: Vec::new(),
            }),
        }
    }
}

impl Machine {
    /// Whether it has an NVIDIA GPU.
    #[must_use]
    pub fn is_nvidia(&self) -> bool {
        matches!(self.graphics, Graphics::Nvidia(_))
    }

    fn target(&self, options: &Options) -> Result<Target, TargetError> {
        let (accelerator, mut remarks) = self.accelerator(options.gpu_code);
        if options.tensorrt.is_some() || options.cuda.is_some() || options.jetpack.is_some() {
            let remark = "Versions of TensorRT, CUDA and JetPack make no difference: \
                          the build uses none of their libraries.";
            remarks.push(remark.to_owned());
        }
        if options
            .android_platform
            .is_some_and(|level| level != ANDROID_LEVEL)
        {
            remarks.push(format!(
                "ANDROID_PLATFORM makes no difference: the code is for level {ANDROID_LEVEL}."
            ));
        }
        Ok(Target {
            name: self.name.clone(),
            plan: Plan::Build(Build {
                platform: self.platform(options)?,
                accelerator,
            }),
            remarks,
        })
    }

    fn platform(&self, options: &Options) -> Result<Platform, TargetError> {
        let (cpu, features) = match &options.mcpu {
            None => (self.cpu.map(str::to_owned), self.features),
            Some(cpu) if cpus::knows(self.arch, cpu) => (Some(cpu.clone()), &[][..]),
            Some(cpu) => {
                let (cpu, arch) = (cpu.clone(), self.arch);
                return Err(TargetError::Cpu { cpu, arch });
            }
        };
        let asked = options.mattr.iter().map(|feature| self.feature(feature));
        let asked: Vec<String> = asked.collect::<Result<_, _>>()?;
        // What an option says of a feature stands in place of the table's word.
        let decided = |feature: &str| {
            let mut asked = asked.iter();
            asked.any(|asked| asked.get(1..) == feature.get(1..))
        };
        let features = features.iter().filter(|feature| !decided(feature));
        let features = features.map(|feature| (*feature).to_owned());
        Ok(Platform {
            os: self.os,
            arch: self.arch,
            cpu,
            features: features.chain(asked.iter().cloned()).collect(),
        })
    }

    /// A feature that an option names, as the compilers call it.
    fn feature(&self, given: &str) -> Result<String, TargetError> {
        features::named(self.arch, given).ok_or_else(|| TargetError::Feature {
            feature: given.to_owned(),
            arch: self.arch,
        })
    }

    /// What computes a network, and what is to be said of it.
    fn accelerator(&self, gpu_code: Option<u32>) -> (Accelerator, Vec<String>) {
        match self.graphics {
            Graphics::None => (Accelerator::None, Vec::new()),
            Graphics::Unused(remark) => (Accelerator::None, vec![remark.to_owned()]),
            Graphics::Vulkan => {
                let profile = VULKAN_PROFILE;
                (Accelerator::Vulkan { profile }, Vec::new())
            }
            Graphics::Nvidia(known) => nvidia(known, gpu_code),
        }
    }
}

/// Code for a later GPU than a device has would not run on it.
fn nvidia(known: Option<u32>, asked: Option<u32>) -> (Accelerator, Vec<String>) {
    let (sm, remark) = match (known, asked) {
        (None, None) => {
            let remark = "The target's GPU is not used: CompilerOptions has no gpu-code. \
                          The processor computes the model.";
            return (Accelerator::None, vec![remark.to_owned()]);
        }
        (Some(known), Some(asked)) if asked > known => {
            let remark = format!(
                "The device's GPU is of sm_{known}, which is built for in place of sm_{asked}."
            );
            (known, Some(remark))
        }
        (_, Some(sm)) | (Some(sm), None) => (sm, None),
    };
    let (accelerator, further) = cuda(sm);
    (accelerator, remark.into_iter().chain(further).collect())
}

fn cuda(sm: u32) -> (Accelerator, Option<String>) {
    match cuda::generated(sm) {
        Generated::Exactly(sm) => (Accelerator::Cuda { sm }, None),
        Generated::Earlier(earlier) => {
            let remark = format!(
                "The GPU's code is PTX for sm_{earlier}, which its driver compiles for sm_{sm}."
            );
            (Accelerator::Cuda { sm: earlier }, Some(remark))
        }
        Generated::Nothing => {
            let remark = format!(
                "The target's GPU is not used: no code can be generated for sm_{sm}, \
                 which is older than sm_60. The processor computes the model."
            );
            (Accelerator::None, Some(remark))
        }
    }
}
