//! Copies a container's output from the engine's log to the agent's pipe, every
//! byte once.
//!
//! The engine writes the log at its own pace, so a slow reader loses nothing.
//! Docker's log is followed while the container runs; Podman's is read again and
//! again, because following it leaves out lines (4.3 does, under load). Every
//! reading starts at the log's beginning and skips what was delivered, so a lost
//! connection costs nothing. After the end the log is read once more, because
//! following can stop short of the last lines.
//!
//! An engine's log is text: bytes that are not UTF-8 may come out replaced.
//! Standard output and standard error each keep their order; which of two lines
//! came first when they are on different streams, an engine does not record.

use std::io;
use std::time::Duration;

use bollard::Docker;
use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::query_parameters::LogsOptionsBuilder;
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use tokio::io::AsyncWriteExt as _;
use tokio::net::unix::pipe;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::{Flavour, failure};

/// How long a log may be silent after its container ended before following it
/// is given up for reading it to its end.
const SILENCE: Duration = Duration::from_millis(500);
const RETRY_AFTER: Duration = Duration::from_millis(500);
/// Of the time, at most one part in this many goes into reading a log again.
const REST_SHARE: u32 = 10;
/// How long an ended container's log is asked for in vain.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long the next piece of a log that is complete may take.
const STALLED_AFTER: Duration = Duration::from_secs(60);

/// Whether the container has ended.
pub(super) type Ended = watch::Receiver<bool>;

/// The log that is copied.
pub(super) struct Log {
    pub(super) docker: Docker,
    pub(super) engine_id: String,
    pub(super) flavour: Flavour,
}

impl Log {
    fn frames(&self, follow: bool) -> impl Stream<Item = Result<LogOutput, Error>> + use<> {
        let options = LogsOptionsBuilder::default()
            .follow(follow)
            .stdout(true)
            .stderr(true)
            .build();
        self.docker.logs(&self.engine_id, Some(options))
    }
}

/// How one reading of the log went.
enum Reading {
    Complete,
    ReaderGone,
    LogGone,
    Lost(String),
}

/// Copies until the container has ended and all its output was delivered, or
/// nobody reads it any more. The pipe is closed on return.
pub(super) async fn copy(log: Log, mut ended: Ended, pipe: pipe::Sender) {
    let mut copier = Copier {
        pipe,
        delivered: Delivered::default(),
    };
    let engine_id = &log.engine_id;
    let mut at_rest_since = None;
    loop {
        let begun = Instant::now();
        let at_rest = *ended.borrow();
        let follow = !at_rest && log.flavour == Flavour::Docker;
        match copier.read(log.frames(follow), &mut ended, follow).await {
            Reading::Complete if at_rest => return,
            Reading::Complete => {
                // The news of the end comes soon after the end of a followed log.
                let rest = if follow {
                    SILENCE
                } else {
                    rest_after(begun.elapsed())
                };
                let _ = timeout(rest, is_over(&mut ended)).await;
            }
            Reading::ReaderGone | Reading::LogGone => return,
            Reading::Lost(reason) => {
                let since = at_rest.then(|| *at_rest_since.get_or_insert(begun));
                if since.is_some_and(|since| since.elapsed() > PATIENCE) {
                    tracing::error!(reason, engine_id, "the end of a container's log is lost");
                    return;
                }
                tracing::warn!(reason, engine_id, "a container's log is read again");
                sleep(RETRY_AFTER).await;
            }
        }
    }
}

fn rest_after(reading: Duration) -> Duration {
    (reading * REST_SHARE).max(SILENCE)
}

async fn is_over(ended: &mut Ended) {
    // The sender drops only together with this task.
    let _ = ended.wait_for(|ended| *ended).await;
}

async fn silence_after(ended: &mut Ended) {
    is_over(ended).await;
    sleep(SILENCE).await;
}

struct Copier {
    pipe: pipe::Sender,
    delivered: Delivered,
}

impl Copier {
    async fn read(
        &mut self,
        log: impl Stream<Item = Result<LogOutput, Error>>,
        ended: &mut Ended,
        follow: bool,
    ) -> Reading {
        let mut log = std::pin::pin!(log);
        let mut position = Position::default();
        loop {
            let next = tokio::select! {
                biased;
                next = log.next() => next,
                () = silence_after(ended), if follow => None,
                () = sleep(STALLED_AFTER), if !follow => {
                    return Reading::Lost("the engine stopped in the middle of its log".to_owned());
                }
            };
            let frame = match next {
                None => return Reading::Complete,
                Some(Ok(frame)) => frame,
                Some(Err(error)) if failure::status(&error) == Some(404) => {
                    return Reading::LogGone;
                }
                Some(Err(error)) => return Reading::Lost(failure::words(&error)),
            };
            let Some((channel, bytes)) = parts(frame) else {
                return Reading::Lost("the engine could not read its log".to_owned());
            };
            let fresh = self.delivered.advance(&mut position, channel, bytes);
            if self.deliver(&fresh).await.is_err() {
                return Reading::ReaderGone;
            }
        }
    }

    async fn deliver(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.pipe.write_all(bytes).await
    }
}

/// Standard output and standard error are counted apart: their order among each
/// other may differ between two readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Channel {
    Output = 0,
    Error = 1,
}

/// What a frame carries; nothing when it holds the engine's own complaint and
/// not the container's words.
fn parts(frame: LogOutput) -> Option<(Channel, Bytes)> {
    match frame {
        LogOutput::StdErr { message } => Some((Channel::Error, message)),
        LogOutput::StdOut { message } => Some((Channel::Output, message)),
        LogOutput::StdIn { .. } | LogOutput::Console { .. } => None,
    }
}

/// Bytes of each channel that one reading has passed.
type Position = [u64; 2];

/// Bytes of each channel that were written to the pipe.
#[derive(Debug, Default)]
struct Delivered([u64; 2]);

impl Delivered {
    /// Moves a reading past `bytes` and returns those of them that no reading
    /// has passed before.
    fn advance(&mut self, position: &mut Position, channel: Channel, mut bytes: Bytes) -> Bytes {
        let position = &mut position[channel as usize];
        let delivered = &mut self.0[channel as usize];
        let start = *position;
        *position += bytes.len() as u64;
        let known = delivered.saturating_sub(start);
        *delivered = (*delivered).max(*position);
        let known = usize::try_from(known).map_or(bytes.len(), |known| known.min(bytes.len()));
        bytes.split_off(known)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One reading: how much of each channel it sees, in frames of some size.
    fn readings() -> impl Strategy<Value = Vec<(usize, usize, usize)>> {
        prop::collection::vec((0..60_usize, 0..60_usize, 1..9_usize), 0..6)
    }

    proptest! {
        #[test]
        fn every_byte_is_delivered_once(
            output in prop::collection::vec(any::<u8>(), 0..60),
            error in prop::collection::vec(any::<u8>(), 0..60),
            mut readings in readings(),
        ) {
            readings.push((60, 60, 7));
            let mut delivered = Delivered::default();
            let mut seen = [Vec::new(), Vec::new()];
            for (outputs, errors, frame) in readings {
                let mut position = Position::default();
                let sources = [(Channel::Output, &output, outputs), (Channel::Error, &error, errors)];
                for (channel, source, length) in sources {
                    for chunk in source[..length.min(source.len())].chunks(frame) {
                        let bytes = Bytes::copy_from_slice(chunk);
                        let fresh = delivered.advance(&mut position, channel, bytes);
                        seen[channel as usize].extend_from_slice(&fresh);
                    }
                }
            }
            prop_assert_eq!(seen, [output, error]);
        }
    }
}
