//! A target's parts: what a build needs that depends on the target alone, made
//! from C sources by `zig cc` once and kept.
//!
//! Making them takes a second or two and a writable folder; using them takes
//! neither, so that a build in a sandbox has only its own data to add. A new
//! kind of parts is a variant of [`Kind`] and the [`Recipe`] that it answers.

mod error;
mod link;
mod make;
mod neural;
mod recipe;
mod target;
mod toolchain;
mod trees;

pub use error::PartsError;
pub(crate) use link::{library_name, loader_name, shared_library};
pub use make::make;
pub use toolchain::{Toolchain, ZIG_VERSION};

use blake2::digest::consts::U16;
use blake2::{Blake2b, Digest};

use crate::target::Platform;
use recipe::Recipe;

/// Which parts a build needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Those of tree ensembles: the kernel's object and the loader.
    Trees,
    /// Those of neural networks: the loader over IREE's runtime.
    Neural,
}

impl Kind {
    fn recipe(self, platform: &Platform) -> Recipe {
        match self {
            Self::Trees => trees::recipe(platform),
            Self::Neural => neural::recipe(platform),
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Trees => "trees",
            Self::Neural => "neural",
        }
    }
}

/// The name of the directory in which these parts may be kept: it changes with
/// every source, every flag and the compiler.
#[must_use]
pub fn name(platform: &Platform, kind: Kind) -> String {
    let mut hash = Blake2b::<U16>::new();
    hash.update(ZIG_VERSION);
    kind.recipe(platform).feed(&mut hash);
    let hash = hex::encode(hash.finalize());
    format!("{}-{}-{hash}", kind.word(), target::triple(platform))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::{Arch, Os};

    fn platform(os: Os, arch: Arch, features: &[&str]) -> Platform {
        Platform {
            os,
            arch,
            cpu: None,
            features: features.iter().map(|&feature| feature.to_owned()).collect(),
        }
    }

    #[test]
    fn names_tell_apart_what_is_built_differently() {
        let trees = |os, arch, features| name(&platform(os, arch, features), Kind::Trees);
        let plain = trees(Os::Linux, Arch::ArmEabihf, &[]);
        assert!(
            plain.starts_with("trees-arm-linux-gnueabihf.2.19-"),
            "{plain}"
        );
        assert_eq!(plain, trees(Os::Linux, Arch::ArmEabihf, &[]));
        assert_ne!(plain, trees(Os::Linux, Arch::ArmEabihf, &["+neon"]));
        // The kernel looks at an x86 processor when it runs.
        let wide = trees(Os::Linux, Arch::X86_64, &["+avx2"]);
        assert_eq!(wide, trees(Os::Linux, Arch::X86_64, &[]));
        assert_ne!(wide, trees(Os::Android, Arch::X86_64, &[]));
    }
}
