//! Every device and every platform, and what is built for it.

use super::*;
use crate::options::Options;

/// The triple, the processor and the accelerator, or why not.
fn built(place: Result<Place, TargetError>, options: &str) -> String {
    let options = Options::read(options).unwrap();
    let target = place.and_then(|place| place.target(&options));
    let target = match target {
        Ok(target) => target,
        Err(error) => return error.to_string(),
    };
    let Plan::Build(build) = target.plan else {
        return "Core ML".to_owned();
    };
    let accelerator = match build.accelerator {
        Accelerator::None => String::new(),
        Accelerator::Cuda { sm } => format!(" sm_{sm}"),
        Accelerator::Vulkan { profile } => format!(" {profile}"),
    };
    let features = build.platform.features.join(",");
    let features = if features.is_empty() {
        features
    } else {
        format!(" {features}")
    };
    let remarks = "!".repeat(target.remarks.len());
    format!("{}{features}{accelerator}{remarks}", build.platform)
}

#[test]
fn every_device_has_its_build() {
    let inferentia = "AWS's Neuron compiler, which is not available here. Compile for an instance \
                      without the accelerator, such as ml_c5 or ml_g4dn";
    let inferentia = |name| format!("TargetDevice {name} needs {inferentia}");
    let ambarella = |name| {
        format!(
            "TargetDevice {name} needs Ambarella's CVflow toolchain, which is not available here. \
             For the device's processor alone, compile for TargetPlatform LINUX and ARM64"
        )
    };
    let linux = |cpu| format!("x86_64-unknown-linux-gnu ({cpu})");
    let arm64 = |cpu| format!("aarch64-unknown-linux-gnu ({cpu})");
    let arm32 = |cpu| format!("armv7a-unknown-linux-gnueabihf ({cpu})");
    let devices = [
        ("lambda", linux("haswell")),
        ("ml_m4", linux("haswell")),
        ("ml_m5", linux("skylake-avx512")),
        ("ml_m6g", arm64("neoverse-n1")),
        ("ml_c4", linux("haswell")),
        ("ml_c5", linux("skylake-avx512")),
        ("ml_c6g", arm64("neoverse-n1")),
        ("ml_p2", linux("broadwell") + "!"),
        ("ml_p3", linux("broadwell") + " sm_70"),
        ("ml_g4dn", linux("cascadelake") + " sm_75"),
        ("ml_inf1", inferentia("ml_inf1")),
        ("ml_inf2", inferentia("ml_inf2")),
        ("ml_trn1", inferentia("ml_trn1")),
        (
            "ml_eia2",
            "TargetDevice ml_eia2 needs the compiler of AWS's discontinued Elastic Inference, \
             which is not available here. Compile for an instance without the accelerator, such \
             as ml_c5 or ml_g4dn"
                .to_owned(),
        ),
        ("jetson_tx1", arm64("cortex-a57") + "!"),
        ("jetson_tx2", arm64("cortex-a57") + " sm_62"),
        ("jetson_nano", arm64("cortex-a57") + "!"),
        ("jetson_xavier", arm64("carmel") + " sm_72"),
        ("rasp3b", arm32("cortex-a53")),
        ("rasp4b", arm32("cortex-a72")),
        ("imx8qm", arm64("cortex-a53") + "!"),
        ("deeplens", linux("goldmont") + "!"),
        ("rk3399", arm64("cortex-a53") + "!"),
        ("rk3288", arm32("cortex-a17") + "!"),
        ("aisage", arm64("cortex-a53") + "!"),
        ("sbe_c", linux("goldmont") + "!"),
        (
            "qcs605",
            "aarch64-unknown-linux-android29 (cortex-a55)!".to_owned(),
        ),
        (
            "qcs603",
            "aarch64-unknown-linux-android29 (cortex-a55)!".to_owned(),
        ),
        ("sitara_am57x", arm32("cortex-a15") + "!"),
        ("amba_cv2", ambarella("amba_cv2")),
        ("amba_cv22", ambarella("amba_cv22")),
        ("amba_cv25", ambarella("amba_cv25")),
        ("x86_win32", "i686-pc-windows-msvc (pentium4)".to_owned()),
        ("x86_win64", "x86_64-pc-windows-msvc (x86-64)".to_owned()),
        ("coreml", "Core ML".to_owned()),
        ("jacinto_tda4vm", arm64("cortex-a72") + "!"),
        ("imx8mplus", arm64("cortex-a53") + "!"),
    ];
    assert_eq!(devices.len(), 37);
    for (name, expected) in devices {
        assert_eq!(built(Place::of_device(name), "{}"), expected, "{name}");
    }
    let unknown = built(Place::of_device("ml_c7"), "{}");
    assert_eq!(unknown, "TargetDevice ml_c7 is not known");
}

