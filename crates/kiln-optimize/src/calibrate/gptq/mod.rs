//! Rounding that makes up for itself: the error of each column is taken into account by
//! the columns after it, by what the Gram matrix of the inputs says they have in common
//! (GPTQ; in the form of LDLQ, which needs no inverse).
//!
//! Columns are rounded in the order of their importance, while their scales remain those
//! of their places, so that nobody needs to know the order afterwards.

#[cfg(test)]
mod tests;

use crate::calibrate::linear::{Blend, Packed, Part, Precision, View, each, factor, multiply};
use crate::quantize::{Granularity, Grid, Quantized, Scheme};

/// Columns that are rounded between two products.
const BLOCK: usize = 128;
/// Rows that are rounded together.
const ROWS: usize = 96;
/// What is added to the diagonal, in parts of its mean.
const DAMPING: f64 = 0.01;

/// How errors of columns are made up for, for all weights that multiply the same rows.
#[derive(Debug)]
pub struct Feedback {
    order: Vec<usize>,
    importance: Vec<f32>,
    blocks: Vec<Block>,
    threads: usize,
}

/// Some neighbouring columns, in the order of rounding.
#[derive(Debug)]
struct Block {
    start: usize,
    size: usize,
    /// What errors of all columns before the block mean for its columns.
    before: Packed,
    /// What errors of its columns mean for those after them, column after column.
    within: Vec<f32>,
}

impl Feedback {
    /// Understands a Gram matrix, of which the upper triangle counts. There is none if the
    /// matrix is not one of finite rows.
    #[must_use]
    pub fn new(mut gram: Vec<f32>, columns: usize, threads: usize) -> Option<Self> {
        let diagonal: Vec<f32> = (0..columns).map(|i| gram[i * columns + i]).collect();
        let mut order: Vec<usize> = (0..columns).collect();
        order.sort_by(|a, b| diagonal[*b].total_cmp(&diagonal[*a]).then(a.cmp(b)));
        let mean = diagonal.iter().map(|x| f64::from(*x)).sum::<f64>() / columns as f64;
        // Inputs that are always zero leave nothing to make up for.
        let damping = if mean > 0.0 {
            (mean * DAMPING) as f32
        } else {
            1.0
        };
        permute(&mut gram, &order);
        for i in 0..columns {
            gram[i * columns + i] += damping;
        }
        if !factor(&mut gram, columns, threads) {
            return None;
        }
        let mut importance = vec![0f32; columns];
        for (i, column) in order.iter().enumerate() {
            importance[*column] = gram[i * columns + i].powi(2);
        }
        let pivots: Vec<f32> = (0..columns)
            .map(|i| gram[i * columns + i].recip())
            .collect();
        for (i, row) in gram.chunks_exact_mut(columns).enumerate() {
            for (x, pivot) in row[i..].iter_mut().zip(&pivots[i..]) {
                *x *= pivot;
            }
        }
        let blocks = (0..columns)
            .step_by(BLOCK)
            .map(|start| Block::new(&gram, columns, start));
        Some(Self {
            order,
            importance,
            blocks: blocks.collect(),
            threads,
        })
    }

    /// How much an error in each column counts that those after it cannot make up for.
    #[must_use]
    pub fn importance(&self) -> &[f32] {
        &self.importance
    }

    /// Rounds a weight to the scales and zeros that are in `quantized`, whose codes and
    /// noise are replaced.
    pub fn round(&self, weight: &[f32], scheme: &Scheme, quantized: &mut Quantized) {
        let columns = self.order.len();
        let rows = weight.len() / columns;
        let group = match scheme.granularity {
            Granularity::Group(size) => size,
            _ => columns,
        };
        let groups = columns.div_ceil(group);
        quantized.codes.resize(weight.len(), 0);
        let mut noises = vec![0f64; rows.div_ceil(ROWS)];
        let (scales, zeros) = (&quantized.scales, &quantized.zeros);
        let work = weight
            .chunks(ROWS * columns)
            .zip(quantized.codes.chunks_mut(ROWS * columns))
            .zip(&mut noises)
            .enumerate();
        each(work, self.threads, |(index, ((weight, codes), noise))| {
            let first = index * ROWS * groups;
            let grid = Levels {
                range: range(scheme.grid),
                scales: &scales[first..],
                zeros: zeros.get(first..).filter(|_| !zeros.is_empty()),
                group,
                groups,
            };
            *noise = self.strip(weight, &grid, codes);
        });
        quantized.noise = noises.iter().sum();
    }

