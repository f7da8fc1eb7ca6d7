//! One gzip member, compressed on every processor.
//!
//! The stream is cut into blocks. Each is compressed by itself, with the end of
//! the block before as its dictionary, into whole deflate blocks that end on a
//! byte; what the threads made, one after the other, is one deflate stream, and
//! the check sums of the blocks combine into the sum of the whole.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::num::NonZero;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use crc32fast::Hasher;
use flate2::{Compress, Compression, FlushCompress, Status};

/// Bytes of a block: long enough that its dictionary costs little, short enough
/// that many of them fit into memory.
const BLOCK: usize = 256 << 10;
/// How far back deflate looks.
const WINDOW: usize = 32 << 10;
/// Deflate, no flags, no time, no hints, and 255: an unknown system, which is
/// what the cloud's writer puts.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// A block on its way to a thread.
struct Job {
    block: Arc<Vec<u8>>,
    before: Option<Arc<Vec<u8>>>,
    last: bool,
    done: SyncSender<io::Result<Squeezed>>,
}

/// A compressed block.
struct Squeezed {
    bytes: Vec<u8>,
    sum: Hasher,
}

/// Compresses what is written to it, and writes that on in order.
pub(super) struct Gzip<W> {
    to: W,
    jobs: Sender<Job>,
    /// The blocks being compressed, oldest first.
    pending: VecDeque<Receiver<io::Result<Squeezed>>>,
    most_pending: usize,
    block: Vec<u8>,
    before: Option<Arc<Vec<u8>>>,
    sum: Hasher,
    length: u64,
}

impl<W: Write> Gzip<W> {
    /// Starts the threads; they end when this is dropped.
    pub fn new(mut to: W, level: u32) -> io::Result<Self> {
        to.write_all(&HEADER)?;
        let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
        let (jobs, waiting) = channel();
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..threads {
            let waiting = Arc::clone(&waiting);
            std::thread::Builder::new()
                .name("gzip".to_owned())
                .spawn(move || work(&waiting, level))?;
        }
        Ok(Self {
            to,
            jobs,
            pending: VecDeque::new(),
            most_pending: threads * 2,
            block: Vec::with_capacity(BLOCK),
            before: None,
            sum: Hasher::new(),
            length: 0,
        })
    }

    /// Takes in up to `limit` bytes that one read answers; 0 at the end.
    pub fn fill(&mut self, from: &mut impl Read, limit: u64) -> io::Result<usize> {
        let begin = self.block.len();
        let room = (BLOCK - begin).min(usize::try_from(limit).unwrap_or(BLOCK));
        self.block.resize(begin + room, 0);
        let read = from.read(&mut self.block[begin..]);
        self.block.truncate(begin + *read.as_ref().unwrap_or(&0));
        let read = read?;
        self.hand_over_if_full()?;
        Ok(read)
    }

    /// Writes all that is left and the trailer, and gives the writer back.
    pub fn finish(mut self) -> io::Result<W> {
        self.hand_over(true)?;
        while !self.pending.is_empty() {
            self.pass_on_oldest()?;
        }
        let sum = std::mem::take(&mut self.sum).finalize();
        self.to.write_all(&sum.to_le_bytes())?;
        // The format keeps the length modulo 2^32.
        self.to.write_all(&(self.length as u32).to_le_bytes())?;
        Ok(self.to)
    }

    fn hand_over_if_full(&mut self) -> io::Result<()> {
        if self.block.len() < BLOCK {
            return Ok(());
        }
        self.hand_over(false)
    }

    fn hand_over(&mut self, last: bool) -> io::Result<()> {
        if self.pending.len() >= self.most_pending {
            self.pass_on_oldest()?;
        }
        let block = Arc::new(std::mem::replace(
            &mut self.block,
            Vec::with_capacity(BLOCK),
        ));
        self.length += block.len() as u64;
        let before = self.before.replace(Arc::clone(&block));
        let (done, outcome) = sync_channel(1);
        self.pending.push_back(outcome);
        let job = Job {
            block,
            before,
            last,
            done,
        };
        self.jobs.send(job).map_err(|_| thread_gone())
    }

    fn pass_on_oldest(&mut self) -> io::Result<()> {
        let Some(oldest) = self.pending.pop_front() else {
            return Ok(());
        };
        let squeezed = oldest.recv().map_err(|_| thread_gone())??;
        self.sum.combine(&squeezed.sum);
        self.to.write_all(&squeezed.bytes)
    }
}

