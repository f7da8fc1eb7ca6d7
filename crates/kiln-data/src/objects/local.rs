//! Reading objects past the network, from a store on this machine.
//!
//! Such a store may show the file that holds an object's bytes as they are. A
//! body is written once and never changes, so a file that is open is that object
//! whole, whatever becomes of the key meanwhile; what is read of it is held
//! against the same entity tag and checksum as an answer would be. Wherever
//! there is no such file, or anything about it is odd, the store is asked as any
//! other is.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use tokio::task::JoinHandle;

use super::ObjectHead;
use crate::DataError;

/// What is shorter comes as quickly over the network.
pub(super) const WORTH_ASKING: u64 = 1 << 20;
/// Bytes read at a time: few enough to stay in a processor's cache until they
/// are written on.
const BLOCK: u64 = 256 << 10;

/// The open file of an object's bytes, and what is known of the object.
#[derive(Debug)]
pub struct LocalBody {
    /// The bytes, all of them and nothing else.
    pub file: File,
    /// What an answer would say of them.
    pub head: ObjectHead,
}

/// Finds the files behind objects.
pub trait LocalBodies: Send + Sync {
    /// The file of the object that has this key now; `None` wherever the object
    /// had better be asked for.
    fn find<'a>(&'a self, bucket: &'a str, key: &'a str) -> BoxFuture<'a, Option<LocalBody>>;
}

/// A range of an open file, block after block, one of them read ahead.
pub(super) struct FileReader {
    file: Arc<File>,
    rest: Range<u64>,
    reading: JoinHandle<std::io::Result<Bytes>>,
}

impl FileReader {
    pub(super) fn new(file: File, mut rest: Range<u64>) -> Self {
        let file = Arc::new(file);
        Self {
            reading: begin(&file, &mut rest),
            file,
            rest,
        }
    }

    /// The next block; empty at the end. Dropping the future loses none.
    pub(super) async fn next(&mut self) -> Result<Bytes, DataError> {
        let failed = DataError::io("reading an object's file");
        let block = match (&mut self.reading).await {
            Ok(read) => read.map_err(failed)?,
            Err(error) => return Err(failed(error.into())),
        };
        self.reading = begin(&self.file, &mut self.rest);
        Ok(block)
    }
}

/// Begins to read the first block of the rest, which becomes shorter by it. No
/// two blocks are read at once, since they share the file's position.
fn begin(file: &Arc<File>, rest: &mut Range<u64>) -> JoinHandle<std::io::Result<Bytes>> {
    let from = rest.start;
    let length = (rest.end - from).min(BLOCK);
    rest.start += length;
    let file = Arc::clone(file);
    tokio::task::spawn_blocking(move || block(&file, from, length))
}

/// Reads exactly these bytes, into memory that is not zeroed before.
pub(super) fn block(mut file: &File, from: u64, length: u64) -> std::io::Result<Bytes> {
    let mut block = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    file.seek(SeekFrom::Start(from))?;
    file.take(length).read_to_end(&mut block)?;
    if (block.len() as u64) < length {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(block.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(file: File, range: Range<u64>) -> Result<Vec<u8>, DataError> {
        let mut reader = FileReader::new(file, range);
        let mut all = Vec::new();
        loop {
            match reader.next().await? {
                block if block.is_empty() => return Ok(all),
                block => all.extend_from_slice(&block),
            }
        }
    }

    #[tokio::test]
    async fn a_range_of_a_file_is_read_block_by_block() {
        let content: Vec<u8> = (0..700_001_u32).map(|n| (n % 251) as u8).collect();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &content).unwrap();
        for range in [0..700_001, 0..0, 5..6, 17..BLOCK + 17, 699_999..700_001] {
            let place = range.start as usize..range.end as usize;
            let bytes = read(file.reopen().unwrap(), range).await.unwrap();
            assert!(bytes == content[place]);
        }
        let missing = read(file.reopen().unwrap(), 699_999..700_002).await;
        assert!(missing.is_err());
    }
}
