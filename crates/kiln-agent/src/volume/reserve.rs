//! What jobs must leave of a disk, since the server's own files are on it too.

use std::io;
use std::path::Path;
use std::time::Duration;

use nix::sys::statvfs::statvfs;

/// The least and the most that is left for others, of a disk of any size.
const LEAST: u64 = 512 << 20;
const MOST: u64 = 4 << 30;
/// Of the files that a disk can have, the part that is left for others.
const FILES: u64 = 100;

/// How long a job waits for each that holds more of the disk than itself.
const TURN: Duration = Duration::from_secs(10);

/// What a disk has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Left {
    pub(super) bytes: u64,
    files: u64,
}

/// What must be left of a disk.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reserve(Left);

impl Reserve {
    /// One hundredth of the disk, within bounds, and never more than half of
    /// what is left now: a job that needs little can run on a disk that was
    /// nearly full before it came.
    pub(super) fn of_disk(path: &Path) -> io::Result<Self> {
        let disk = statvfs(path)?;
        let (size, left) = (disk.blocks() * disk.fragment_size(), Left::on_disk(path)?);
        Ok(Self(reserve(size, disk.files(), left)))
    }

    /// More than any disk has.
    #[cfg(test)]
    pub(super) fn whole() -> Self {
        Self(Left {
            bytes: u64::MAX,
            files: 0,
        })
    }

    pub(super) fn is_touched(self, left: Left) -> bool {
        left.bytes < self.0.bytes || left.files < self.0.files
    }
}

impl Left {
    pub(super) fn on_disk(path: &Path) -> io::Result<Self> {
        let disk = statvfs(path)?;
        Ok(Self {
            bytes: disk.blocks_available() * disk.fragment_size(),
            files: disk.files_available(),
        })
    }
}

/// A file system that makes room for files as they come says that it has none.
fn reserve(size: u64, files: u64, left: Left) -> Left {
    let bytes = (size / 100).clamp(LEAST, MOST);
    Left {
        bytes: bytes.min(left.bytes / 2),
        files: (files / FILES).min(left.files / 2),
    }
}

/// How long a job may still hold what it has when a disk runs full: the one that
/// holds the most goes first, and perhaps that was enough.
pub(super) fn patience(own: u64, others: &[u64]) -> Duration {
    let larger = others.iter().filter(|held| **held > own).count();
    TURN * u32::try_from(larger).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;
    const GIB: u64 = 1 << 30;

    #[test]
    fn what_is_left_for_others_follows_from_the_disk() {
        // The disk, what is left of it, and what must be.
        let cases = [
            (100 * GIB, 80 * GIB, GIB),
            (10 * GIB, 8 * GIB, 512 * MIB),
            (9000 * GIB, 80 * GIB, 4 * GIB),
            (9000 * GIB, GIB, 512 * MIB),
            (GIB, 600 * MIB, 300 * MIB),
            (GIB, 0, 0),
        ];
        for (size, bytes, expected) in cases {
            let left = Left { bytes, files: 50 };
            let reserve = reserve(size, 1000, left);
            assert_eq!(reserve.bytes, expected, "{bytes} of {size}");
            assert!(!Reserve(reserve).is_touched(left));
        }
    }

    #[test]
    fn files_run_out_as_bytes_do() {
        let many = Left {
            bytes: GIB,
            files: 1000,
        };
        let reserve = Reserve(reserve(GIB, 10_000, many));
        assert!(!reserve.is_touched(Left { files: 100, ..many }));
        assert!(reserve.is_touched(Left { files: 99, ..many }));
        let uncounted = Left { files: 0, ..many };
        assert!(!Reserve(super::reserve(GIB, 0, uncounted)).is_touched(uncounted));
    }

    #[test]
    fn the_largest_goes_first() {
        let cases = [
            (5, &[][..], 0),
            (5, &[1, 2, 4], 0),
            (5, &[5, 5], 0),
            (5, &[6, 1], 1),
            (5, &[6, 7, 8], 3),
        ];
        for (own, others, turns) in cases {
            assert_eq!(patience(own, others), TURN * turns, "{own} of {others:?}");
        }
    }
}
