//! The model's numbers cut into pieces that one thread works on at a time.
//!
//! A piece is some whole rows of a tensor. Where many rows belong together it has only some
//! of their columns: in blocks, or where the result is transposed and fewer rows would have
//! to be written in crumbs. So its size has a bound whatever the tensor's width.

use std::ops::Range;

use super::draft::Draft;
use crate::layout::{Form, Layout};
use crate::model::Model;
use crate::options::Quantization;
use crate::quantize::Granularity;
use crate::safetensors::Tensor;

/// About how many bytes are taken at once where rows stay rows: so few that they, and what
/// they become, stay in the processor's nearer cache.
const NEAR: usize = 256 << 10;

/// About how many bytes are taken at once where many rows belong together: in blocks, or
/// because they become columns, which go in shorter runs the fewer rows there are.
const TALL: usize = 1 << 20;

/// A part of a tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The tensor's number.
    pub tensor: usize,
    /// Some of its rows.
    pub rows: Range<usize>,
    /// Some of their columns.
    pub columns: Range<usize>,
}

impl Piece {
    /// Bytes of the piece.
    pub fn bytes(&self, tensor: &Tensor) -> usize {
        self.rows.len() * self.columns.len() * tensor.dtype.size()
    }

    /// Where the bytes are in the tensor, stretch by stretch.
    pub fn stretches(&self, tensor: &Tensor) -> impl Iterator<Item = Range<u64>> {
        let [_, width] = table(tensor);
        let size = tensor.dtype.size();
        let (columns, rows) = (self.columns.clone(), self.rows.clone());
        let is_whole = columns.len() == width;
        let count = if is_whole { 1 } else { rows.len() };
        (0..count).map(move |number| {
            let first = rows.start + number;
            let last = if is_whole { rows.end - 1 } else { first };
            let begin = (first * width + columns.start) * size;
            let end = (last * width + columns.end) * size;
            begin as u64..end as u64
        })
    }
}

/// A tensor as a table: rows and columns. What has one dimension is one row.
pub fn table(tensor: &Tensor) -> [usize; 2] {
    match &tensor.shape[..] {
        [] => [1, 1],
        [columns] => [1, *columns],
        [rows, inner @ ..] => [*rows, inner.iter().product()],
    }
}

/// How a tensor is cut.
#[derive(Debug, Clone, Copy)]
struct Cut {
    tensor: usize,
    table: [usize; 2],
    step: [usize; 2],
}

/// Goes through all tensors in the order of the files, so that disks read on.
#[derive(Debug)]
pub struct Pieces<'a> {
    tensors: &'a [Tensor],
    cuts: Vec<Cut>,
    at: usize,
    row: usize,
    column: usize,
}

/// The tensors' numbers in the order in which they are in the files.
pub fn in_order_of_files(tensors: &[Tensor]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..tensors.len()).collect();
    order.sort_by_key(|number| (tensors[*number].file, tensors[*number].range.start));
    order
}

impl<'a> Pieces<'a> {
    /// Of a model that is to become a draft, but for the tensors that are there already.
    pub fn new(
        model: &'a Model,
        draft: &Draft<'_>,
        quantization: &Quantization,
        there: &[bool],
    ) -> Self {
        let tensors = model.tensors();
        let mut order = in_order_of_files(tensors);
        order.retain(|number| tensors[*number].bytes() > 0 && !there[*number]);
        let cuts = order.into_iter().map(|number| {
            let table = table(&tensors[number]);
            let size = tensors[number].dtype.size();
            let step = match &draft.places[number].form {
                None => [rows_of(NEAR, table[1] * size, 1), table[1].min(NEAR / size)],
                Some(form) => step(form, quantization, table, size),
            };
            Cut {
                tensor: number,
                table,
                step,
            }
        });
        Self {
            tensors,
            cuts: cuts.collect(),
            at: 0,
            row: 0,
            column: 0,
        }
    }

    /// Bytes of a piece.
    pub fn bytes(&self, piece: &Piece) -> usize {
        piece.bytes(&self.tensors[piece.tensor])
    }

    /// Whether what the pieces become follows each other in each of a draft's tensors.
    pub fn become_runs(&self, draft: &Draft<'_>) -> bool {
        self.cuts.iter().all(|cut| {
            let form = draft.places[cut.tensor].form.as_ref();
            form.is_none_or(|form| !form.is_transposed() && cut.step[1] == cut.table[1])
        })
    }
}

impl Iterator for Pieces<'_> {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        let cut = *self.cuts.get(self.at)?;
        let end = |at: usize, step: usize, all: usize| all.min(at.saturating_add(step));
        let piece = Piece {
            tensor: cut.tensor,
            rows: self.row..end(self.row, cut.step[0], cut.table[0]),
            columns: self.column..end(self.column, cut.step[1], cut.table[1]),
        };
        self.column = piece.columns.end;
        if self.column == cut.table[1] {
            (self.row, self.column) = (piece.rows.end, 0);
        }
        if self.row == cut.table[0] {
            (self.at, self.row) = (self.at + 1, 0);
        }
        Some(piece)
    }
}

