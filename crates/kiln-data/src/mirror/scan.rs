//! What is in the directory: every file that is to be in the store too.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::sys::stat::FileStat;

use super::ledger::{Scan, Stamp};
use super::markers;
use crate::tree::{Kind, Unreadable, Walk};

/// Bytes of the longest key in S3.
const LONGEST_KEY: usize = 1024;
/// Bytes that are shown of a path that is longer.
const SHOWN: usize = 200;
/// What all files together may take in memory, in bytes.
const ROOM: usize = 256 << 20;
/// What is kept of a file, by the scan and by the ledger, besides its path, which
/// both keep.
const FILE: usize = 256;

/// A scan, and why it could not see all.
pub(super) type Seen = (Scan, Vec<Unreadable>);

/// Looks through the directory.
pub(super) fn scan(root: OwnedFd) -> io::Result<Seen> {
    scan_within(ROOM, root)
}

/// Looks through as much of the directory as there is room for. The work may have
/// made paths that are longer than a key, and more files than memory holds.
fn scan_within(room: usize, root: OwnedFd) -> io::Result<Seen> {
    let mut scan = Scan::default();
    let mut unreadable = Vec::new();
    let (mut taken, mut too_long) = (0, false);
    for entry in Walk::through(vec![root])? {
        let path = match &entry {
            Ok(entry) if entry.kind == Kind::File && is_mirrored(&entry.path) => &entry.path,
            Ok(_) => continue,
            Err(failed) => &failed.path,
        };
        // Nothing was ever stored from there.
        if path.as_os_str().len() > LONGEST_KEY {
            if !std::mem::replace(&mut too_long, true) {
                unreadable.push(overlong(path));
            }
            continue;
        }
        taken += 2 * path.as_os_str().len() + FILE;
        if taken > room {
            scan.unseen.push(PathBuf::new());
            unreadable.push(overflown());
            break;
        }
        match entry {
            Ok(entry) => {
                scan.files.insert(entry.path, stamp(&entry.stat));
            }
            Err(failed) => {
                scan.unseen.push(failed.path.clone());
                unreadable.push(failed);
            }
        }
    }
    Ok((scan, unreadable))
}

/// A file that can have no key, by the beginning of its path.
fn overlong(path: &Path) -> Unreadable {
    let beginning = &path.as_os_str().as_bytes()[..SHOWN];
    let why = format!("a key in S3 has no more than {LONGEST_KEY} bytes");
    Unreadable {
        path: OsStr::from_bytes(beginning).into(),
        error: io::Error::new(io::ErrorKind::InvalidFilename, why),
    }
}

fn overflown() -> Unreadable {
    let why = "there are more files than can be kept in step";
    Unreadable {
        path: PathBuf::from("."),
        error: io::Error::new(io::ErrorKind::FileTooLarge, why),
    }
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
    use super::super::ledger::{Haste, Ledger};
    use super::*;
    use crate::tree::open_root;

    #[test]
    fn a_path_that_is_longer_than_a_key_is_named_once_and_not_kept() {
        let directory = tempfile::tempdir().unwrap();
        let name = "d".repeat(250);
        let deep = directory.path().join([name.as_str(); 5].join("/"));
        std::fs::create_dir_all(&deep).unwrap();
        for name in ["a", "b"] {
            std::fs::write(deep.join(name), name).unwrap();
        }
        std::fs::write(directory.path().join("short"), "x").unwrap();
        let (scan, unreadable) = scan(open_root(directory.path()).unwrap()).unwrap();
        assert!(scan.files.keys().eq([Path::new("short")]));
        assert!(scan.unseen.is_empty());
        let [failed] = &unreadable[..] else {
            panic!("{unreadable:?}")
        };
        assert_eq!(failed.error.kind(), io::ErrorKind::InvalidFilename);
        assert_eq!(failed.path.as_os_str().len(), SHOWN);
    }

    #[test]
    fn more_files_than_there_is_room_for_are_not_taken_for_gone() {
        let directory = tempfile::tempdir().unwrap();
        for number in 0..9 {
            std::fs::write(directory.path().join(number.to_string()), "x").unwrap();
        }
        let within = |files| {
            let room = files * (FILE + 2);
            scan_within(room, open_root(directory.path()).unwrap()).unwrap()
        };
        let (all, unreadable) = within(9);
        assert_eq!((all.files.len(), unreadable.len()), (9, 0));
        let (some, unreadable) = within(5);
        assert_eq!((some.files.len(), unreadable.len()), (5, 1));
        let mut ledger = Ledger::default();
        ledger.take(&all, Haste::Last, true);
        let actions = ledger.take(&some, Haste::Last, true);
        assert!(actions.gone.is_empty() && actions.delete.is_empty());
    }

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
        let (scan, unreadable) = scan(open_root(root).unwrap()).unwrap();
        let paths: Vec<_> = scan
            .files
            .keys()
            .map(|path| path.to_str().unwrap())
            .collect();
        assert_eq!(paths, ["a", "d/b"]);
        assert!(unreadable.is_empty() && scan.unseen.is_empty());
    }
}
