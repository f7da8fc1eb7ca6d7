//! The service's target devices, by name.
//!
//! A device's processor is the oldest that machines of that name have, so that
//! what is built runs on all of them.

use super::{Arch, Graphics, Machine, Os, Place, TargetError};

const NEURON: &str = "AWS's Neuron compiler";
const CVFLOW: &str = "Ambarella's CVflow toolchain";
const OTHER_INSTANCE: &str =
    "Compile for an instance without the accelerator, such as ml_c5 or ml_g4dn";
const OTHER_PLATFORM: &str =
    "For the device's processor alone, compile for TargetPlatform LINUX and ARM64";

const UNUSED_IMX8QM: &str = "The device's GPUs are not used: the processor computes the model.";
const UNUSED_IMX8MPLUS: &str =
    "The device's NPU is not used, which needs NXP's TIM-VX: the processor computes the model.";
const UNUSED_TDA4VM: &str = "The device's C7x and MMA accelerators are not used, which need \
                             Texas Instruments' TIDL: the processor computes the model.";
const UNUSED_AM57X: &str = "The device's DSPs and EVEs are not used, which need \
                            Texas Instruments' TIDL: the processor computes the model.";
const UNUSED_QCS: &str = "The device's Adreno GPU and Hexagon DSP are not used: \
                          the processor computes the model.";
const UNUSED_INTEL: &str = "The device's Intel graphics are not used: the processor computes the \
                            model. TargetPlatform LINUX, X86_64 and INTEL_GRAPHICS builds for \
                            them, through Vulkan.";
const UNUSED_MALI: &str = "The device's Mali GPU is not used: the processor computes the model. \
                           TargetPlatform LINUX, ARM64 and MALI builds for it, through Vulkan.";
const UNUSED_MALI_32: &str = "The device's Mali GPU is not used: the processor computes the \
                              model. TargetPlatform LINUX, ARM_EABIHF and MALI builds for it, \
                              through Vulkan.";

impl Place {
    /// The device of that name.
    ///
    /// # Errors
    ///
    /// If there is none, or if only its maker's compiler builds for it.
    pub fn of_device(name: &str) -> Result<Self, TargetError> {
        use Graphics::{None as No, Nvidia, Unused};
        let machine = match name {
            // Instances. c4 is Haswell; c5 and m5 are Skylake or later; p2 and p3
            // are Broadwell; m4 is either; a function may meet any with AVX2.
            "lambda" | "ml_m4" | "ml_c4" => x86(name, Os::Linux, "haswell", No),
            "ml_m5" | "ml_c5" => x86(name, Os::Linux, "skylake-avx512", No),
            "ml_m6g" | "ml_c6g" => arm64(name, Os::Linux, "neoverse-n1", No),
            "ml_p2" => x86(name, Os::Linux, "broadwell", Nvidia(Some(37))),
            "ml_p3" => x86(name, Os::Linux, "broadwell", Nvidia(Some(70))),
            "ml_g4dn" => x86(name, Os::Linux, "cascadelake", Nvidia(Some(75))),
            "ml_inf1" | "ml_inf2" | "ml_trn1" => return vendor(name, NEURON, OTHER_INSTANCE),
            "ml_eia2" => {
                let compiler = "the compiler of AWS's discontinued Elastic Inference";
                return vendor(name, compiler, OTHER_INSTANCE);
            }
            // Boards.
            "jetson_tx1" | "jetson_nano" => arm64(name, Os::Linux, "cortex-a57", Nvidia(Some(53))),
            // Half of its cores are Denver 2, which do no more than the other half.
            "jetson_tx2" => arm64(name, Os::Linux, "cortex-a57", Nvidia(Some(62))),
            "jetson_xavier" => arm64(name, Os::Linux, "carmel", Nvidia(Some(72))),
            "rasp3b" => arm32(name, "cortex-a53", No),
            "rasp4b" => arm32(name, "cortex-a72", No),
            "imx8qm" => arm64(name, Os::Linux, "cortex-a53", Unused(UNUSED_IMX8QM)),
            "imx8mplus" => arm64(name, Os::Linux, "cortex-a53", Unused(UNUSED_IMX8MPLUS)),
            "jacinto_tda4vm" => arm64(name, Os::Linux, "cortex-a72", Unused(UNUSED_TDA4VM)),
            "sitara_am57x" => arm32(name, "cortex-a15", Unused(UNUSED_AM57X)),
            "rk3399" | "aisage" => arm64(name, Os::Linux, "cortex-a53", Unused(UNUSED_MALI)),
            "rk3288" => arm32(name, "cortex-a17", Unused(UNUSED_MALI_32)),
            // Apollo Lake, whose cores have no AVX.
            "deeplens" | "sbe_c" => x86(name, Os::Linux, "goldmont", Unused(UNUSED_INTEL)),
            "qcs603" | "qcs605" => arm64(name, Os::Android, "cortex-a55", Unused(UNUSED_QCS)),
            "amba_cv2" | "amba_cv22" | "amba_cv25" => return vendor(name, CVFLOW, OTHER_PLATFORM),
            // Systems.
            "x86_win64" => x86(name, Os::Windows, "x86-64", No),
            "x86_win32" => machine(name, Os::Windows, Arch::X86, "pentium4", No),
            "coreml" => return Ok(Self::CoreMl),
            _ => return Err(TargetError::UnknownDevice(name.to_owned())),
        };
        Ok(Self::Machine(machine))
    }
}

fn x86(name: &str, os: Os, cpu: &'static str, graphics: Graphics) -> Machine {
    machine(name, os, Arch::X86_64, cpu, graphics)
}

fn arm64(name: &str, os: Os, cpu: &'static str, graphics: Graphics) -> Machine {
    machine(name, os, Arch::Arm64, cpu, graphics)
}

fn arm32(name: &str, cpu: &'static str, graphics: Graphics) -> Machine {
    machine(name, Os::Linux, Arch::ArmEabihf, cpu, graphics)
}

fn machine(name: &str, os: Os, arch: Arch, cpu: &'static str, graphics: Graphics) -> Machine {
    Machine {
        name: name.to_owned(),
        os,
        arch,
        cpu: Some(cpu),
        features: &[],
        graphics,
    }
}

fn vendor(name: &str, compiler: &'static str, instead: &'static str) -> Result<Place, TargetError> {
    Err(TargetError::Vendor {
        target: format!("TargetDevice {name}"),
        compiler,
        instead,
    })
}
