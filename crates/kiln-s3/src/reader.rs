//! Sending bodies: one block read ahead of the network, on a thread that may block.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::{FutureExt, Stream};
use s3s::StdError;
use s3s::stream::{ByteStream, RemainingLength};
use tokio::task::JoinHandle;

use crate::S3Error;
use crate::content::Content;

type Read = (Content, Result<Bytes, S3Error>);

/// A range of an object as a stream.
pub(crate) struct BodyStream {
    next: Next,
    /// Bytes that have not been handed out.
    unsent: u64,
}

enum Next {
    /// A block that is to be handed out, and where the blocks behind it come from.
    Block(Bytes, Content),
    Reading(JoinHandle<Read>),
    Nothing,
}

impl BodyStream {
    /// Streams `length` bytes, of which it reads the first block at once: most
    /// objects have no other, and an answer that has not begun can still become
    /// an error. This blocks.
    pub(crate) fn open(mut content: Content, length: u64) -> Result<Self, S3Error> {
        let first = content.next_block()?;
        Ok(Self {
            next: Next::Block(first, content),
            unsent: length,
        })
    }

    /// Hands out a block, and begins to read the one behind it.
    fn send(&mut self, block: Bytes, content: Content) -> Poll<Option<Result<Bytes, StdError>>> {
        self.unsent = self.unsent.saturating_sub(block.len() as u64);
        self.next = if self.unsent > 0 {
            Next::Reading(tokio::task::spawn_blocking(move || read(content)))
        } else {
            Next::Nothing
        };
        Poll::Ready((!block.is_empty()).then_some(Ok(block)))
    }

    /// Breaks the answer off: what was promised cannot be sent.
    fn fail(&mut self, error: StdError) -> Poll<Option<Result<Bytes, StdError>>> {
        tracing::error!(%error, "an answer of the object store broke off");
        self.next = Next::Nothing;
        Poll::Ready(Some(Err(error)))
    }
}

fn read(mut content: Content) -> Read {
    let block = content.next_block();
    (content, block)
}

impl Stream for BodyStream {
    type Item = Result<Bytes, StdError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match std::mem::replace(&mut self.next, Next::Nothing) {
            Next::Nothing => Poll::Ready(None),
            Next::Block(block, content) => self.send(block, content),
            Next::Reading(mut reading) => match reading.poll_unpin(cx) {
                Poll::Pending => {
                    self.next = Next::Reading(reading);
                    Poll::Pending
                }
                Poll::Ready(Ok((content, Ok(block)))) => self.send(block, content),
                Poll::Ready(Ok((_, Err(error)))) => self.fail(error.into()),
                Poll::Ready(Err(error)) => self.fail(error.into()),
            },
        }
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
    use std::ops::Range;

    async fn streamed(content: &[u8], bytes: Range<u64>) -> Result<Vec<u8>, StdError> {
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(file.path(), content)?;
        let length = bytes.end - bytes.start;
        let content = Content::plain(file.path().to_owned(), file.reopen()?, bytes);
        let mut stream = BodyStream::open(content, length)?;
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
        assert_eq!(streamed(&content, 0..3_000_000).await.unwrap(), content);
        assert_eq!(
            streamed(&content, 7..2_000_007).await.unwrap(),
            content[7..2_000_007]
        );
        assert!(streamed(&content, 9..9).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_short_file_is_an_error() {
        assert!(streamed(b"short", 0..6).await.is_err());
        assert!(streamed(&[0; 1 << 20], 0..(1 << 20) + 1).await.is_err());
    }
}
