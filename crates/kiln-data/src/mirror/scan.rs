//! What is in the directory: every file that is to be in the store too.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::sys::stat::FileStat;

use super::ledger::{Scan, Stamp};
use super::markers;
use crate::tree::{Kind, Unreadable, Walk};

/// A scan, and why it could not see all.
pub(super) type Seen = (Scan, Vec<Unreadable>);

/// Looks through the directory.
pub(super) fn scan(root: OwnedFd) -> io::Result<Seen> {
    let mut scan = Scan::default();
    let mut unreadable = Vec::new();
    for entry in Walk::through(vec![root])? {
        match entry {
            Ok(entry) if entry.kind == Kind::File && is_mirrored(&entry.path) => {
                scan.files.insert(entry.path, stamp(&entry.stat));
            }
            Ok(_) => {}
            Err(failed) => {
                scan.unseen.push(failed.path.clone());
                unreadable.push(failed);
            }
        }
    }
    Ok((scan, unreadable))
}

/// Neither a marker nor what the work has marked as not worth keeping.
pub(super) fn is_mirrored(path: &Path) -> bool {
    let path = path.as_os_str().as_bytes();
    let suffixes = [markers::IGNORE, markers::UPLOADING, markers::UPLOADED];
    !suffixes
        .iter()
        .any(|suffix| path.ends_with(suffix.as_bytes()))
}

pub(super) fn stamp(stat: &FileStat) -> Stamp {
    Stamp {
        size: stat.st_size.unsigned_abs(),
        inode: stat.st_ino,
        modified: (stat.st_mtime, stat.st_mtime_nsec),
        changed: (stat.st_ctime, stat.st_ctime_nsec),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_seen_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        std::fs::create_dir(root.join("d")).unwrap();
        for name in [
            "a",
            "d/b",
            "a.sagemaker-uploading",
            "a.sagemaker-uploaded",
            "d/tmp1.sagemaker-ignore",
        ] {
            std::fs::write(root.join(name), name).unwrap();
        }
        std::os::unix::fs::symlink("/etc/passwd", root.join("link")).unwrap();
        std::os::unix::fs::symlink("/etc", root.join("d/link")).unwrap();
        let (scan, unreadable) = scan(crate::tree::open_root(root).unwrap()).unwrap();
        let paths: Vec<_> = scan
            .files
            .keys()
            .map(|path| path.to_str().unwrap())
            .collect();
        assert_eq!(paths, ["a", "d/b"]);
        assert!(unreadable.is_empty() && scan.unseen.is_empty());
    }
}
