//! The pass over the model that quantizes without looking at texts: every byte is read
//! once, by as many threads as there are processors, and every byte is written once.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;

use super::draft::{Draft, Place, narrow_form};
use super::pieces::{Piece, Pieces};
use crate::OptimizeError;
use crate::layout::{Form, Packed, Part, Run};
use crate::model::Model;
use crate::options::Quantization;
use crate::quantize::{Quantized, Slab, check, quantize};
use crate::safetensors::{Tensor, Writer};

/// More threads than this would hold too much memory together.
pub(super) const THREADS: usize = 8;

/// So many pieces a thread takes at a time: to wake who listens for each would take longer
/// than some pieces do.
const SHARE: usize = 16;

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
            for Done { piece, loss } in receiver.into_iter().flatten() {
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

    /// Takes some pieces after others, until there is none or a thread has failed.
    fn work(
        &self,
        pieces: &Mutex<Pieces>,
        failed: &AtomicBool,
        told: &Sender<Vec<Done>>,
    ) -> Result<(), OptimizeError> {
        let mut buffers = Buffers::default();
        while !failed.load(Ordering::Relaxed) {
            let share = pieces.lock().map(|mut pieces| {
                let share = pieces.by_ref().take(SHARE);
                share.collect::<Vec<Piece>>()
            });
            let share = share.unwrap_or_default();
            if share.is_empty() {
                break;
            }
            let done = share.into_iter().map(|piece| {
                let loss = self.piece(&piece, &mut buffers)?;
                Ok(Done { piece, loss })
            });
            // Whoever listens is gone only when all has failed.
            let _ = told.send(done.collect::<Result<_, OptimizeError>>()?);
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
            let checked = check(slab(tensor, piece, &buffers.bytes));
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
        let writer = &self.writers[place.file];
        let write = |part, at, bytes: &[u8]| writer.write_at(place.first + part, at, bytes);
        if at == (0, 0) {
            form.constants(packed);
            let mut runs = packed.runs();
            runs.try_for_each(|run| write(run.part, run.offset, run.bytes))?;
        }
        let narrow = [tensor.shape[0], piece.columns.len()];
        let narrow = narrow_form(self.quantization, tensor, narrow)?;
        narrow.pack(at.0, quantized, packed);
        for run in packed.runs() {
            let parts = [&narrow.parts()[run.part], &form.parts()[run.part]];
            let mut places = widened(run, parts, at.1, tensor.shape[1]);
            places.try_for_each(|(at, bytes)| write(run.part, at, bytes))?;
        }
        Ok(Loss {
            signal: quantized.signal,
            noise: quantized.noise,
        })
    }
}

/// Where in a whole part a run of a narrow one goes, which stands for the columns of a weight
/// from `column` of `columns` on: in one, if those are rows of the part, and else row by row.
fn widened<'a>(
    run: Run<'a>,
    [narrow, whole]: [&Part; 2],
    column: usize,
    columns: usize,
) -> impl Iterator<Item = (u64, &'a [u8])> + use<'a> {
    let width = |part: &Part| part.shape[1..].iter().product::<usize>() * part.dtype.size();
    let [narrow_width, whole_width] = [width(narrow), width(whole)];
    let offset = run.offset as usize;
    let (first, length, stride) = if narrow.shape == whole.shape {
        (offset, run.bytes.len(), 0)
    } else if narrow.shape[0] == whole.shape[0] {
        let first = offset / narrow_width * whole_width + whole_width * column / columns;
        (first, narrow_width, whole_width)
    } else {
        let rows = whole.shape[0] * column / columns;
        (offset + rows * whole_width, run.bytes.len(), 0)
    };
    let stretches = run.bytes.chunks(length.max(1)).enumerate();
    stretches.map(move |(number, bytes)| ((first + number * stride) as u64, bytes))
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
    use super::super::draft::form;
    use super::*;
    use crate::Dtype;
    use crate::options::quantization_of;

    const ROWS: usize = 256;
    const COLUMNS: usize = 640;

    #[test]
    fn narrow_pieces_become_what_whole_rows_do() {
        let numbers = (0..ROWS * COLUMNS).map(|at| ((at * 40503) >> 4) % 4096);
        let bytes =
            numbers.flat_map(|number| half::f16::from_f32(number as f32 - 2048.0).to_le_bytes());
        let bytes: Vec<u8> = bytes.collect();
        for options in [
            &[("QUANTIZE", "fp8"), ("FP8_SCHEME", "FP8_BLOCK")][..],
            &[("QUANTIZE", "awq")],
            &[("QUANTIZE", "gptq")],
        ] {
            let asked = quantization_of(options);
            let whole = written(&asked, &bytes, COLUMNS);
            assert!(written(&asked, &bytes, 256) == whole, "{options:?}");
        }
    }

    /// All parts that a weight becomes in pieces of 128 rows and so many columns.
    fn written(asked: &Quantization, bytes: &[u8], step: usize) -> Vec<Vec<u8>> {
        let tensor = Tensor {
            name: "w".to_owned(),
            dtype: Dtype::F16,
            shape: vec![ROWS, COLUMNS],
            file: 0,
            range: 0..bytes.len() as u64,
        };
        let whole = form(asked, &tensor).unwrap();
        let room = |part: &Part| vec![0; part.shape.iter().product::<usize>() * part.dtype.size()];
        let mut parts: Vec<Vec<u8>> = whole.parts().iter().map(room).collect();
        let firsts = |row| (0..COLUMNS).step_by(step).map(move |column| (row, column));
        for (row, column) in [0, 128].into_iter().flat_map(firsts) {
            let piece = Piece {
                tensor: 0,
                rows: row..row + 128,
                columns: column..COLUMNS.min(column + step),
            };
            let stretches = piece.stretches(&tensor);
            let stretches = stretches.map(|at| &bytes[at.start as usize..at.end as usize]);
            let stretches = stretches.collect::<Vec<_>>().concat();
            let (mut quantized, mut packed) = (Quantized::default(), Packed::default());
            let slab = slab(&tensor, &piece, &stretches);
            quantize(&asked.scheme, slab, None, &mut quantized).unwrap();
            let narrow = narrow_form(asked, &tensor, [ROWS, piece.columns.len()]).unwrap();
            narrow.pack(row, &quantized, &mut packed);
            for run in packed.runs() {
                let forms = [&narrow.parts()[run.part], &whole.parts()[run.part]];
                for (at, bytes) in widened(run, forms, column, COLUMNS) {
                    parts[run.part][at as usize..][..bytes.len()].copy_from_slice(bytes);
                }
            }
        }
        parts
    }

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
