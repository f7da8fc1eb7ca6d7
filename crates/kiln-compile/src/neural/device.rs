//! What a network is compiled for, as flags of IREE's compiler.

use std::path::Path;

use super::NeuralError;
use crate::target::{Arch, Os, Platform};

/// The PTX that newer GPUs take, where the compiler does not know them: their driver
/// compiles it for them when the model is loaded.
const NEWEST_COMMON: u32 = 89;

/// The GPU architectures that IREE 3.13 compiles for.
const KNOWN: [u32; 11] = [60, 61, 62, 70, 72, 75, 80, 86, 87, 89, 120];

/// The Vulkan features that GPUs of phones and boards have in common since 2022.
const VULKAN_PROFILE: &str = "vp_android_baseline_2022";

/// 32-bit ARM's libraries import functions that the loader does not offer; these are
/// linked into them instead. `arm32.c` is its source.
const ARM32: &[u8] = include_bytes!("../../native/iree/arm32.bc");

/// The least floating-point unit of 32-bit ARM that code can be made for: without a fused
/// multiply-add in it, the compiler calls a function that calls itself.
const ARM32_UNIT: &str = "+vfp4d16";

/// 32-bit ARM processors that lack it.
const ARM32_WITHOUT: [&str; 4] = ["cortex-a8", "cortex-a9", "arm1176jzf-s", "arm1176jz-s"];

/// Where the numeric work of a network is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Device {
    /// The processor.
    Cpu(Platform),
    /// An NVIDIA GPU of an architecture such as `sm_86`.
    Cuda(String),
    /// A GPU that speaks Vulkan.
    Vulkan(GpuKind),
}

/// A maker of GPUs that speak Vulkan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GpuKind {
    /// ARM's Mali.
    Mali,
    /// Qualcomm's Adreno.
    Adreno,
    /// Intel's, in processors.
    Intel,
}

/// How a device is built for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Approach {
    /// Flags of the compiler that hold for the whole process.
    pub(super) global: Vec<String>,
    /// Flags of each compilation.
    pub(super) flags: Vec<String>,
    /// What the model's owner should know.
    pub(super) remarks: Vec<String>,
}

impl Device {
    /// Why there is no `libdlr.so` that runs what is built for this device; none where
    /// there is one.
    #[must_use]
    pub fn without_loader(&self) -> Option<&'static str> {
        match self {
            Self::Cuda(_) | Self::Vulkan(_) => {
                Some("the loader runs models on processors, and this one is for a GPU")
            }
            Self::Cpu(platform) => match (platform.os, platform.arch) {
                (Os::Linux, Arch::X86) => Some("IREE's runtime is not made for 32-bit x86"),
                (Os::Linux, _) => None,
                (Os::Android, _) => Some("the toolchain has no C library of Android"),
                (Os::Windows, _) => Some("the loader of neural networks is made for Linux only"),
            },
        }
    }

    /// The flags for this device; what they need beside is written into the folder.
    pub(super) fn approach(&self, folder: &Path) -> Result<Approach, NeuralError> {
        let mut approach = match self {
            Self::Cpu(platform) => processor(platform, folder)?,
            Self::Cuda(architecture) => cuda(architecture)?,
            Self::Vulkan(kind) => vulkan(*kind),
        };
        if let Some(reason) = self.without_loader() {
            approach
                .remarks
                .push(format!("The artifact has the module only: {reason}."));
        }
        Ok(approach)
    }
}

fn processor(platform: &Platform, folder: &Path) -> Result<Approach, NeuralError> {
    let mut flags = vec![
        "--iree-hal-target-device=local".to_owned(),
        "--iree-hal-local-target-device-backends=llvm-cpu".to_owned(),
        format!("--iree-llvmcpu-target-triple={}", platform.llvm_triple()),
        format!("--iree-llvmcpu-target-cpu={}", cpu(platform)),
    ];
    let mut approach = Approach::default();
    let mut features = platform.features.clone();
    if matches!(platform.arch, Arch::ArmEabi | Arch::ArmEabihf) {
        check_arm32(platform)?;
        features.push(ARM32_UNIT.to_owned());
        let path = folder.join("arm32.bc");
        std::fs::write(&path, ARM32).map_err(NeuralError::file(&path))?;
        let link = format!("--iree-link-bitcode={}", path.display());
        approach.global.push(link);
        if platform.cpu.is_none() {
            let remark =
                "The code needs a processor with VFPv4, such as the Cortex-A7, A15 and A53.";
            approach.remarks.push(remark.to_owned());
        }
    }
    if !features.is_empty() {
        let features = features.join(",");
        flags.push(format!("--iree-llvmcpu-target-cpu-features={features}"));
    }
    approach.flags = flags;
    Ok(approach)
}

fn check_arm32(platform: &Platform) -> Result<(), NeuralError> {
    match &platform.cpu {
        Some(cpu) if ARM32_WITHOUT.contains(&cpu.as_str()) => Err(NeuralError::Target(format!(
            "Neural networks for 32-bit ARM need a processor with VFPv4, which {cpu} has not"
        ))),
        _ => Ok(()),
    }
}

