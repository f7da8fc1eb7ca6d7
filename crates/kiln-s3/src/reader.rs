//! Sending bodies: a file in large chunks, one chunk read ahead of the network.

use std::fs::File;
use std::io::{self, Read};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::{FutureExt, Stream};
use s3s::StdError;
use s3s::stream::{ByteStream, RemainingLength};
use tokio::task::JoinHandle;

/// Large enough that the cost of a switch to a blocking thread vanishes.
const CHUNK: u64 = 1 << 20;

/// The rest of an open file, up to a number of bytes.
pub(crate) struct BodyStream {
    file: Arc<File>,
    /// Bytes that no read has been started for.
    unread: u64,
    /// Bytes that have not been handed out.
    unsent: u64,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
}

impl BodyStream {
    /// Streams `length` bytes from where the file stands.
    pub(crate) fn new(file: File, length: u64) -> Self {
        Self {
            file: Arc::new(file),
            unread: length,
            unsent: length,
            reading: None,
        }
    }

    /// Starts to read the next chunk, if there is one.
    fn read_on(&mut self) {
        let length = self.unread.min(CHUNK);
        self.unread -= length;
        self.reading = (length > 0).then(|| {
            let file = Arc::clone(&self.file);
            tokio::task::spawn_blocking(move || read_exactly(&file, length))
        });
    }
}

fn read_exactly(file: &File, length: u64) -> io::Result<Bytes> {
    let mut chunk = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    file.take(length).read_to_end(&mut chunk)?;
    if (chunk.len() as u64) < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(chunk.into())
}

impl Stream for BodyStream {
    type Item = Result<Bytes, StdError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.reading.is_none() {
            self.read_on();
        }
        let Some(reading) = &mut self.reading else {
            return Poll::Ready(None);
        };
        let chunk = match std::task::ready!(reading.poll_unpin(cx)) {
            Ok(Ok(chunk)) => chunk,
            Ok(Err(error)) => return self.fail(error.into()),
            Err(error) => return self.fail(error.into()),
        };
        self.unsent -= chunk.len() as u64;
        self.read_on();
        Poll::Ready(Some(Ok(chunk)))
    }
}

impl BodyStream {
    fn fail(&mut self, error: StdError) -> Poll<Option<Result<Bytes, StdError>>> {
        self.reading = None;
        self.unread = 0;
        Poll::Ready(Some(Err(error)))
    }
}

impl ByteStream for BodyStream {
    fn remaining_length(&self) -> RemainingLength {
        RemainingLength::new_exact(usize::try_from(self.unsent).unwrap_or(usize::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::StreamExt;
    use std::io::{Seek, SeekFrom, Write};

    async fn streamed(content: &[u8], start: u64, length: u64) -> Result<Vec<u8>, StdError> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        file.seek(SeekFrom::Start(start)).unwrap();
        let mut stream = BodyStream::new(file, length);
        let mut all = Vec::new();
        while let Some(chunk) = stream.next().await {
            all.extend_from_slice(&chunk?);
        }
        assert_eq!(stream.remaining_length().exact(), Some(0));
        Ok(all)
    }

    #[tokio::test]
    async fn a_stream_is_exactly_the_range() {
        let content: Vec<u8> = (0..3_000_000u32).map(|n| n.to_le_bytes()[0]).collect();
        assert_eq!(streamed(&content, 0, 3_000_000).await.unwrap(), content);
        assert_eq!(
            streamed(&content, 7, 2_000_000).await.unwrap(),
            content[7..2_000_007]
        );
        assert!(streamed(&content, 9, 0).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_short_file_is_an_error() {
        assert!(streamed(b"short", 0, 6).await.is_err());
    }
}