#[test]
fn every_processor_of_the_table_is_known() {
    for name in [
        "ml_m4",
        "ml_m5",
        "ml_m6g",
        "ml_p3",
        "ml_g4dn",
        "jetson_xavier",
        "rasp3b",
    ] {
        let place = Place::of_device(name).unwrap();
        let machine = place.machine().unwrap();
        assert!(cpus::knows(machine.arch, machine.cpu.unwrap()), "{name}");
    }
    for name in [
        "rk3288",
        "sitara_am57x",
        "deeplens",
        "qcs605",
        "x86_win32",
        "x86_win64",
    ] {
        let place = Place::of_device(name).unwrap();
        let machine = place.machine().unwrap();
        assert!(cpus::knows(machine.arch, machine.cpu.unwrap()), "{name}");
    }
}

#[test]
fn every_platform_has_its_build() {
    const PROFILE: &str = " vp_android_baseline_2022";
    const OSES: [&str; 2] = ["LINUX", "ANDROID"];
    const ARCHES: [&str; 5] = ["X86_64", "X86", "ARM64", "ARM_EABIHF", "ARM_EABI"];
    for os in OSES {
        for arch in ARCHES {
            for accelerator in [None, Some("NVIDIA"), Some("MALI"), Some("INTEL_GRAPHICS")] {
                let triple = match (os, arch) {
                    ("LINUX", "X86_64") => "x86_64-unknown-linux-gnu",
                    ("LINUX", "ARM64") => "aarch64-unknown-linux-gnu",
                    ("LINUX", "ARM_EABIHF") => "armv7a-unknown-linux-gnueabihf +vfp3d16,-neon",
                    ("LINUX", "ARM_EABI") => "armv7a-unknown-linux-gnueabi +vfp3d16,-neon",
                    ("ANDROID", "X86_64") => "x86_64-unknown-linux-android29",
                    ("ANDROID", "X86") => "i686-unknown-linux-android29",
                    ("ANDROID", "ARM64") => "aarch64-unknown-linux-android29",
                    ("ANDROID", "ARM_EABI") => "armv7a-unknown-linux-androideabi29 +vfp3d16,-neon",
                    _ => "",
                };
                let x86 = arch.starts_with("X86");
                let graphics = match accelerator {
                    None => Some(""),
                    Some("NVIDIA") if os == "LINUX" && ["X86_64", "ARM64"].contains(&arch) => {
                        Some(" sm_75!")
                    }
                    Some("MALI") if !x86 => Some(PROFILE),
                    Some("INTEL_GRAPHICS") if x86 => Some(PROFILE),
                    _ => None,
                };
                let options = match accelerator {
                    Some("NVIDIA") => {
                        "{'gpu-code': 'sm_75', 'trt-ver': '8.6.1', 'cuda-ver': '12.0'}"
                    }
                    _ => "{}",
                };
                let found = built(Place::of_platform(os, arch, accelerator), options);
                match graphics {
                    Some(graphics) if !triple.is_empty() => {
                        assert_eq!(found, format!("{triple}{graphics}"));
                    }
                    _ => assert!(found.contains("does not support"), "{found}"),
                }
            }
        }
    }
}

#[test]
fn refusals_say_what_could_be() {
    for (os, arch, accelerator, message) in [
        (
            "MACOS",
            "ARM64",
            None,
            "TargetPlatform has the unknown Os MACOS",
        ),
        (
            "LINUX",
            "RISCV",
            None,
            "TargetPlatform has the unknown Arch RISCV",
        ),
        (
            "LINUX",
            "ARM64",
            Some("TPU"),
            "TargetPlatform has the unknown Accelerator TPU",
        ),
        (
            "LINUX",
            "X86",
            None,
            "TargetPlatform LINUX does not support Arch X86. Supported are X86_64, ARM64, \
             ARM_EABIHF and ARM_EABI",
        ),
        (
            "ANDROID",
            "ARM_EABIHF",
            None,
            "TargetPlatform ANDROID does not support Arch ARM_EABIHF. Supported are X86_64, X86, \
             ARM64 and ARM_EABI",
        ),
        (
            "LINUX",
            "X86_64",
            Some("MALI"),
            "TargetPlatform LINUX X86_64 does not support Accelerator MALI. Supported are NVIDIA \
             and INTEL_GRAPHICS",
        ),
        (
            "LINUX",
            "ARM64",
            Some("NNA"),
            "Accelerator NNA needs the compiler of the neural network accelerator's maker, which \
             is not available here. Leave out the accelerator to compile for the processor",
        ),
    ] {
        let found = built(Place::of_platform(os, arch, accelerator), "{}");
        assert_eq!(found, message);
    }
}