    /// Rounds some rows, and returns the sum of their squared errors.
    fn strip(&self, weight: &[f32], grid: &Levels, codes: &mut [i8]) -> f64 {
        let columns = self.order.len();
        let rows = weight.len() / columns;
        // In the order of rounding: first the weights, and in the end their errors.
        let mut strip = Vec::with_capacity(weight.len());
        for row in weight.chunks_exact(columns) {
            strip.extend(self.order.iter().map(|column| row[*column]));
        }
        let mut wanted = vec![0f32; rows * BLOCK];
        for block in &self.blocks {
            let (start, size) = (block.start, block.size);
            let wanted = &mut wanted[..rows * size];
            let errors = View::strided(&strip, rows, start, columns);
            multiply(
                errors,
                &block.before,
                wanted,
                size,
                Blend::Set,
                Part::All,
                1,
            );
            let order = &self.order[start..start + size];
            for (row, wanted) in wanted.chunks_exact_mut(size).enumerate() {
                let ours = &mut strip[row * columns + start..][..size];
                for (x, weight) in wanted.iter_mut().zip(&*ours) {
                    *x += weight;
                }
                let codes = &mut codes[row * columns..(row + 1) * columns];
                settle(&block.within, wanted, ours, |k, x| {
                    let column = order[k];
                    let (code, made) = grid.round(row, column, x);
                    codes[column] = code;
                    made
                });
            }
        }
        strip
            .iter()
            .map(|error| f64::from(*error) * f64::from(*error))
            .sum()
    }
}

impl Block {
    fn new(factors: &[f32], columns: usize, start: usize) -> Self {
        let size = BLOCK.min(columns - start);
        let before = View::strided(&factors[start..], start, size, columns);
        let mut within = Vec::with_capacity(size * size);
        for row in start..start + size {
            within.extend_from_slice(&factors[row * columns + start..][..size]);
        }
        Self {
            start,
            size,
            before: Packed::new(before.transposed(), Precision::Full),
            within,
        }
    }
}

/// Rounds a row's part in a block. `weights` become errors.
fn settle(
    within: &[f32],
    wanted: &mut [f32],
    weights: &mut [f32],
    mut round: impl FnMut(usize, f32) -> f32,
) {
    let size = wanted.len();
    for (k, (weight, factors)) in weights
        .iter_mut()
        .zip(within.chunks_exact(size))
        .enumerate()
    {
        let error = *weight - round(k, wanted[k]);
        *weight = error;
        for (x, factor) in wanted[k + 1..].iter_mut().zip(&factors[k + 1..]) {
            *x += error * factor;
        }
    }
}

/// What codes of some rows stand for.
struct Levels<'a> {
    range: (f32, f32),
    scales: &'a [f32],
    zeros: Option<&'a [i8]>,
    group: usize,
    groups: usize,
}

impl Levels<'_> {
    /// The nearest code, and what it stands for.
    fn round(&self, row: usize, column: usize, x: f32) -> (i8, f32) {
        /// Adding it and taking it away again rounds to whole numbers, ties to even.
        const WHOLE: f32 = 12_582_912.0;
        let at = row * self.groups + column / self.group;
        let scale = self.scales[at];
        let zero = self.zeros.map_or(0.0, |zeros| f32::from(zeros[at]));
        let level = (x / scale).clamp(self.range.0 - zero, self.range.1 - zero);
        let level = (level + WHOLE) - WHOLE;
        ((level + zero) as i8, level * scale)
    }
}

fn range(grid: Grid) -> (f32, f32) {
    match grid {
        Grid::Int { bits, .. } => {
            let half = f32::from(1u8 << (bits - 1).min(7));
            (-half, half - 1.0)
        }
        Grid::Fp8 => (-448.0, 448.0),
    }
}

/// Brings rows and columns of a symmetric matrix, of which the upper triangle counts, into
/// an order.
fn permute(matrix: &mut [f32], order: &[usize]) {
    let n = order.len();
    for i in 0..n {
        for j in 0..i {
            matrix[i * n + j] = matrix[j * n + i];
        }
    }
    let mut done = vec![false; n];
    let mut saved = vec![0f32; n];
    for first in 0..n {
        if done[first] {
            continue;
        }
        saved.copy_from_slice(&matrix[first * n..(first + 1) * n]);
        let mut row = first;
        while order[row] != first {
            done[row] = true;
            let from = order[row] * n;
            matrix.copy_within(from..from + n, row * n);
            row = order[row];
        }
        done[row] = true;
        matrix[row * n..(row + 1) * n].copy_from_slice(&saved);
    }
    for row in matrix.chunks_exact_mut(n) {
        saved.copy_from_slice(row);
        for (x, from) in row.iter_mut().zip(order) {
            *x = saved[*from];
        }
    }
}
