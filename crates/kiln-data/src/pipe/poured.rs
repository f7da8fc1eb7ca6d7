//! An object whose bytes are a file of this machine, on its way into the pipe.
//!
//! A thread that may block reads each block once, for the checksum, and then has
//! the kernel put the same pages of the file into the pipe, where they are not
//! copied again. The file of an object never changes, so what the reader gets is
//! what was read.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, OwnedFd};

use bytes::Bytes;
use nix::errno::Errno;
use nix::fcntl::{SpliceFFlags, splice};
use nix::poll::{PollFd, PollFlags, poll};
use nix::unistd::write;
use tokio::net::unix::pipe::Sender;

use super::PourError;
use crate::objects::{Block, Checked};
use crate::recordio::{LengthError, Record};
use crate::wanted::{Wanted, while_wanted};
use crate::{DataError, LocalBody};

/// How often a thread whose reader takes its time sees whether it is wanted, in
/// milliseconds.
const LOOK: u8 = 100;

/// A whole object, and the record that it becomes if the channel has records.
pub(super) struct FileBody {
    body: Checked,
    record: Option<Record>,
    uri: String,
}

/// What goes into the pipe at once.
#[derive(Debug, PartialEq)]
enum Piece {
    /// Bytes around the payload.
    Frame(Bytes),
    /// Bytes of the payload, and where they lie in the file.
    Payload(u64, Bytes),
}

impl FileBody {
    pub(super) fn new(local: LocalBody, size: u64, record: Option<Record>, uri: String) -> Self {
        Self {
            body: Checked::new(local, size),
            record,
            uri,
        }
    }

    /// Puts everything into the pipe; waits while it is full.
    pub(super) async fn pour(self, pipe: &Sender) -> Result<(), PourError> {
        let duplicate = pipe.as_fd().try_clone_to_owned();
        let pipe = duplicate.map_err(DataError::io("sharing the channel's pipe"))?;
        // That the reader left is no error to the thread.
        let poured = while_wanted(move |wanted| match self.pour_all(&pipe, wanted) {
            Ok(()) => Ok(true),
            Err(PourError::ReaderLeft) => Ok(false),
            Err(PourError::Failed(error)) => Err(error),
        });
        match poured.await? {
            true => Ok(()),
            false => Err(PourError::ReaderLeft),
        }
    }

    fn pour_all(mut self, pipe: &OwnedFd, wanted: &Wanted) -> Result<(), PourError> {
        let uri = self.uri;
        let reading = || DataError::io(format!("reading {uri}"));
        let other_length = |error| DataError::Protocol(format!("{uri}: {error}"));
        while let Some(block) = self.body.next().map_err(reading())? {
            wanted.check().map_err(reading())?;
            for piece in pieces(&mut self.record, &block).map_err(other_length)? {
                put(&piece, self.body.file(), pipe, wanted)?;
            }
        }
        for frame in end(self.record).map_err(other_length)? {
            put(&Piece::Frame(frame), self.body.file(), pipe, wanted)?;
        }
        match self.body.agrees() {
            true => Ok(()),
            false => Err(DataError::Corrupt(uri).into()),
        }
    }
}

/// What a block becomes.
fn pieces(record: &mut Option<Record>, block: &Block) -> Result<Vec<Piece>, LengthError> {
    let Some(record) = record else {
        return Ok(vec![Piece::Payload(block.at, block.bytes.clone())]);
    };
    let mut pieces = Vec::new();
    record.push(block.bytes.clone(), &mut |bytes| {
        pieces.push(match offset(&block.bytes, &bytes) {
            Some(offset) => Piece::Payload(block.at + offset, bytes),
            None => Piece::Frame(bytes),
        });
    })?;
    Ok(pieces)
}

/// Where in a block these bytes lie, if they are some of it.
fn offset(block: &Bytes, bytes: &Bytes) -> Option<u64> {
    let Range { start, end } = block.as_ptr_range();
    let begin = bytes.as_ptr();
    (start <= begin && begin < end).then(|| (begin.addr() - start.addr()) as u64)
}

/// What ends the record.
fn end(record: Option<Record>) -> Result<Vec<Bytes>, LengthError> {
    let mut frames = Vec::new();
    if let Some(record) = record {
        record.finish(&mut |bytes| frames.push(bytes))?;
    }
    Ok(frames)
}

fn put(piece: &Piece, file: &File, pipe: &OwnedFd, wanted: &Wanted) -> Result<(), PourError> {
    match piece {
        Piece::Frame(bytes) => put_all(bytes, pipe, wanted, |_, rest| write(pipe, rest)),
        Piece::Payload(at, bytes) => put_all(bytes, pipe, wanted, |done, rest| {
            match splice_from(file, at + done as u64, pipe, rest.len()) {
                // Not every file system can.
                Err(Errno::EINVAL) => write(pipe, rest),
                spliced => spliced,
            }
        }),
    }
}

fn splice_from(file: &File, at: u64, pipe: &OwnedFd, length: usize) -> nix::Result<usize> {
    let mut at = i64::try_from(at).map_err(|_| Errno::EOVERFLOW)?;
    let flags = SpliceFFlags::SPLICE_F_NONBLOCK;
    splice(file, Some(&mut at), pipe, None, length, flags)
}

/// Puts bytes into the pipe as it has room for them. `put` is told how many it
/// took before, and the others.
fn put_all(
    bytes: &[u8],
    pipe: &OwnedFd,
    wanted: &Wanted,
    put: impl Fn(usize, &[u8]) -> nix::Result<usize>,
) -> Result<(), PourError> {
    let mut done = 0;
    while done < bytes.len() {
        match put(done, &bytes[done..]) {
            Ok(0) => return Err(PourError::on_writing(io::ErrorKind::WriteZero.into())),
            Ok(taken) => done += taken,
            Err(Errno::EAGAIN) => wait_for_room(pipe, wanted).map_err(PourError::on_writing)?,
            Err(Errno::EINTR) => {}
            Err(error) => return Err(PourError::on_writing(error.into())),
        }
    }
    Ok(())
}

fn wait_for_room(pipe: &OwnedFd, wanted: &Wanted) -> io::Result<()> {
    wanted.check()?;
    let mut waiting = [PollFd::new(pipe.as_fd(), PollFlags::POLLOUT)];
    match poll(&mut waiting, LOOK) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(at: u64, bytes: &'static [u8]) -> Block {
        Block {
            at,
            bytes: Bytes::from_static(bytes),
        }
    }

    #[test]
    fn a_block_without_a_record_is_itself() {
        let pieces = pieces(&mut None, &block(7, b"abc")).unwrap();
        assert_eq!(pieces, [Piece::Payload(7, Bytes::from_static(b"abc"))]);
    }

    #[test]
    fn a_record_s_payload_is_told_from_its_frame() {
        let mut record = Some(Record::new(10));
        let first = pieces(&mut record, &block(0, b"12345678")).unwrap();
        let second = pieces(&mut record, &block(8, b"90")).unwrap();
        assert!(matches!(&first[0], Piece::Frame(header) if header.len() == 8));
        let payload = |at, bytes| Piece::Payload(at, Bytes::from_static(bytes));
        assert_eq!(first[1..], [payload(0, b"12345678")]);
        assert_eq!(second, [payload(8, b"90")]);
        assert_eq!(end(record).unwrap(), [&[0u8, 0][..]]);
    }

    #[test]
    fn more_payload_than_announced_is_an_error() {
        assert!(pieces(&mut Some(Record::new(2)), &block(0, b"123")).is_err());
        assert!(end(Some(Record::new(2))).is_err());
    }
}
