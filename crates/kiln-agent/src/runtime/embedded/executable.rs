//! The program that becomes the shim, behind a read-only mount of its own.
//!
//! Code in a container that gets hold of the shim through `/proc/…/exe` could
//! otherwise write to the file that the server is started from.

use std::io;
use std::path::{Path, PathBuf};

use super::mounts::ReadOnlyMount;

/// An executable that cannot be written to through the processes that run it.
#[derive(Debug)]
pub struct ProtectedExecutable {
    mount: ReadOnlyMount,
}

impl ProtectedExecutable {
    /// Protects an executable.
    ///
    /// # Errors
    /// When it does not exist or the kernel refuses the mount.
    pub fn of(path: &Path) -> io::Result<Self> {
        Ok(Self {
            mount: ReadOnlyMount::of(path)?,
        })
    }

    /// The path by which this process and its children, until they execute
    /// something, can execute it.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.mount.descriptor()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    #[test]
    fn a_protected_executable_runs_but_cannot_be_written_to() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("program");
        std::fs::copy("/bin/true", &path).unwrap();
        let protected = ProtectedExecutable::of(&path).unwrap();
        assert!(
            std::process::Command::new(protected.path())
                .status()
                .unwrap()
                .success()
        );
        let error = File::options()
            .write(true)
            .open(protected.path())
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ReadOnlyFilesystem);
        assert!(File::options().write(true).open(&path).is_ok());
    }
}
