//! The entries of a tar, one after another and as they are: what one says of the next is
//! read by whoever walks.

use std::io::{self, Read, Take};

use tar::Header;

use super::ArchiveError;

/// What a tar is cut into.
const BLOCK: u64 = 512;

/// A tar that is read once, from its beginning to its end.
pub(super) struct Walk<R> {
    inner: R,
}

impl<R: Read> Walk<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner }
    }

    /// What is behind the last entry that was asked for.
    pub(super) fn into_inner(self) -> R {
        self.inner
    }

    /// The header of the next entry; `None` when there is none.
    pub(super) fn next(&mut self) -> io::Result<Option<Header>> {
        let mut block = Vec::new();
        self.inner.by_ref().take(BLOCK).read_to_end(&mut block)?;
        if block.iter().all(|byte| *byte == 0) && [0, BLOCK].contains(&(block.len() as u64)) {
            return Ok(None);
        }
        let mut header = Header::new_old();
        let bytes = header.as_mut_bytes();
        if block.len() != bytes.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes.copy_from_slice(&block);
        match header.cksum()? == sum(&block) {
            true => Ok(Some(header)),
            false => Err(io::Error::other("the check sum of a header is wrong")),
        }
    }

    /// Hands out the content of the entry whose header came last, and goes to the end of it.
    pub(super) fn entry<T>(
        &mut self,
        size: u64,
        take: impl FnOnce(&mut Take<&mut R>) -> Result<T, ArchiveError>,
    ) -> Result<T, ArchiveError> {
        let mut content = self.inner.by_ref().take(size);
        let taken = take(&mut content)?;
        let left = content.limit();
        let padding = (BLOCK - size % BLOCK) % BLOCK;
        for bytes in [left, padding] {
            self.skip(bytes).map_err(ArchiveError::unreadable)?;
        }
        Ok(taken)
    }

    fn skip(&mut self, bytes: u64) -> io::Result<()> {
        match io::copy(&mut self.inner.by_ref().take(bytes), &mut io::sink())? {
            skipped if skipped == bytes => Ok(()),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// The check sum of a header, in which it counts as blanks itself.
fn sum(block: &[u8]) -> u32 {
    let counted = block.iter().enumerate().map(|(at, byte)| match at {
        148..156 => u32::from(b' '),
        _ => u32::from(*byte),
    });
    counted.sum()
}