/// The processor, or the least one of its architecture.
fn cpu(platform: &Platform) -> &str {
    match (&platform.cpu, platform.arch) {
        (Some(cpu), _) => cpu,
        (None, Arch::X86_64 | Arch::X86) => "x86-64",
        (None, Arch::Arm64 | Arch::ArmEabi | Arch::ArmEabihf) => "generic",
    }
}

fn cuda(architecture: &str) -> Result<Approach, NeuralError> {
    let version = architecture
        .strip_prefix("sm_")
        .and_then(|rest| rest.trim_end_matches(['a', 'f']).parse::<u32>().ok())
        .ok_or_else(|| {
            NeuralError::Target(format!("gpu-code {architecture} is not of the form sm_86"))
        })?;
    let mut remarks = Vec::new();
    let built = if KNOWN.contains(&version) {
        version
    } else {
        let below = KNOWN
            .into_iter()
            .filter(|known| *known < version && *known <= NEWEST_COMMON)
            .max()
            .ok_or_else(|| {
                NeuralError::Target(format!(
                    "gpu-code {architecture} is older than sm_{}, the first that the compiler \
                     makes code for",
                    KNOWN[0]
                ))
            })?;
        remarks.push(format!(
            "The code is for sm_{below}, and the driver of an {architecture} compiles it anew \
             when the model is loaded."
        ));
        below
    };
    Ok(Approach {
        global: Vec::new(),
        flags: vec![
            "--iree-hal-target-device=cuda".to_owned(),
            format!("--iree-cuda-target=sm_{built}"),
        ],
        remarks,
    })
}

fn vulkan(kind: GpuKind) -> Approach {
    let name = match kind {
        GpuKind::Mali => "Mali",
        GpuKind::Adreno => "Adreno",
        GpuKind::Intel => "Intel",
    };
    Approach {
        global: Vec::new(),
        flags: vec![
            "--iree-hal-target-device=vulkan".to_owned(),
            format!("--iree-vulkan-target={VULKAN_PROFILE}"),
        ],
        remarks: vec![format!(
            "The code uses the Vulkan features of the profile {VULKAN_PROFILE} and nothing that \
             only {name} GPUs have."
        )],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform(os: Os, arch: Arch) -> Platform {
        Platform {
            os,
            arch,
            cpu: None,
            features: vec!["+neon".to_owned(), "-crypto".to_owned()],
        }
    }

    fn target(architecture: &str) -> Result<(String, usize), String> {
        let approach = cuda(architecture).map_err(|error| error.to_string())?;
        Ok((approach.flags[1].clone(), approach.remarks.len()))
    }

    #[test]
    fn gpus_that_the_compiler_does_not_know_get_the_code_of_older_ones() {
        for (asked, built, remarks) in [
            ("sm_60", "sm_60", 0),
            ("sm_86", "sm_86", 0),
            ("sm_120", "sm_120", 0),
            ("sm_90", "sm_89", 1),
            ("sm_90a", "sm_89", 1),
            ("sm_100", "sm_89", 1),
            ("sm_73", "sm_72", 1),
        ] {
            let flag = format!("--iree-cuda-target={built}");
            assert_eq!(target(asked), Ok((flag, remarks)), "{asked}");
        }
        assert!(target("sm_53").unwrap_err().contains("older than sm_60"));
        assert!(target("volta").unwrap_err().contains("not of the form"));
    }

    #[test]
    fn thirty_two_bit_arm_gets_the_functions_that_its_loader_lacks() {
        let folder = tempfile::tempdir().unwrap();
        let approach = |arch| {
            let device = Device::Cpu(platform(Os::Linux, arch));
            device.approach(folder.path()).unwrap()
        };
        assert!(approach(Arch::ArmEabihf).global[0].contains("arm32.bc"));
        assert!(folder.path().join("arm32.bc").exists());
        let flag = "--iree-llvmcpu-target-cpu-features=+neon,-crypto,+vfp4d16".to_owned();
        assert!(approach(Arch::ArmEabi).flags.contains(&flag));
        assert!(approach(Arch::Arm64).global.is_empty());
        assert!(
            approach(Arch::Arm64)
                .flags
                .contains(&"--iree-llvmcpu-target-cpu-features=+neon,-crypto".to_owned())
        );
    }

    #[test]
    fn a_device_without_a_loader_says_why() {
        let device = |os, arch| Device::Cpu(platform(os, arch)).without_loader();
        assert_eq!(device(Os::Linux, Arch::X86_64), None);
        assert_eq!(device(Os::Linux, Arch::ArmEabihf), None);
        assert!(device(Os::Linux, Arch::X86).is_some());
        assert!(device(Os::Android, Arch::Arm64).is_some());
        assert!(device(Os::Windows, Arch::X86_64).is_some());
        assert!(Device::Vulkan(GpuKind::Mali).without_loader().is_some());
    }

    #[test]
    fn processors_without_a_fused_multiply_add_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let approach = |cpu: &str| {
            let mut platform = platform(Os::Linux, Arch::ArmEabihf);
            platform.cpu = Some(cpu.to_owned());
            Device::Cpu(platform).approach(folder.path())
        };
        let refused = approach("cortex-a9").unwrap_err().to_string();
        assert!(
            refused.contains("VFPv4, which cortex-a9 has not"),
            "{refused}"
        );
        assert_eq!(
            approach("cortex-a53").unwrap().remarks,
            Vec::<String>::new()
        );
    }
}
