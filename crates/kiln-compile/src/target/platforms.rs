//! The service's target platforms: an operating system, an architecture, and
//! perhaps an accelerator.

use super::{Arch, Graphics, Machine, Os, Place, TargetError};

/// What a generic 32-bit ARM processor has: NEON is there only if an option says so.
const ARM32_FEATURES: &[&str] = &["+vfp3d16", "-neon"];

impl Place {
    /// The platform of those names.
    ///
    /// # Errors
    ///
    /// If a name is not known, or if there are no such machines.
    pub fn of_platform(
        os: &str,
        arch: &str,
        accelerator: Option<&str>,
    ) -> Result<Self, TargetError> {
        let platform = Names {
            os,
            arch,
            accelerator,
        };
        let parsed_os = match os {
            "LINUX" => Os::Linux,
            "ANDROID" => Os::Android,
            _ => return Err(unknown("Os", os)),
        };
        let parsed_arch = platform.arch(parsed_os)?;
        let graphics = platform.graphics(parsed_os, parsed_arch)?;
        Ok(Self::Machine(Machine {
            name: platform.joined(),
            os: parsed_os,
            arch: parsed_arch,
            cpu: None,
            features: match parsed_arch {
                Arch::ArmEabihf | Arch::ArmEabi => ARM32_FEATURES,
                Arch::X86_64 | Arch::X86 | Arch::Arm64 => &[],
            },
            graphics,
        }))
    }
}

impl Arch {
    const ALL: [Self; 5] = [
        Self::X86_64,
        Self::X86,
        Self::Arm64,
        Self::ArmEabihf,
        Self::ArmEabi,
    ];

    /// The name in requests.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "X86_64",
            Self::X86 => "X86",
            Self::Arm64 => "ARM64",
            Self::ArmEabihf => "ARM_EABIHF",
            Self::ArmEabi => "ARM_EABI",
        }
    }
}

/// The names as the request has them.
struct Names<'a> {
    os: &'a str,
    arch: &'a str,
    accelerator: Option<&'a str>,
}

impl Names<'_> {
    fn joined(&self) -> String {
        let Self { os, arch, .. } = self;
        match self.accelerator {
            Some(accelerator) => format!("{os}_{arch}_{accelerator}"),
            None => format!("{os}_{arch}"),
        }
    }

    fn arch(&self, os: Os) -> Result<Arch, TargetError> {
        let arch = Arch::ALL.into_iter().find(|arch| arch.name() == self.arch);
        let arch = arch.ok_or_else(|| unknown("Arch", self.arch))?;
        let supported = match (os, arch) {
            (Os::Linux, Arch::X86) => "X86_64, ARM64, ARM_EABIHF and ARM_EABI",
            (Os::Android, Arch::ArmEabihf) => "X86_64, X86, ARM64 and ARM_EABI",
            _ => return Ok(arch),
        };
        Err(TargetError::Arch {
            os: self.os.to_owned(),
            arch: self.arch.to_owned(),
            supported,
        })
    }

    fn graphics(&self, os: Os, arch: Arch) -> Result<Graphics, TargetError> {
        let supported = match (os, arch) {
            (Os::Linux, Arch::X86_64) => "Supported are NVIDIA and INTEL_GRAPHICS",
            (Os::Linux, Arch::Arm64) => "Supported are NVIDIA and MALI",
            (_, Arch::X86_64 | Arch::X86) => "Supported is INTEL_GRAPHICS",
            (_, Arch::Arm64 | Arch::ArmEabihf | Arch::ArmEabi) => "Supported is MALI",
        };
        let x86 = matches!(arch, Arch::X86_64 | Arch::X86);
        match self.accelerator {
            None => Ok(Graphics::None),
            Some("NVIDIA") if os == Os::Linux && matches!(arch, Arch::X86_64 | Arch::Arm64) => {
                Ok(Graphics::Nvidia(None))
            }
            Some("MALI") if !x86 => Ok(Graphics::Vulkan),
            Some("INTEL_GRAPHICS") if x86 => Ok(Graphics::Vulkan),
            Some("NNA") => Err(TargetError::Vendor {
                target: "Accelerator NNA".to_owned(),
                compiler: "the compiler of the neural network accelerator's maker",
                instead: "Leave out the accelerator to compile for the processor",
            }),
            Some(accelerator @ ("NVIDIA" | "MALI" | "INTEL_GRAPHICS")) => {
                Err(TargetError::Accelerator {
                    os: self.os.to_owned(),
                    arch: self.arch.to_owned(),
                    accelerator: accelerator.to_owned(),
                    supported,
                })
            }
            Some(other) => Err(unknown("Accelerator", other)),
        }
    }
}

fn unknown(part: &'static str, name: &str) -> TargetError {
    let name = name.to_owned();
    TargetError::UnknownPart { part, name }
}