/// How many rows and columns of a weight are taken at once.
fn step(
    form: &Form,
    quantization: &Quantization,
    [rows, columns]: [usize; 2],
    size: usize,
) -> [usize; 2] {
    let whole = |bytes| rows_of(bytes, columns * size, form.rows_together());
    let (tall, group) = match quantization.scheme.granularity {
        Granularity::Block(side) => (side, side),
        Granularity::Group(group) if form.is_transposed() => {
            (rows_of_a_run(quantization.layout), group)
        }
        _ => return [whole(NEAR), columns],
    };
    let tall = tall.min(rows);
    if columns * size * tall <= TALL {
        return [whole(TALL), columns];
    }
    let narrow = TALL / (tall * size) / group * group;
    [tall, narrow.max(group).min(columns)]
}

/// How many rows become 512 bytes that follow each other, where the result is transposed.
fn rows_of_a_run(layout: Layout) -> usize {
    match layout {
        Layout::Awq => 1024,
        Layout::Gptq => 128,
        Layout::PackQuantized | Layout::IntQuantized | Layout::FloatQuantized => 1,
    }
}

/// How many rows of so many bytes come to about `all` bytes, where some belong together.
fn rows_of(all: usize, bytes: usize, together: usize) -> usize {
    (all / bytes.max(1) / together * together).max(together)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dtype;
    use crate::options::quantization_of;
    use crate::pipeline::draft::form;
    use crate::pipeline::shares::{THREADS, WAITING};

    fn weight(rows: usize, columns: usize) -> Tensor {
        Tensor {
            name: "w".to_owned(),
            dtype: Dtype::Bf16,
            shape: vec![rows, columns],
            file: 0,
            range: 0..(rows * columns * 2) as u64,
        }
    }

    #[test]
    fn pieces_are_small_but_do_not_end_in_crumbs() {
        for (method, rows, columns, expected) in [
            ("w4a16", 4096, 4096, [32, 4096]),
            ("w4a16", 8192, 28672, [4, 28672]),
            ("awq", 4096, 4096, [1024, 512]),
            ("awq", 8192, 28672, [1024, 512]),
            ("awq", 64, 512, [1024, 512]),
            ("fp8", 4096, 4096, [128, 4096]),
            ("fp8", 8192, 28672, [128, 4096]),
            ("gptq", 4096, 4096, [128, 4096]),
            ("gptq", 8192, 28672, [128, 4096]),
        ] {
            let block = [("QUANTIZE", method), ("FP8_SCHEME", "FP8_BLOCK")];
            let options = if method == "fp8" {
                &block[..]
            } else {
                &block[..1]
            };
            let quantization = quantization_of(options);
            let tensor = weight(rows, columns);
            let form = form(&quantization, &tensor).unwrap();
            let found = step(&form, &quantization, [rows, columns], 2);
            assert_eq!(found, expected, "{method} {rows} x {columns}");
        }
    }

    #[test]
    fn threads_hold_little_together_whatever_the_width() {
        let methods = [
            ("w4a16", ("SYMMETRIC", "true")),
            ("w4a16", ("SYMMETRIC", "false")),
            ("w8a16", ("SYMMETRIC", "true")),
            ("int8", ("ROUNDING", "nearest")),
            ("fp8", ("FP8_SCHEME", "FP8_DYNAMIC")),
            ("fp8", ("FP8_SCHEME", "FP8_BLOCK")),
            ("awq", ("ROUNDING", "nearest")),
            ("gptq", ("ROUNDING", "nearest")),
        ];
        for (method, option) in methods {
            let quantization = quantization_of(&[("QUANTIZE", method), option]);
            for columns in [128, 4096, 8192, 28672, 53248, 131_072] {
                let form = form(&quantization, &weight(8192, columns)).unwrap();
                let [rows, columns] = step(&form, &quantization, [8192, columns], 4);
                // Numbers of 32 bits, their codes, and what is written of them.
                let held = (4 + 1) * THREADS + (THREADS + WAITING);
                let held = rows * columns * held;
                assert!(held < 56 << 20, "{method} {option:?} {rows} x {columns}");
            }
        }
    }

    #[test]
    fn stretches_are_the_bytes_of_a_piece() {
        let tensor = weight(4, 10);
        let stretches = |rows, columns| {
            let piece = Piece {
                tensor: 0,
                rows,
                columns,
            };
            piece.stretches(&tensor).collect::<Vec<_>>()
        };
        assert_eq!(stretches(1..3, 0..10).first(), Some(&(20..60)));
        assert_eq!(stretches(1..3, 2..5), [24..30, 44..50]);
    }
}