impl<W: Write> Write for Gzip<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(BLOCK - self.block.len());
        self.block.extend_from_slice(&bytes[..taken]);
        self.hand_over_if_full()?;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn thread_gone() -> io::Error {
    io::Error::other("a thread that compresses has died")
}

fn work(waiting: &Mutex<Receiver<Job>>, level: u32) {
    let mut deflate = Compress::new(Compression::new(level), false);
    loop {
        let next = waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .recv();
        let Ok(job) = next else {
            return;
        };
        // Who no longer waits for the block no longer wants it.
        let _ = job.done.send(squeeze(&mut deflate, &job));
    }
}

fn squeeze(deflate: &mut Compress, job: &Job) -> io::Result<Squeezed> {
    deflate.reset();
    if let Some(before) = &job.before {
        let window = &before[before.len().saturating_sub(WINDOW)..];
        deflate.set_dictionary(window).map_err(io::Error::other)?;
    }
    let how = match job.last {
        true => FlushCompress::Finish,
        false => FlushCompress::Sync,
    };
    let mut bytes = Vec::with_capacity(job.block.len() / 2 + 1024);
    loop {
        let read = usize::try_from(deflate.total_in()).map_err(io::Error::other)?;
        let status = deflate
            .compress_vec(&job.block[read..], &mut bytes, how)
            .map_err(io::Error::other)?;
        let whole = match job.last {
            true => status == Status::StreamEnd,
            // Room left over means that nothing more was to be written.
            false => bytes.len() < bytes.capacity(),
        };
        if whole {
            break;
        }
        bytes.reserve(job.block.len() / 2 + 1024);
    }
    let mut sum = Hasher::new();
    sum.update(&job.block);
    Ok(Squeezed { bytes, sum })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn compressed(data: &[u8]) -> Vec<u8> {
        let mut gzip = Gzip::new(Vec::new(), 3).unwrap();
        gzip.write_all(data).unwrap();
        gzip.finish().unwrap()
    }

    /// Reads one member and asserts that nothing follows it.
    fn expanded(member: &[u8]) -> Vec<u8> {
        let mut data = Vec::new();
        let mut reader = flate2::bufread::GzDecoder::new(member);
        reader.read_to_end(&mut data).unwrap();
        assert!(reader.into_inner().is_empty());
        data
    }

    #[test]
    fn every_length_around_a_block_comes_back() {
        for length in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 7 * BLOCK + 5] {
            let text: Vec<u8> = (0..length).map(|n| (n / 7 * n % 251) as u8).collect();
            assert!(expanded(&compressed(&text)) == text, "{length}");
        }
    }

    #[test]
    fn a_block_is_compressed_with_the_one_before_in_sight() {
        let noise: Vec<u8> = (0..WINDOW).map(|_| rand::random()).collect();
        let mut data = vec![0; BLOCK - WINDOW];
        data.extend_from_slice(&noise);
        let once = compressed(&data).len();
        data.extend_from_slice(&noise[1024..]);
        assert!(compressed(&data).len() < once + once / 4);
    }

    #[test]
    fn a_writer_that_fails_ends_it() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                match bytes.len() {
                    10 => Ok(10),
                    _ => Err(io::ErrorKind::StorageFull.into()),
                }
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut gzip = Gzip::new(Full, 3).unwrap();
        let error = gzip.write_all(&vec![7; 64 * BLOCK]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn whatever_is_written_in_whatever_pieces_comes_back(
            pieces in prop::collection::vec((any::<u8>(), 0usize..200_000, any::<bool>()), 0..12)
        ) {
            let mut data = Vec::new();
            let mut gzip = Gzip::new(Vec::new(), 3).unwrap();
            for (seed, length, read) in pieces {
                let piece: Vec<u8> = (0..length).map(|n| (n * n / 3) as u8 ^ seed).collect();
                if read {
                    let mut from = &piece[..];
                    while gzip.fill(&mut from, u64::MAX).unwrap() > 0 {}
                } else {
                    gzip.write_all(&piece).unwrap();
                }
                data.extend_from_slice(&piece);
            }
            prop_assert!(expanded(&gzip.finish().unwrap()) == data);
        }
    }
}
