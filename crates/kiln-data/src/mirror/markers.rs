//! The files that tell the work which of its files are being stored.
//!
//! Beside a file stands `<name>.sagemaker-uploading` while it is stored and
//! `<name>.sagemaker-uploaded` when it has been. The directory belongs to the
//! work, which may be hostile: markers are made and removed by name relative to
//! a directory's descriptor, and never where something stands already. A marker
//! that cannot be made is no reason not to store the file.

use std::ffi::OsString;
use std::os::fd::OwnedFd;

use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, unlinkat};

pub(super) const IGNORE: &str = ".sagemaker-ignore";
pub(super) const UPLOADING: &str = ".sagemaker-uploading";
pub(super) const UPLOADED: &str = ".sagemaker-uploaded";

/// The mark on a file that is being stored. It goes when this is dropped.
#[derive(Debug)]
pub(super) struct Uploading {
    directory: OwnedFd,
    name: OsString,
}

impl Uploading {
    pub fn begin(directory: OwnedFd, name: OsString) -> Self {
        let marks = Self { directory, name };
        // In this order: the work takes a file with both marks for stored.
        make(&marks.directory, &marks.name, UPLOADING);
        remove(&marks.directory, &marks.name, UPLOADED);
        marks
    }

    /// The file has been stored.
    pub fn done(self) {
        make(&self.directory, &self.name, UPLOADED);
    }
}

impl Drop for Uploading {
    fn drop(&mut self) {
        remove(&self.directory, &self.name, UPLOADING);
    }
}

/// Removes what marks a file that is gone.
pub(super) fn clear(directory: &OwnedFd, name: &OsString) {
    remove(directory, name, UPLOADED);
}

fn make(directory: &OwnedFd, name: &OsString, suffix: &str) {
    let flags =
        OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mode = Mode::S_IRUSR | Mode::S_IWUSR | Mode::S_IRGRP | Mode::S_IROTH;
    if let Err(error) = openat(directory, marker(name, suffix).as_os_str(), flags, mode) {
        tracing::debug!(?name, %error, "no marker {suffix}");
    }
}

fn remove(directory: &OwnedFd, name: &OsString, suffix: &str) {
    // One that is not there needs no removing.
    let marker = marker(name, suffix);
    let _ = unlinkat(directory, marker.as_os_str(), UnlinkatFlags::NoRemoveDir);
}

fn marker(name: &OsString, suffix: &str) -> OsString {
    let mut marker = name.clone();
    marker.push(suffix);
    marker
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::tree;

    fn begin(directory: &Path) -> Uploading {
        Uploading::begin(tree::open_root(directory).unwrap(), "f".into())
    }

    fn names(directory: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(directory).unwrap();
        let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name();
        let mut names: Vec<_> = entries
            .map(|entry| name(entry).into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn marks_follow_the_upload() {
        let directory = tempfile::tempdir().unwrap();
        for _ in 0..2 {
            let marks = begin(directory.path());
            assert_eq!(names(directory.path()), ["f.sagemaker-uploading"]);
            marks.done();
            assert_eq!(names(directory.path()), ["f.sagemaker-uploaded"]);
        }
        drop(begin(directory.path()));
        assert!(names(directory.path()).is_empty());
    }

    #[test]
    fn a_link_in_a_marker_s_place_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let precious = directory.path().join("precious");
        for suffix in [UPLOADING, UPLOADED] {
            let link = directory.path().join(format!("f{suffix}"));
            std::os::unix::fs::symlink(&precious, link).unwrap();
        }
        begin(directory.path()).done();
        assert!(!precious.exists());
    }
}
