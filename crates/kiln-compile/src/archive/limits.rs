//! How much an archive may hold, and the reader that holds it to that.

use std::io::{self, Read};

use super::ArchiveError;

/// How much an archive may hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes, unpacked.
    pub bytes: u64,
    /// Entries: files, directories, and what tar writes of long names.
    pub entries: usize,
    /// Directories within directories.
    pub depth: usize,
    /// Bytes of a whole path.
    pub path: usize,
    /// How many times larger than the archive its contents may be, beyond
    /// [`Limits::free`].
    pub ratio: u64,
    /// Contents that may be as small in the archive as they like.
    pub free: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 8 << 30,
            entries: 20_000,
            depth: 16,
            path: 1024,
            // Trained weights hardly shrink to a half.
            ratio: 100,
            free: 256 << 20,
        }
    }
}

/// Counts what was unpacked, and stops where it is too much.
pub(super) struct Bounded<'a, R> {
    inner: R,
    limits: &'a Limits,
    /// The size of the archive.
    packed: u64,
    unpacked: u64,
}

impl<'a, R> Bounded<'a, R> {
    pub(super) fn new(inner: R, limits: &'a Limits, packed: u64) -> Self {
        Self {
            inner,
            limits,
            packed,
            unpacked: 0,
        }
    }

    fn exceeded(&self) -> Option<ArchiveError> {
        let Limits {
            bytes, ratio, free, ..
        } = *self.limits;
        if self.unpacked > bytes {
            return Some(ArchiveError::TooLarge { bytes });
        }
        let limit = self.packed.saturating_mul(ratio).saturating_add(free);
        (self.unpacked > limit).then_some(ArchiveError::Ratio { ratio })
    }
}

impl<R: Read> Read for Bounded<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.unpacked = self.unpacked.saturating_add(read as u64);
        match self.exceeded() {
            None => Ok(read),
            Some(error) => Err(io::Error::other(error)),
        }
    }
}
