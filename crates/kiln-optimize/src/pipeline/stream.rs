//! The pass over the model that quantizes without looking at texts: every byte is read
//! once, by as many threads as there are processors, and every byte is written once.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;

use super::draft::{Draft, Place, narrow_form};
use super::pieces::{Piece, Pieces};
use crate::OptimizeError;
use crate::layout::{Form, Packed};
use crate::model::Model;
use crate::options::Quantization;
use crate::quantize::{Quantized, Slab, peak, quantize};
use crate::safetensors::{Tensor, Writer};

/// More threads than this would hold too much memory together.
const THREADS: usize = 8;

/// What the weights of a tensor lost.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Loss {
    /// The sum of the weights' squares.
    pub signal: f64,
    /// The sum of the squared differences.
    pub noise: f64,
}

impl Loss {
    /// Adds what another part lost.
    pub fn add(&mut self, other: Self) {
        self.signal += other.signal;
        self.noise += other.noise;
    }
}

/// What is read from, and what is written to.
pub struct Stream<'a> {
    /// The model.
    pub model: &'a Model,
    /// What is done with it.
    pub quantization: &'a Quantization,
    /// What it becomes.
    pub draft: &'a Draft,
    /// The files.
    pub writers: &'a [Writer],
    /// Which tensors are written already.
    pub there: &'a [bool],
}

/// A piece that is done.
struct Done {
    piece: Piece,
    loss: Option<Loss>,
}

/// What a thread uses again and again.
#[derive(Default)]
struct Buffers {
    stretch: Vec<u8>,
    bytes: Vec<u8>,
    quantized: Quantized,
    packed: Packed,
}

