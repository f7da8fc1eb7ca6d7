//! What a build is for: an operating system, a processor, and what the processor
//! can do.

use std::fmt;

/// An operating system that artifacts are built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Os {
    /// Linux with glibc.
    Linux,
    /// Android, whose C library is its own.
    Android,
    /// Windows.
    Windows,
}

/// A processor architecture that artifacts are built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Arch {
    /// 64-bit x86.
    X86_64,
    /// 32-bit x86.
    X86,
    /// 64-bit ARM.
    Arm64,
    /// 32-bit ARM with floating-point registers in its calling convention.
    ArmEabihf,
    /// 32-bit ARM without.
    ArmEabi,
}

/// What native code is built for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Platform {
    /// The operating system.
    pub os: Os,
    /// The processor's architecture.
    pub arch: Arch,
    /// The processor, as LLVM names it; the architecture's least one if none.
    pub cpu: Option<String>,
    /// Further features as LLVM names them, each with `+` or `-` before it.
    pub features: Vec<String>,
}

impl Platform {
    /// Whether code for it runs on this very machine. Where that is not certain, it does
    /// not.
    #[must_use]
    pub fn is_native(&self) -> bool {
        self.is_of_this_program() && super::processor::has(self.cpu.as_deref(), &self.features)
    }

    /// Whether this program is for the same system and architecture, so that code which
    /// looks at its processor before it uses more than the least runs here.
    #[must_use]
    pub fn is_of_this_program(&self) -> bool {
        let native = if cfg!(target_arch = "x86_64") {
            Some(Arch::X86_64)
        } else if cfg!(target_arch = "aarch64") {
            Some(Arch::Arm64)
        } else {
            None
        };
        self.os == Os::Linux && cfg!(target_os = "linux") && native == Some(self.arch)
    }

    /// The target triple as LLVM writes it.
    #[must_use]
    pub fn llvm_triple(&self) -> &'static str {
        match (self.os, self.arch) {
            (Os::Linux, Arch::X86_64) => "x86_64-unknown-linux-gnu",
            (Os::Linux, Arch::X86) => "i686-unknown-linux-gnu",
            (Os::Linux, Arch::Arm64) => "aarch64-unknown-linux-gnu",
            (Os::Linux, Arch::ArmEabihf) => "armv7a-unknown-linux-gnueabihf",
            (Os::Linux, Arch::ArmEabi) => "armv7a-unknown-linux-gnueabi",
            (Os::Android, Arch::X86_64) => "x86_64-unknown-linux-android29",
            (Os::Android, Arch::X86) => "i686-unknown-linux-android29",
            (Os::Android, Arch::Arm64) => "aarch64-unknown-linux-android29",
            (Os::Android, Arch::ArmEabihf | Arch::ArmEabi) => "armv7a-unknown-linux-androideabi29",
            (Os::Windows, Arch::X86_64) => "x86_64-pc-windows-msvc",
            (Os::Windows, Arch::X86) => "i686-pc-windows-msvc",
            (Os::Windows, Arch::Arm64) => "aarch64-pc-windows-msvc",
            (Os::Windows, Arch::ArmEabihf | Arch::ArmEabi) => "armv7a-pc-windows-msvc",
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.llvm_triple())?;
        if let Some(cpu) = &self.cpu {
            write!(f, " ({cpu})")?;
        }
        Ok(())
    }
}
