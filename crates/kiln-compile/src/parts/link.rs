//! The linker's commands, which need no C library of the target: what of it is
//! asked for is stood in for (native/libc.c).

use crate::target::{Arch, Os, Platform};

/// What a compiled model's library is called on a platform.
pub(crate) fn library_name(platform: &Platform) -> &'static str {
    match platform.os {
        Os::Windows => "compiled.dll",
        Os::Linux | Os::Android => "compiled.so",
    }
}

/// What the library that clients load is called on a platform.
pub(crate) fn loader_name(platform: &Platform) -> &'static str {
    match platform.os {
        Os::Windows => "dlr.dll",
        Os::Linux | Os::Android => "libdlr.so",
    }
}

/// Links objects into a shared library that lacks nothing but `inputs` have.
pub(crate) fn shared_library(platform: &Platform, output: &str, inputs: &[&str]) -> Vec<String> {
    let mut arguments = match platform.os {
        Os::Windows => dll(platform, output),
        Os::Linux | Os::Android => {
            let mut arguments = elf(platform, output);
            arguments.extend(["-shared", "-soname", output].map(str::to_owned));
            arguments
        }
    };
    arguments.extend(inputs.iter().map(|&input| input.to_owned()));
    arguments
}

/// Links objects into a program for Linux.
pub(super) fn program(platform: &Platform, output: &str, inputs: &[&str]) -> Vec<String> {
    let mut arguments = elf(platform, output);
    let loader = dynamic_linker(platform.arch);
    arguments.extend(["-pie", "--dynamic-linker", loader].map(str::to_owned));
    arguments.extend(inputs.iter().map(|&input| input.to_owned()));
    arguments
}

/// Makes what stands in for kernel32.dll while a library is linked.
pub(super) fn import_library(platform: &Platform, output: &str) -> Vec<String> {
    let (machine, names) = match platform.arch {
        Arch::X86_64 => ("i386:x86-64", "kernel32.def"),
        Arch::X86 => ("i386", "kernel32-x86.def"),
        Arch::Arm64 => ("arm64", "kernel32.def"),
        Arch::ArmEabi | Arch::ArmEabihf => ("arm", "kernel32.def"),
    };
    let arguments = ["dlltool", "-m", machine, "-d", names, "-l", output, "-k"];
    arguments.map(str::to_owned).to_vec()
}

fn elf(platform: &Platform, output: &str) -> Vec<String> {
    let emulation = match platform.arch {
        Arch::X86_64 => "elf_x86_64",
        Arch::X86 => "elf_i386",
        Arch::Arm64 => "aarch64linux",
        Arch::ArmEabi | Arch::ArmEabihf => "armelf_linux_eabi",
    };
    let arguments = [
        "ld.lld",
        "-m",
        emulation,
        "-O2",
        "--gc-sections",
        "--strip-all",
        "--build-id=none",
        "--hash-style=both",
        "-z",
        "defs",
        "-z",
        "noexecstack",
        "-o",
        output,
    ];
    arguments.map(str::to_owned).to_vec()
}

fn dll(platform: &Platform, output: &str) -> Vec<String> {
    let machine = match platform.arch {
        Arch::X86_64 => "x64",
        Arch::X86 => "x86",
        Arch::Arm64 => "arm64",
        Arch::ArmEabi | Arch::ArmEabihf => "arm",
    };
    vec![
        "lld-link".to_owned(),
        // How the compiler that calls itself MinGW's exports functions.
        "-lldmingw".to_owned(),
        "/dll".to_owned(),
        "/noentry".to_owned(),
        "/nodefaultlib".to_owned(),
        "/brepro".to_owned(),
        format!("/machine:{machine}"),
        format!("/out:{output}"),
    ]
}

/// Where Linux keeps what loads a program's libraries.
fn dynamic_linker(arch: Arch) -> &'static str {
    match arch {
        Arch::X86_64 => "/lib64/ld-linux-x86-64.so.2",
        Arch::X86 => "/lib/ld-linux.so.2",
        Arch::Arm64 => "/lib/ld-linux-aarch64.so.1",
        Arch::ArmEabihf => "/lib/ld-linux-armhf.so.3",
        Arch::ArmEabi => "/lib/ld-linux.so.3",
    }
}
