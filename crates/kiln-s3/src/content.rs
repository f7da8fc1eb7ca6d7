//! The bytes of an object on their way out, read in blocks: from a plain file
//! as they are, from a sealed one opened.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::PathBuf;

use bytes::Bytes;

use crate::S3Error;
use crate::sealing::Opener;

/// Large enough that the cost of a switch to a blocking thread vanishes.
const BLOCK: u64 = 1 << 20;

/// A range of an open body.
#[derive(Debug)]
pub(crate) struct Content {
    path: PathBuf,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Plain { file: File, rest: Range<u64> },
    Sealed(Box<Opener>),
}

impl Content {
    /// These bytes of a plain body.
    pub(crate) fn plain(path: PathBuf, file: File, bytes: Range<u64>) -> Self {
        let source = Source::Plain { file, rest: bytes };
        Self { path, source }
    }

    /// What the opener opens.
    pub(crate) fn sealed(path: PathBuf, opener: Opener) -> Self {
        let source = Source::Sealed(Box::new(opener));
        Self { path, source }
    }

    /// The next bytes; none at the end. A body that is shorter than its object,
    /// or not what was stored, is an error.
    pub(crate) fn next_block(&mut self) -> Result<Bytes, S3Error> {
        let block = match &mut self.source {
            Source::Plain { file, rest } => next_plain(file, rest),
            Source::Sealed(opener) => opener.next_block(BLOCK),
        };
        block.map_err(S3Error::file("read", &self.path))
    }
}

fn next_plain(file: &File, rest: &mut Range<u64>) -> io::Result<Bytes> {
    let length = (rest.end - rest.start).min(BLOCK);
    if length == 0 {
        return Ok(Bytes::new());
    }
    let block = read_at(file, rest.start, length)?;
    rest.start += length;
    Ok(block.into())
}

/// Reads exactly these bytes of a file. The memory is not zeroed before.
pub(crate) fn read_at(mut file: &File, offset: u64, length: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(offset))?;
    let mut block = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    file.take(length).read_to_end(&mut block)?;
    if (block.len() as u64) < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(block)
}
