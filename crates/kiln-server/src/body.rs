//! Bodies of requests on their way in: none without bound, none that a silent
//! client keeps waiting for.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Frame, SizeHint};
use ring::digest;
use tokio::time::{Instant, Sleep};

/// A client that is to send something, and sends nothing for this long, is let go.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// How long a client that is turned away may go on sending, and how much, so
/// that it reads the answer instead of a broken connection.
const LINGER: Duration = Duration::from_secs(2);
const MOST_DISCARDED: u64 = 64 << 20;

type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unread {
    #[error("The request body is larger than any request may be.")]
    TooLarge,
    #[error(
        "Your socket connection to the server was not read from or written to within the timeout \
         period."
    )]
    Stalled,
    #[error("The request body terminated unexpectedly.")]
    Broken,
}

/// Reads a body whole, unless it has more bytes than `most`.
pub(crate) async fn read<B>(body: B, most: usize) -> Result<Bytes, Unread>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BodyError>,
{
    let mut body = Watched::new(body, PATIENCE, None);
    if body.size_hint().lower() > most as u64 {
        discard(body).await;
        return Err(Unread::TooLarge);
    }
    match Limited::new(&mut body, most).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            discard(body).await;
            Err(Unread::TooLarge)
        }
        Err(_) if body.sight.stalled() => Err(Unread::Stalled),
        Err(_) => Err(Unread::Broken),
    }
}

/// Throws away what a client that is turned away still sends.
pub(crate) async fn discard<B>(mut body: B)
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut left = MOST_DISCARDED;
    let all = async {
        while let Some(Ok(frame)) = body.frame().await {
            let length = frame.data_ref().map_or(0, Bytes::len) as u64;
            let Some(rest) = left.checked_sub(length) else {
                return;
            };
            left = rest;
        }
    };
    // Who sends for longer has had a chance to read.
    let _ = tokio::time::timeout(LINGER, all).await;
}

/// A body that fails when nothing of it comes for a while, and that can be
/// compared with a hash that was said to be its own.
pub(crate) struct Watched<B> {
    body: B,
    patience: Duration,
    /// When patience ends; counts only while `waiting`.
    end: Option<Pin<Box<Sleep>>>,
    waiting: bool,
    hashing: Option<Hashing>,
    sight: Arc<Sight>,
}

struct Hashing {
    so_far: digest::Context,
    said: String,
}

/// What was seen of a body, for who gave it away to be read.
#[derive(Debug, Default)]
pub(crate) struct Sight {
    stalled: AtomicBool,
    differs: AtomicBool,
}

impl Sight {
    /// Whether the body failed because nothing of it came.
    pub(crate) fn stalled(&self) -> bool {
        self.stalled.load(Ordering::Relaxed)
    }

    /// Whether the body was read whole and is not the one with the hash.
    pub(crate) fn differs(&self) -> bool {
        self.differs.load(Ordering::Relaxed)
    }
}

impl<B: Body<Data = Bytes>> Watched<B> {
    /// Watches a body, which `said` is the SHA-256 of, in hexadecimal digits.
    pub(crate) fn new(body: B, patience: Duration, said: Option<String>) -> Self {
        let hashing = said.map(|said| Hashing {
            so_far: digest::Context::new(&digest::SHA256),
            said,
        });
        Self {
            body,
            patience,
            end: None,
            waiting: false,
            hashing,
            sight: Arc::default(),
        }
    }

    /// What will have been seen of it.
    pub(crate) fn sight(&self) -> Arc<Sight> {
        self.sight.clone()
    }

    /// Fails once nothing has come for as long as patience lasts.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<Unread> {
        let patience = self.patience;
        let end = self
            .end
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        if !self.waiting {
            end.as_mut().reset(Instant::now() + patience);
            self.waiting = true;
        }
        ready!(end.as_mut().poll(cx));
        self.sight.stalled.store(true, Ordering::Relaxed);
        Poll::Ready(Unread::Stalled)
    }

    fn take_in(&mut self, frame: &Frame<Bytes>) {
        let ended = self.body.is_end_stream();
        let Some(hashing) = &mut self.hashing else {
            return;
        };
        if let Some(data) = frame.data_ref() {
            hashing.so_far.update(data);
        }
        if ended && let Some(Hashing { so_far, said }) = self.hashing.take() {
            let differs = hex::encode(so_far.finish()) != said;
            self.sight.differs.store(differs, Ordering::Relaxed);
        }
    }
}

impl<B> Body for Watched<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BodyError>,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        match Pin::new(&mut this.body).poll_frame(cx) {
            Poll::Pending => this.wait(cx).map(|stalled| Some(Err(stalled.into()))),
            Poll::Ready(frame) => {
                this.waiting = false;
                if let Some(Ok(frame)) = &frame {
                    this.take_in(frame);
                }
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
#[path = "body_tests.rs"]
mod tests;
