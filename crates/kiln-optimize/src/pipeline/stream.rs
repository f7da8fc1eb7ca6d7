//! The pass over the model that quantizes without looking at texts: every byte is read
//! once, by as many threads as there are processors, and every byte is written once, by one
//! more, in the order of the model's files.

use super::draft::{Draft, narrow_form};
use super::pieces::{Piece, Pieces};
use super::shares::{self, Done};
use crate::OptimizeError;
use crate::layout::{Form, Packed, Part, Run};
use crate::model::Model;
use crate::options::Quantization;
use crate::quantize::{Quantized, Slab, check, quantize};
use crate::safetensors::{Tensor, Writer};

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
    pub draft: &'a Draft<'a>,
    /// The files.
    pub writers: &'a [Writer],
    /// Which tensors are written already.
    pub there: &'a [bool],
}

/// What a thread uses again and again.
#[derive(Default)]
struct Buffers {
    stretch: Vec<u8>,
    bytes: Vec<u8>,
    quantized: Quantized,
}

impl Stream<'_> {
    /// Does all of it, and tells of each piece's bytes and tensor. Answers what each
    /// tensor lost, the same on any number of threads.
    pub fn run(&self, tell: &mut dyn FnMut(u64, &str)) -> Result<Vec<Loss>, OptimizeError> {
        let pieces = Pieces::new(self.model, self.draft, self.quantization, self.there);
        let tensors = self.model.tensors();
        let mut losses = vec![Loss::default(); tensors.len()];
        let work = |piece: &Piece, buffers: &mut Buffers, done: &mut Done| {
            done.loss = self.piece(piece, buffers, &mut done.packed)?;
            Ok(())
        };
        shares::run(pieces, work, |share| {
            for (piece, done) in share.pieces() {
                self.write(piece, &done.packed)?;
                losses[piece.tensor].add(done.loss.unwrap_or_default());
                let tensor = &tensors[piece.tensor];
                tell(piece.bytes(tensor) as u64, &tensor.name);
            }
            Ok(())
        })?;
        Ok(losses)
    }

    /// Makes of a piece what is written.
    fn piece(
        &self,
        piece: &Piece,
        buffers: &mut Buffers,
        packed: &mut Packed,
    ) -> Result<Option<Loss>, OptimizeError> {
        let tensor = &self.model.tensors()[piece.tensor];
        self.read(tensor, piece, buffers)?;
        if let Some(form) = &self.draft.places[piece.tensor].form {
            return self
                .quantize(tensor, form, piece, (buffers, packed))
                .map(Some);
        }
        if tensor.dtype.is_float() {
            let checked = check(slab(tensor, piece, &buffers.bytes));
            checked.map_err(OptimizeError::weights(&tensor.name, piece.rows.start, 0))?;
        }
        for stretch in piece.stretches(tensor) {
            // A piece that is copied is one stretch.
            packed.take(stretch.start, &mut buffers.bytes);
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
        form: &Form,
        piece: &Piece,
        (buffers, packed): (&mut Buffers, &mut Packed),
    ) -> Result<Loss, OptimizeError> {
        let Buffers {
            bytes, quantized, ..
        } = buffers;
        let slab = slab(tensor, piece, bytes);
        let at = (piece.rows.start, piece.columns.start);
        quantize(&self.quantization.scheme, slab, None, quantized)
            .map_err(OptimizeError::weights(&tensor.name, at.0, at.1))?;
        self.narrow(tensor, piece)?.pack(at.0, quantized, packed);
        if at == (0, 0) {
            form.constants(packed);
        }
        Ok(Loss {
            signal: quantized.signal,
            noise: quantized.noise,
        })
    }

    /// What the columns of a piece become.
    fn narrow(&self, tensor: &Tensor, piece: &Piece) -> Result<Form, OptimizeError> {
        let shape = [tensor.shape[0], piece.columns.len()];
        narrow_form(self.quantization, tensor, shape)
    }

    /// Writes what a piece became.
    fn write(&self, piece: &Piece, packed: &Packed) -> Result<(), OptimizeError> {
        let tensor = &self.model.tensors()[piece.tensor];
        let place = &self.draft.places[piece.tensor];
        let writer = &self.writers[place.file];
        let mut runs = packed.runs();
        let Some(form) = &place.form else {
            return runs.try_for_each(|run| writer.write_at(place.first, run.offset, run.bytes));
        };
        let narrow = self.narrow(tensor, piece)?;
        runs.try_for_each(|run| {
            let parts = [&narrow.parts()[run.part], &form.parts()[run.part]];
            let tensor_of_part = place.first + run.part;
            let mut places = widened(run, parts, piece.columns.start, tensor.shape[1]);
            places.try_for_each(|(at, bytes)| writer.write_at(tensor_of_part, at, bytes))
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
}
