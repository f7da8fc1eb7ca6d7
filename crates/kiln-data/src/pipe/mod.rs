//! A Pipe-mode channel: the objects of an epoch follow each other through a FIFO.
//!
//! An epoch begins when the work opens `<channel>_<epoch>` for reading and ends
//! when all objects have gone through it, or when the work closes it early. Either
//! way the next epoch's FIFO then stands, however many epochs there are. A work
//! that never opens its FIFO costs nothing but a look every few milliseconds.
//!
//! The next FIFO is made before the finished one is closed, so that a reader that
//! sees the end finds it; the finished one is removed, so that who opens it late
//! is told at once, and does not wait for a writer that never comes. After an
//! error the FIFO stays open for as long as the [`Fifos`] do, because its reader
//! could not tell a broken epoch from a complete one.
//!
//! Large objects whose file is on this machine go from the file into the pipe
//! within the kernel.
//!
//! Programs of Rust ignore `SIGPIPE`, on which this relies: a reader that leaves
//! is an answer to a write here, and not the end of the process.

mod feed;
mod fifo;
mod gunzip;
mod payload;
mod poured;
mod spool;

use std::convert::Infallible;
use std::io;

use bytes::BytesMut;
use futures::FutureExt;
use tokio::io::{AsyncWriteExt, Interest};
use tokio::net::unix::pipe::Sender;

use crate::catalogue::{Catalogue, Entry};
use crate::channel::{Channel, Mode};
use crate::{DataError, Objects};

use feed::{Feed, Portion};
pub use fifo::Fifos;
use payload::Presentation;

/// Smaller chunks are gathered, so that a reader is not woken for a few bytes.
const SMALL: usize = 32 << 10;
/// How much is gathered for one write.
const GATHERED: usize = 128 << 10;

/// Serves one epoch of a channel after another, until it is dropped.
///
/// # Errors
/// When an object cannot be fetched or presented, which the message names, or
/// when no FIFO can be made. The work must be ended then, and the FIFOs be
/// dropped only after it.
pub async fn serve(
    objects: &Objects,
    catalogue: &Catalogue,
    channel: &Channel,
    fifos: &mut Fifos,
) -> Result<Infallible, DataError> {
    let presentation = presentation(channel.mode);
    loop {
        let turn = catalogue.turn(channel.shard, channel.shuffle, fifos.epoch());
        serve_epoch(objects, turn, presentation, fifos).await?;
    }
}

fn presentation(mode: Mode) -> Presentation {
    match mode {
        Mode::Pipe {
            decompress,
            record_io,
        } => Presentation {
            decompress,
            record_io,
        },
        Mode::File | Mode::FastFile => Presentation::default(),
    }
}

async fn serve_epoch(
    objects: &Objects,
    turn: impl Iterator<Item = Result<Entry, DataError>>,
    presentation: Presentation,
    fifos: &mut Fifos,
) -> Result<(), DataError> {
    let mut pipe = fifos.opened().await?;
    let mut feed = Feed::new(objects.clone(), turn, presentation, fifos.spool_directory());
    match pour(&mut feed, &mut pipe).await {
        Ok(()) => fifos.advance(),
        Err(PourError::ReaderLeft) => fifos.advance(),
        Err(PourError::Failed(error)) => {
            fifos.keep_open(pipe);
            Err(error)
        }
    }
}

/// Why not all of an epoch went through its pipe.
enum PourError {
    ReaderLeft,
    Failed(DataError),
}

impl PourError {
    fn on_writing(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::ReaderLeft;
        }
        Self::Failed(DataError::io("writing into the channel's pipe")(error))
    }
}

impl From<DataError> for PourError {
    fn from(error: DataError) -> Self {
        Self::Failed(error)
    }
}

async fn pour<I>(feed: &mut Feed<I>, pipe: &mut Sender) -> Result<(), PourError>
where
    I: Iterator<Item = Result<Entry, DataError>>,
{
    let mut gathered = BytesMut::with_capacity(GATHERED + SMALL);
    loop {
        let next = match feed.next().now_or_never() {
            Some(next) => next?,
            None => {
                flush(&mut gathered, pipe).await?;
                next_unless_left(feed, pipe).await?
            }
        };
        match next {
            Some(Portion::Bytes(chunk)) if chunk.len() < SMALL => {
                gathered.extend_from_slice(&chunk);
                if gathered.len() >= GATHERED {
                    flush(&mut gathered, pipe).await?;
                }
            }
            Some(Portion::Bytes(chunk)) => {
                flush(&mut gathered, pipe).await?;
                write(&chunk, pipe).await?;
            }
            Some(Portion::File(body)) => {
                flush(&mut gathered, pipe).await?;
                body.pour(pipe).await?;
            }
            None => return flush(&mut gathered, pipe).await,
        }
    }
}

/// Waits for the next bytes, and notices when nobody waits for them any more.
async fn next_unless_left<I>(
    feed: &mut Feed<I>,
    pipe: &Sender,
) -> Result<Option<Portion>, PourError>
where
    I: Iterator<Item = Result<Entry, DataError>>,
{
    tokio::select! {
        next = feed.next() => Ok(next?),
        _ = pipe.ready(Interest::ERROR) => Err(PourError::ReaderLeft),
    }
}

async fn flush(gathered: &mut BytesMut, pipe: &mut Sender) -> Result<(), PourError> {
    write(gathered, pipe).await?;
    gathered.clear();
    Ok(())
}

async fn write(bytes: &[u8], pipe: &mut Sender) -> Result<(), PourError> {
    pipe.write_all(bytes).await.map_err(PourError::on_writing)
}
