//! A directory of a file system that several jobs share. Any of them may have
//! written the links in it, and may swap them at any moment: it is opened so
//! that no link leads out of the file system.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use serde::{Deserialize, Serialize};

use super::Mount;
use crate::rooted::open_directory;

/// A directory of a shared file system, seen inside a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedDirectory {
    /// The host directory that is the file system's root.
    pub root: PathBuf,
    /// The path in the file system.
    pub path: String,
    /// The absolute path inside the container.
    pub target: PathBuf,
    /// Whether writes are refused.
    pub read_only: bool,
}

impl SharedDirectory {
    /// Opens the directory. Links are followed as the file system's own users
    /// see them: from its root, and never out of it.
    ///
    /// # Errors
    /// When there is no such directory.
    pub fn open(&self) -> io::Result<OwnedFd> {
        let root = File::open(&self.root)?;
        Ok(open_directory(&root, Path::new(&self.path), OFlag::O_PATH)?)
    }

    /// The directory by its name at this moment, for who can mount by name only.
    /// Someone who writes to the file system could make the name another's.
    ///
    /// # Errors
    /// When there is no such directory.
    pub fn by_name(&self) -> io::Result<Mount> {
        let opened = self.open()?;
        Ok(Mount {
            source: std::fs::read_link(format!("/proc/self/fd/{}", opened.as_raw_fd()))?,
            target: self.target.clone(),
            read_only: self.read_only,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_do_not_lead_out_of_the_file_system() {
        let root = tempfile::tempdir().unwrap();
        let inside = root.path().join("data/set");
        std::fs::create_dir_all(&inside).unwrap();
        std::os::unix::fs::symlink("/data/set", root.path().join("absolute")).unwrap();
        std::os::unix::fs::symlink("../../../../data", root.path().join("upwards")).unwrap();
        std::os::unix::fs::symlink("/etc", root.path().join("outside")).unwrap();
        let real = root.path().canonicalize().unwrap();
        let cases = [
            ("/", Some("")),
            ("/data/set", Some("data/set")),
            ("/absolute", Some("data/set")),
            ("/upwards/set", Some("data/set")),
            ("/outside", None),
            ("/absent", None),
        ];
        for (path, expected) in cases {
            let shared = SharedDirectory {
                root: root.path().to_owned(),
                path: path.to_owned(),
                target: PathBuf::from("/opt/ml/input/data/c"),
                read_only: true,
            };
            let found = shared.by_name().ok().map(|mount| mount.source);
            // Components, since "a/" and "a" are one.
            let expected: Option<PathBuf> =
                expected.map(|below| real.join(below).components().collect());
            assert_eq!(found, expected, "{path}");
        }
    }
}
