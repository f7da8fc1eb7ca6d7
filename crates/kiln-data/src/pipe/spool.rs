//! Bytes whose number must be known before the first of them can go on.
//!
//! The first megabyte stays in memory, and only what is longer goes to a file
//! without a name.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::PathBuf;

use bytes::{Bytes, BytesMut};

use crate::DataError;

/// What stays in memory.
pub(super) const MEMORY: usize = 1 << 20;
/// What is read back at a time.
const CHUNK: usize = 256 << 10;

/// Bytes that are put aside, and come back in their order.
#[derive(Debug)]
pub(super) struct Spool {
    directory: PathBuf,
    memory: BytesMut,
    file: Option<File>,
    length: u64,
}

impl Spool {
    /// An empty spool, whose file goes into the directory if one is needed.
    pub(super) fn new(directory: PathBuf) -> Self {
        Self {
            directory,
            memory: BytesMut::new(),
            file: None,
            length: 0,
        }
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Whether these bytes would not fit into memory.
    pub(super) fn overflows_with(&self, bytes: &[u8]) -> bool {
        self.file.is_none() && self.memory.len() + bytes.len() > MEMORY
    }

    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), DataError> {
        self.length += bytes.len() as u64;
        if self.overflows_with(bytes) {
            self.file = Some(tempfile::tempfile_in(&self.directory).map_err(spooling())?);
        }
        match &mut self.file {
            Some(file) => file.write_all(bytes).map_err(spooling()),
            None => {
                self.memory.extend_from_slice(bytes);
                Ok(())
            }
        }
    }

    /// Ends the putting aside; the bytes come back from the beginning.
    pub(super) fn rewind(mut self) -> Result<Spooled, DataError> {
        if let Some(file) = &mut self.file {
            file.rewind().map_err(spooling())?;
        }
        Ok(Spooled(self))
    }
}

/// A spool that is read back.
#[derive(Debug)]
pub(super) struct Spooled(Spool);

impl Spooled {
    pub(super) fn next(&mut self) -> Result<Option<Bytes>, DataError> {
        if !self.0.memory.is_empty() {
            return Ok(Some(self.0.memory.split().freeze()));
        }
        let Some(file) = &mut self.0.file else {
            return Ok(None);
        };
        let mut chunk = vec![0; CHUNK];
        let read = file.read(&mut chunk).map_err(spooling())?;
        chunk.truncate(read);
        Ok((read > 0).then(|| chunk.into()))
    }
}

fn spooling() -> impl FnOnce(std::io::Error) -> DataError {
    DataError::in_the_works("putting a decompressed object aside to learn its length")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn bytes_come_back_in_their_order(sizes in prop::collection::vec(0usize..400_000, 0..9)) {
            let directory = tempfile::tempdir().unwrap();
            let mut spool = Spool::new(directory.path().to_owned());
            let mut expected = Vec::new();
            for (number, size) in sizes.into_iter().enumerate() {
                let bytes = vec![number as u8; size];
                spool.push(&bytes).unwrap();
                expected.extend(bytes);
            }
            prop_assert_eq!(spool.length(), expected.len() as u64);
            prop_assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
            let mut spooled = spool.rewind().unwrap();
            let mut back = Vec::new();
            while let Some(chunk) = spooled.next().unwrap() {
                back.extend_from_slice(&chunk);
            }
            prop_assert!(back == expected);
        }
    }
}
