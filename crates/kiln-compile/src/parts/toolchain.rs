//! The `zig` program of the PyPI package `ziglang`: clang and lld for every
//! target in one file.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::PartsError;

/// The version that parts are made with. Another one would make other parts
/// under the same name.
pub const ZIG_VERSION: &str = "0.17.0";

/// A compiler and linker for every target.
#[derive(Debug, Clone)]
pub struct Toolchain {
    zig: PathBuf,
}

impl Toolchain {
    /// The toolchain whose `zig` program lies here, with its `lib` beside it.
    #[must_use]
    pub fn new(zig: impl Into<PathBuf>) -> Self {
        let zig = zig.into();
        // zig runs in other folders than this program.
        let zig = std::path::absolute(&zig).unwrap_or(zig);
        Self { zig }
    }

    /// Fails unless it is the version that parts are made with.
    pub fn check_version(&self) -> Result<(), PartsError> {
        let output = Command::new(&self.zig).arg("version").output();
        let output = output.map_err(PartsError::io(self.doing()))?;
        let found = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if found == ZIG_VERSION {
            return Ok(());
        }
        let wanted = ZIG_VERSION;
        Err(PartsError::Version { found, wanted })
    }

    /// Runs one of zig's commands in a folder, with its caches there too.
    pub(crate) fn run(
        &self,
        what: &str,
        arguments: &[String],
        folder: &Path,
    ) -> Result<(), PartsError> {
        let mut command = Command::new(&self.zig);
        command
            .args(arguments)
            .current_dir(folder)
            .env("ZIG_GLOBAL_CACHE_DIR", folder.join(".zig-global"))
            .env("ZIG_LOCAL_CACHE_DIR", folder.join(".zig-local"));
        // One that outlived us would go on writing where the next builder works.
        #[cfg(target_os = "linux")]
        kiln_minder::attend(&mut command);
        let output = command.output().map_err(PartsError::io(self.doing()))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(PartsError::Refused {
            what: what.to_owned(),
            said: said.trim().to_owned(),
        })
    }

    fn doing(&self) -> String {
        format!("Starting {}", self.zig.display())
    }
}
