//! The mirror's directory, which belongs to the work.
//!
//! The work may remove it, make it again, or put a link to anywhere on the host
//! in its place or above it. So it is looked for anew each time, name by name
//! and through no link, below a directory that the work cannot touch.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use crate::tree;

/// Where a mirror's directory is.
#[derive(Debug, Clone)]
pub struct Local {
    base: PathBuf,
    below: PathBuf,
}

impl Local {
    /// The directory at the path `below` `base`, of which the work can change
    /// neither the directory itself nor its name.
    #[must_use]
    pub fn new(base: &Path, below: &Path) -> Self {
        Self {
            base: base.to_owned(),
            below: below.to_owned(),
        }
    }

    /// Makes the directory. To be called before the work begins.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn make(&self) -> io::Result<()> {
        std::fs::create_dir_all(self.path())
    }

    /// What it is called where somebody reads it.
    pub(super) fn path(&self) -> PathBuf {
        self.base.join(&self.below)
    }

    /// Opens it; `None` when the work has removed or replaced it. What is
    /// missing because a disk went away is an error.
    pub(super) fn open(&self) -> io::Result<Option<OwnedFd>> {
        tree::descend_if_there(&tree::open_root(&self.base)?, &self.below)
    }

    /// Opens a directory inside; `None` when it is gone.
    pub(super) fn open_inside(&self, path: &Path) -> io::Result<Option<OwnedFd>> {
        tree::descend_if_there(&tree::open_root(&self.base)?, &self.below.join(path))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn no_link_in_its_place_or_above_it_is_followed() {
        let (base, host) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::create_dir(host.path().join("inner")).unwrap();
        symlink(host.path(), base.path().join("above")).unwrap();
        symlink(host.path().join("inner"), base.path().join("link")).unwrap();
        std::fs::create_dir_all(base.path().join("real/inner")).unwrap();
        std::fs::write(base.path().join("file"), "x").unwrap();
        let cases = [
            ("", true),
            ("real/inner", true),
            ("above/inner", false),
            ("link", false),
            ("file", false),
            ("absent", false),
        ];
        for (below, is_there) in cases {
            let local = Local::new(base.path(), Path::new(below));
            assert_eq!(local.open().unwrap().is_some(), is_there, "{below}");
            let inside = Local::new(base.path(), Path::new(""));
            let inside = inside.open_inside(Path::new(below));
            assert_eq!(inside.unwrap().is_some(), is_there, "{below}");
        }
    }

    #[test]
    fn a_base_that_is_gone_and_a_way_upwards_are_errors() {
        let base = tempfile::tempdir().unwrap();
        let gone = base.path().join("gone");
        assert!(Local::new(&gone, Path::new("a")).open().is_err());
        assert!(Local::new(base.path(), Path::new("../..")).open().is_err());
    }
}
