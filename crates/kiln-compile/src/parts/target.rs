//! A platform as zig names it.

use crate::target::{Arch, Os, Platform};

/// The target, with the oldest C library that its devices may have.
pub(super) fn triple(platform: &Platform) -> &'static str {
    match (platform.os, platform.arch) {
        (Os::Linux, Arch::X86_64) => "x86_64-linux-gnu.2.17",
        (Os::Linux, Arch::X86) => "x86-linux-gnu.2.17",
        (Os::Linux, Arch::Arm64) => "aarch64-linux-gnu.2.17",
        (Os::Linux, Arch::ArmEabihf) => "arm-linux-gnueabihf.2.19",
        (Os::Linux, Arch::ArmEabi) => "arm-linux-gnueabi.2.19",
        (Os::Android, Arch::X86_64) => "x86_64-linux-android",
        (Os::Android, Arch::X86) => "x86-linux-android",
        (Os::Android, Arch::Arm64) => "aarch64-linux-android",
        (Os::Android, Arch::ArmEabihf | Arch::ArmEabi) => "arm-linux-androideabi",
        (Os::Windows, Arch::X86_64) => "x86_64-windows-gnu",
        (Os::Windows, Arch::X86) => "x86-windows-gnu",
        (Os::Windows, Arch::Arm64) => "aarch64-windows-gnu",
        (Os::Windows, Arch::ArmEabihf | Arch::ArmEabi) => "thumb-windows-gnu",
    }
}

/// Whether floating-point numbers are counted by a library, not the processor.
pub(super) fn is_soft_float(platform: &Platform) -> bool {
    let unit = |feature: &String| feature.starts_with("+vfp") || feature == "+neon";
    platform.os == Os::Linux
        && platform.arch == Arch::ArmEabi
        && !platform.features.iter().any(unit)
}

/// What tells clang which 32-bit ARM processor it is; other architectures are
/// told apart when the code runs.
pub(super) fn arm_flags(platform: &Platform) -> Vec<String> {
    if !matches!(platform.arch, Arch::ArmEabi | Arch::ArmEabihf) {
        return Vec::new();
    }
    let mut cpu = zig_word(platform.cpu.as_deref().unwrap_or("generic"));
    if platform.cpu.is_none() {
        cpu.push_str("+v7a");
    }
    if platform.os == Os::Android && !is_soft_float(platform) {
        cpu.push_str("+vfp3d16");
    }
    for feature in &platform.features {
        cpu.push_str(&zig_word(feature));
    }
    let mut flags = vec![format!("-mcpu={cpu}")];
    if platform.arch == Arch::ArmEabi && !is_soft_float(platform) {
        flags.push("-mfloat-abi=softfp".to_owned());
    }
    flags
}

/// LLVM's `+feature-name` and `cpu-name` with zig's underscores.
fn zig_word(word: &str) -> String {
    let sign = word.starts_with(['+', '-']);
    let (sign, name) = word.split_at(usize::from(sign));
    format!("{sign}{}", name.replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arm_processors_are_named_as_zig_does() {
        type Case = (
            Os,
            Arch,
            Option<&'static str>,
            &'static [&'static str],
            &'static [&'static str],
        );
        let cases: [Case; 5] = [
            (Os::Linux, Arch::Arm64, Some("cortex-a72"), &[], &[]),
            (Os::Linux, Arch::ArmEabi, None, &[], &["-mcpu=generic+v7a"]),
            (
                Os::Linux,
                Arch::ArmEabi,
                None,
                &["+neon"],
                &["-mcpu=generic+v7a+neon", "-mfloat-abi=softfp"],
            ),
            (
                Os::Android,
                Arch::ArmEabi,
                None,
                &[],
                &["-mcpu=generic+v7a+vfp3d16", "-mfloat-abi=softfp"],
            ),
            (
                Os::Linux,
                Arch::ArmEabihf,
                Some("cortex-a53"),
                &["+neon", "-crypto"],
                &["-mcpu=cortex_a53+neon-crypto"],
            ),
        ];
        for (os, arch, cpu, features, expected) in cases {
            let platform = Platform {
                os,
                arch,
                cpu: cpu.map(str::to_owned),
                features: features.iter().map(|&name| name.to_owned()).collect(),
            };
            assert_eq!(arm_flags(&platform), expected, "{platform:?}");
        }
    }
}