#[test]
fn options_change_the_build() {
    let linux = |arch| Place::of_platform("LINUX", arch, None);
    for (place, options, expected) in [
        (
            linux("ARM_EABIHF"),
            "{'mattr': ['+neon']}",
            "armv7a-unknown-linux-gnueabihf +vfp3d16,+neon",
        ),
        (
            linux("ARM_EABIHF"),
            "{'mcpu': 'cortex-a9'}",
            "armv7a-unknown-linux-gnueabihf (cortex-a9)",
        ),
        (
            linux("ARM_EABIHF"),
            "{'mattr': ['+neon', '+vfpv4']}",
            "armv7a-unknown-linux-gnueabihf +vfp3d16,+neon,+vfp4",
        ),
        (
            linux("X86_64"),
            "{'mattr': '+avx2,+neon'}",
            "mattr '+neon' is not a feature of processors of the architecture X86_64",
        ),
        (
            // As the documentation has it for an instance of m5.
            Place::of_platform("LINUX", "X86_64", Some("NVIDIA")),
            "{'mcpu': 'skylake-avx512'}",
            "x86_64-unknown-linux-gnu (skylake-avx512)!",
        ),
        (
            linux("X86_64"),
            "{'mcpu': 'cortex-a9'}",
            "mcpu 'cortex-a9' is not a processor of the architecture X86_64",
        ),
        (
            Place::of_device("jetson_xavier"),
            "{'gpu-code': 'sm_62'}",
            "aarch64-unknown-linux-gnu (carmel) sm_62",
        ),
        (
            // As the documentation has it for TensorFlow 2.
            Place::of_device("jetson_nano"),
            "{'JETPACK_VERSION': '4.6', 'gpu_code': 'sm_72'}",
            "aarch64-unknown-linux-gnu (cortex-a57)!!!",
        ),
        (
            Place::of_platform("LINUX", "X86_64", Some("NVIDIA")),
            "{'gpu-code': 'sm_90'}",
            "x86_64-unknown-linux-gnu sm_89!",
        ),
        (
            Place::of_device("ml_p3"),
            "{'gpu-code': 'sm_90'}",
            "x86_64-unknown-linux-gnu (broadwell) sm_70!",
        ),
    ] {
        assert_eq!(built(place, options), expected);
    }
}

#[test]
fn trees_leave_the_gpu_alone() {
    let place = Place::of_device("ml_g4dn").unwrap();
    let target = place
        .target(&Options::default())
        .unwrap()
        .for_trees(&Options::default());
    let Plan::Build(build) = target.plan else {
        panic!("ml_g4dn is a machine");
    };
    assert_eq!(build.accelerator, Accelerator::None);
    assert_eq!(
        target.remarks,
        ["The target's GPU is not used: the processor evaluates tree ensembles."]
    );
}

#[test]
fn trees_need_no_word_of_their_processor() {
    let options = Options::read("{'mattr': ['+avx2']}").unwrap();
    for (device, remarks) in [("ml_c5", 1), ("x86_win64", 1)] {
        let target = Place::of_device(device).unwrap().target(&options).unwrap();
        assert_eq!(
            target.for_trees(&options).remarks.len(),
            remarks,
            "{device}"
        );
    }
    let options = Options::read("{'mattr': ['+neon']}").unwrap();
    let board = Place::of_device("rasp3b").unwrap().target(&options);
    assert!(board.unwrap().for_trees(&options).remarks.is_empty());
}

#[test]
fn artifacts_are_named_after_their_target() {
    for (place, name) in [
        (Place::of_device("ml_c5"), "model-ml_c5.tar.gz"),
        (
            Place::of_platform("LINUX", "X86_64", Some("INTEL_GRAPHICS")),
            "model-LINUX_X86_64_INTEL_GRAPHICS.tar.gz",
        ),
        (Place::of_device("coreml"), "model-coreml.tar.gz"),
    ] {
        let target = place.unwrap().target(&Options::default()).unwrap();
        assert_eq!(target.artifact_name(), name);
    }
}