impl Stream<'_> {
    /// Does all of it, and tells of each piece's bytes and tensor. Answers what each
    /// tensor lost, the same on any number of threads.
    pub fn run(&self, tell: &mut dyn FnMut(u64, &str)) -> Result<Vec<Loss>, OptimizeError> {
        let pieces = Mutex::new(Pieces::new(
            self.model,
            self.draft,
            self.quantization,
            self.there,
        ));
        let failed = AtomicBool::new(false);
        let threads = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let tensors = self.model.tensors();
        thread::scope(|scope| {
            let (sender, receiver) = channel();
            let mut workers = Vec::new();
            for _ in 0..threads.min(THREADS) {
                let (pieces, failed, sender) = (&pieces, &failed, sender.clone());
                workers.push(scope.spawn(move || {
                    let worked = self.work(pieces, failed, &sender);
                    failed.fetch_or(worked.is_err(), Ordering::Relaxed);
                    worked
                }));
            }
            drop(sender);
            let mut parts = Vec::new();
            for Done { piece, loss } in receiver {
                let tensor = &tensors[piece.tensor];
                tell(piece.bytes(tensor) as u64, &tensor.name);
                parts.extend(loss.map(|loss| (piece, loss)));
            }
            for worker in workers {
                worker
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            }
            Ok(added(parts, tensors.len()))
        })
    }

    /// Takes one piece after the other, until there is none or a thread has failed.
    fn work(
        &self,
        pieces: &Mutex<Pieces>,
        failed: &AtomicBool,
        done: &Sender<Done>,
    ) -> Result<(), OptimizeError> {
        let mut buffers = Buffers::default();
        while !failed.load(Ordering::Relaxed) {
            let next = pieces.lock().map_or(None, |mut pieces| pieces.next());
            let Some(piece) = next else {
                break;
            };
            let loss = self.piece(&piece, &mut buffers)?;
            // Whoever listens is gone only when all has failed.
            let _ = done.send(Done { piece, loss });
        }
        Ok(())
    }

    fn piece(&self, piece: &Piece, buffers: &mut Buffers) -> Result<Option<Loss>, OptimizeError> {
        let tensor = &self.model.tensors()[piece.tensor];
        let place = &self.draft.places[piece.tensor];
        self.read(tensor, piece, buffers)?;
        if let Some(form) = &place.form {
            return self.quantize(tensor, place, form, piece, buffers).map(Some);
        }
        if tensor.dtype.is_float() {
            let checked = peak(slab(tensor, piece, &buffers.bytes));
            checked.map_err(OptimizeError::weights(&tensor.name, piece.rows.start, 0))?;
        }
        let writer = &self.writers[place.file];
        for stretch in piece.stretches(tensor) {
            // A piece that is copied is one stretch.
            writer.write_at(place.first, stretch.start, &buffers.bytes)?;
        }
        Ok(None)
    }

    fn read(
        &self,
        tensor: &Tensor,
        piece: &Piece,
        buffers: &mut Buffers,
    ) -> Result<(), OptimizeError> {
        let mut stretches = piece.stretches(tensor);
        if let (Some(only), None) = (stretches.next(), stretches.next()) {
            return self.model.read(tensor, only, &mut buffers.bytes);
        }
        buffers.bytes.clear();
        for stretch in piece.stretches(tensor) {
            self.model.read(tensor, stretch, &mut buffers.stretch)?;
            buffers.bytes.extend_from_slice(&buffers.stretch);
        }
        Ok(())
    }

    fn quantize(
        &self,
        tensor: &Tensor,
        place: &Place,
        form: &Form,
        piece: &Piece,
        buffers: &mut Buffers,
    ) -> Result<Loss, OptimizeError> {
        let Buffers {
            bytes,
            quantized,
            packed,
            ..
        } = buffers;
        let slab = slab(tensor, piece, bytes);
        let at = (piece.rows.start, piece.columns.start);
        quantize(&self.quantization.scheme, slab, None, quantized)
            .map_err(OptimizeError::weights(&tensor.name, at.0, at.1))?;
        if at == (0, 0) {
            form.constants(packed);
            self.write(place, packed, |_| 0)?;
        }
        if piece.columns.len() == tensor.shape[1] {
            form.pack(at.0, quantized, packed);
            self.write(place, packed, |_| 0)?;
        } else {
            let narrow = [tensor.shape[0], piece.columns.len()];
            let narrow = narrow_form(self.quantization, tensor, narrow)?;
            narrow.pack(at.0, quantized, packed);
            let before = |part: usize| self.bytes_before(place, part, tensor, at.1);
            self.write(place, packed, before)?;
        }
        Ok(Loss {
            signal: quantized.signal,
            noise: quantized.noise,
        })
    }

    /// Bytes of a transposed tensor that stand for the columns before one.
    fn bytes_before(&self, place: &Place, part: usize, tensor: &Tensor, column: usize) -> u64 {
        let spec = &self.draft.files[place.file].specs[place.first + part];
        let inner: usize = spec.shape.iter().skip(1).product();
        (spec.shape[0] * column / tensor.shape[1] * inner * spec.dtype.size()) as u64
    }

    fn write(
        &self,
        place: &Place,
        packed: &Packed,
        before: impl Fn(usize) -> u64,
    ) -> Result<(), OptimizeError> {
        let writer = &self.writers[place.file];
        let mut runs = packed.runs();
        runs.try_for_each(|run| {
            let at = before(run.part) + run.offset;
            writer.write_at(place.first + run.part, at, run.bytes)
        })
    }
}

fn slab<'a>(tensor: &Tensor, piece: &Piece, bytes: &'a [u8]) -> Slab<'a> {
    Slab {
        dtype: tensor.dtype,
        columns: piece.columns.len(),
        bytes,
    }
}

/// Adds up what the pieces of each tensor lost, in the order of the pieces.
fn added(mut parts: Vec<(Piece, Loss)>, tensors: usize) -> Vec<Loss> {
    parts.sort_by_key(|(piece, _)| (piece.tensor, piece.rows.start, piece.columns.start));
    let mut losses = vec![Loss::default(); tensors];
    for (piece, loss) in parts {
        losses[piece.tensor].add(loss);
    }
    losses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_do_not_depend_on_who_was_first() {
        let part = |row: usize, signal: f64| {
            let piece = Piece {
                tensor: 1,
                rows: row..row + 1,
                columns: 0..1,
            };
            let noise = signal / 2.0;
            (piece, Loss { signal, noise })
        };
        let parts = vec![part(0, 0.1), part(9, 1e17), part(5, 0.3)];
        let mut turned = parts.clone();
        turned.reverse();
        assert_eq!(added(parts, 2), added(turned, 2));
    }
}
