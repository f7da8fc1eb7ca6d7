//! An object's file on this machine, read once from its beginning to its end and
//! held against the object's checksum on the way.

use std::fs::File;
use std::io;

use bytes::Bytes;
use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};

use super::checksum::{Checksum, Digest};
use super::local::{LocalBody, block};

/// Bytes read at a time. They are still in a processor's own cache when they are
/// summed up and written; and for longer writes, file systems with large folios
/// look for room in memory that is long in coming.
const BLOCK: u64 = 128 << 10;

/// The bytes of a local body that are still to be read.
pub(crate) struct Checked {
    file: File,
    at: u64,
    size: u64,
    sum: Option<(Digest, Checksum)>,
}

/// A block of a file.
pub(crate) struct Block {
    /// Where it lies in the file.
    pub at: u64,
    /// All of it.
    pub bytes: Bytes,
}

impl Checked {
    /// All bytes of a file that is so long.
    pub(crate) fn new(local: LocalBody, size: u64) -> Self {
        // Reads further ahead where the file is not in memory yet.
        let sequential = PosixFadviseAdvice::POSIX_FADV_SEQUENTIAL;
        let _ = posix_fadvise(&local.file, 0, 0, sequential);
        let checksum = local.head.checksum;
        Self {
            file: local.file,
            at: 0,
            size,
            sum: checksum.map(|checksum| (checksum.digest(), checksum)),
        }
    }

    /// The file that is read.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    /// When the file cannot be read, or is shorter than it was.
    pub(crate) fn next(&mut self) -> io::Result<Option<Block>> {
        let at = self.at;
        if at == self.size {
            return Ok(None);
        }
        let bytes = block(&self.file, at, BLOCK.min(self.size - at))?;
        self.at += bytes.len() as u64;
        if let Some((digest, _)) = &mut self.sum {
            digest.update(&bytes);
        }
        Ok(Some(Block { at, bytes }))
    }

    /// Whether the bytes that were read, which must be all, are what was stored.
    pub(crate) fn agrees(self) -> bool {
        self.sum
            .is_none_or(|(digest, expected)| digest.agrees(&expected))
    }
}

#[cfg(test)]
mod tests {
    use crc_fast::CrcAlgorithm::Crc64Nvme;

    use super::super::ObjectHead;
    use super::*;

    fn checked(content: &[u8], size: u64, checksum: Option<Checksum>) -> Checked {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        let local = LocalBody {
            file: file.reopen().unwrap(),
            head: ObjectHead {
                size: Some(size),
                etag: None,
                checksum,
            },
        };
        Checked::new(local, size)
    }

    #[test]
    fn what_is_read_is_the_file_and_agrees_with_its_sum_alone() {
        let content: Vec<u8> = (0..BLOCK * 5 / 2).map(|n| (n % 251) as u8).collect();
        let sum = crc_fast::checksum(Crc64Nvme, &content);
        let cases = [
            (Some(Checksum::Crc(Crc64Nvme, sum)), true),
            (Some(Checksum::Crc(Crc64Nvme, sum ^ 1)), false),
            (None, true),
        ];
        for (checksum, agrees) in cases {
            let mut checked = checked(&content, content.len() as u64, checksum);
            let mut read = Vec::new();
            while let Some(block) = checked.next().unwrap() {
                assert_eq!(block.at, read.len() as u64);
                read.extend_from_slice(&block.bytes);
            }
            assert!(read == content);
            assert_eq!(checked.agrees(), agrees);
        }
    }

    #[test]
    fn a_file_that_became_shorter_is_an_error() {
        assert!(checked(b"short", 6, None).next().is_err());
    }
}
