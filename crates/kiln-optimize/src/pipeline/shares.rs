//! Pieces in shares: several threads work on one each, and one thread writes what they
//! became, in the order in which they were taken, whoever is done first.
//!
//! There are not many more shares than threads. Who finds none to fill waits until one is
//! written, so that what is held has a bound.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::pieces::{Piece, Pieces};
use super::stream::Loss;
use crate::OptimizeError;
use crate::layout::Packed;

/// More threads than this would hold too much memory together.
pub(super) const THREADS: usize = 8;

/// So many shares may wait while each thread works on one.
pub(super) const WAITING: usize = 2;

/// About how many of the model's bytes are in a share: to wake who listens for each piece
/// would take longer than some pieces do.
const BYTES: usize = 1 << 20;

/// The most pieces of a share, however small.
const PIECES: usize = 16;

/// Some pieces that follow each other. It is used again and again, with the memory it has.
#[derive(Debug, Default)]
pub struct Share {
    number: usize,
    pieces: Vec<Piece>,
    done: Vec<Done>,
}

/// What becomes of a piece.
#[derive(Debug, Default)]
pub struct Done {
    /// What is written of it.
    pub packed: Packed,
    /// What it lost, if it is quantized.
    pub loss: Option<Loss>,
}

impl Share {
    /// The pieces, and what becomes of them.
    pub fn pieces(&self) -> impl Iterator<Item = (&Piece, &Done)> {
        self.pieces.iter().zip(&self.done)
    }
}

/// Works on all pieces, with what each thread uses again and again, and writes each share.
///
/// # Errors
/// The first one in the order of the pieces.
pub fn run<B: Default>(
    pieces: Pieces<'_>,
    work: impl Fn(&Piece, &mut B, &mut Done) -> Result<(), OptimizeError> + Sync,
    mut write: impl FnMut(&Share) -> Result<(), OptimizeError>,
) -> Result<(), OptimizeError> {
    let threads = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = threads.min(THREADS);
    let (written, empty) = channel();
    for _ in 0..threads + WAITING {
        // The other end is there.
        let _ = written.send(Share::default());
    }
    let source = Mutex::new(Source {
        pieces,
        empty,
        next: 0,
    });
    let (sender, receiver) = channel();
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                let (worker, source, work) = (Worker(sender.clone()), &source, &work);
                scope.spawn(move || worker.run(source, work))
            })
            .collect();
        drop(sender);
        let done = in_order(receiver, |share| {
            write(&share)?;
            // Nobody takes it in the end.
            let _ = written.send(share);
            Ok(())
        });
        drop(written);
        for worker in workers {
            let ended = worker.join();
            ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
        done
    })
}

/// What a thread tells: a share by its number, or nothing, when it panics.
type Told = Option<(usize, Result<Share, OptimizeError>)>;

/// Hands on what threads tell by its numbers, until one has failed or panicked.
fn in_order(
    told: impl IntoIterator<Item = Told>,
    mut take: impl FnMut(Share) -> Result<(), OptimizeError>,
) -> Result<(), OptimizeError> {
    let mut waiting = BTreeMap::new();
    let mut next = 0;
    for (number, done) in told.into_iter().map_while(|told| told) {
        waiting.insert(number, done);
        while let Some(done) = waiting.remove(&next) {
            take(done?)?;
            next += 1;
        }
    }
    Ok(())
}

/// Where threads take shares.
struct Source<'a> {
    pieces: Pieces<'a>,
    empty: Receiver<Share>,
    next: usize,
}

impl Source<'_> {
    /// A share with the pieces that come next, when one is empty; none after the last piece,
    /// and when nobody writes any more.
    fn take(&mut self) -> Option<Share> {
        let mut share = self.empty.recv().ok()?;
        share.number = self.next;
        share.pieces.clear();
        let mut bytes = 0;
        while bytes < BYTES
            && share.pieces.len() < PIECES
            && let Some(piece) = self.pieces.next()
        {
            bytes += self.pieces.bytes(&piece);
            share.pieces.push(piece);
        }
        self.next += 1;
        (!share.pieces.is_empty()).then_some(share)
    }
}

/// A thread that works on shares.
struct Worker(Sender<Told>);

impl Worker {
    fn run<B: Default>(
        &self,
        source: &Mutex<Source<'_>>,
        work: impl Fn(&Piece, &mut B, &mut Done) -> Result<(), OptimizeError>,
    ) {
        let mut buffers = B::default();
        let take = || {
            let mut source = source.lock().unwrap_or_else(PoisonError::into_inner);
            source.take()
        };
        while let Some(mut share) = take() {
            let number = share.number;
            let count = share.pieces.len().max(share.done.len());
            share.done.resize_with(count, Done::default);
            let mut pieces = share.pieces.iter().zip(&mut share.done);
            let done = pieces.try_for_each(|(piece, done)| work(piece, &mut buffers, done));
            let has_failed = done.is_err();
            let told = self.0.send(Some((number, done.map(|()| share))));
            if has_failed || told.is_err() {
                return;
            }
        }
    }
}

impl Drop for Worker {
    /// Without it, who waits for the share would wait for ever.
    fn drop(&mut self) {
        if thread::panicking() {
            let _ = self.0.send(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(number: usize) -> Told {
        let share = Share {
            number,
            ..Share::default()
        };
        Some((number, Ok(share)))
    }

    fn failed(number: usize) -> Told {
        Some((number, Err(OptimizeError::Model(number.to_string()))))
    }

    #[test]
    fn shares_are_written_in_their_order_up_to_the_first_that_failed() {
        for (told, taken, error) in [
            (vec![told(2), told(0), told(1)], vec![0, 1, 2], None),
            (vec![failed(2), told(0), failed(1)], vec![0], Some("1")),
            (vec![told(0), None, told(1)], vec![0], None),
        ] {
            let mut found = Vec::new();
            let done = in_order(told, |share| {
                found.push(share.number);
                Ok(())
            });
            assert_eq!(found, taken);
            let said = done.err().map(|error| error.to_string());
            assert_eq!(
                said.as_deref(),
                error
                    .map(|error| OptimizeError::Model(error.to_owned()).to_string())
                    .as_deref()
            );
        }
    }
}
