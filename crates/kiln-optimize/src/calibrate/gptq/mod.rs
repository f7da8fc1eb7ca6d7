//! Rounding that makes up for itself: the error of each column is taken into account by
//! the columns after it, by what the Gram matrix of the inputs says they have in common
//! (GPTQ; in the form of LDLQ, which needs no inverse).
//!
//! Columns are rounded in the order of their importance, while their scales remain those
//! of their places, so that nobody needs to know the order afterwards. Where scales are
//! searched, codes and scales are then bettered together (`sweep`).

mod sweep;
#[cfg(test)]
mod tests;

use sweep::Sweep;

use crate::calibrate::linear::{Blend, Packed, Part, Precision, View, each, factor, multiply};
use crate::kernels::precision::Precision as Stored;
use crate::quantize::{Granularity, Grid, Quantized, Rounding, Scheme};

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
    sweep: Option<Sweep>,
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
    /// Understands a Gram matrix, of which the upper triangle counts, for rounding of that
    /// kind. There is none if the matrix is not one of finite rows.
    #[must_use]
    pub fn new(
        mut gram: Vec<f32>,
        columns: usize,
        rounding: Rounding,
        threads: usize,
    ) -> Option<Self> {
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
        for i in 0..columns {
            gram[i * columns + i] += damping;
        }
        mirror(&mut gram, columns);
        let sweep = (rounding == Rounding::Searched).then(|| Sweep::new(&gram, columns));
        permute(&mut gram, &order);
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
            sweep,
            threads,
        })
    }

    /// How much an error in each column counts that those after it cannot make up for.
    #[must_use]
    pub fn importance(&self) -> &[f32] {
        &self.importance
    }

    /// Rounds a weight to the scales and zeros that are in `quantized`, whose codes and
    /// noise are replaced, and whose scales become better ones that can be stored, if that
    /// is what the feedback is for.
    pub fn round(
        &self,
        weight: &[f32],
        scheme: &Scheme,
        stored: Stored,
        quantized: &mut Quantized,
    ) {
        let columns = self.order.len();
        let rows = weight.len() / columns;
        let levels = Levels::new(scheme, columns);
        quantized.codes.resize(weight.len(), 0);
        let mut noises = vec![0f64; rows.div_ceil(ROWS)];
        let zeros = &quantized.zeros;
        let work = weight
            .chunks(ROWS * columns)
            .zip(quantized.codes.chunks_mut(ROWS * columns))
            .zip(quantized.scales.chunks_mut(ROWS * levels.groups))
            .zip(&mut noises)
            .enumerate();
        each(
            work,
            self.threads,
            |(index, (((weight, codes), scales), noise))| {
                let mut strip = Strip {
                    weight,
                    codes,
                    scales,
                    zeros: zeros
                        .get(index * ROWS * levels.groups..)
                        .unwrap_or_default(),
                };
                *noise = self.strip(levels, &mut strip);
                if let Some(sweep) = &self.sweep {
                    *noise = sweep.run(levels, stored, &mut strip);
                }
            },
        );
        quantized.noise = noises.iter().sum();
    }

    /// Rounds some rows, and returns the sum of their squared errors.
    fn strip(&self, levels: Levels, to: &mut Strip) -> f64 {
        let columns = self.order.len();
        let rows = to.weight.len() / columns;
        // In the order of rounding: first the weights, and in the end their errors.
        let mut strip = Vec::with_capacity(to.weight.len());
        for row in to.weight.chunks_exact(columns) {
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
                settle(&block.within, wanted, ours, |k, x| {
                    let column = order[k];
                    let (scale, zero) = to.scale(levels, row, column);
                    let level = levels.nearest(zero, x / scale);
                    to.codes[row * columns + column] = (level + zero) as i8;
                    level * scale
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

/// Some rows of a weight, and what is made of them.
struct Strip<'a> {
    weight: &'a [f32],
    codes: &'a mut [i8],
    scales: &'a mut [f32],
    /// One for each scale, if there are any.
    zeros: &'a [i8],
}

impl Strip<'_> {
    /// The scale and the zero point of a weight.
    #[inline(always)]
    fn scale(&self, levels: Levels, row: usize, column: usize) -> (f32, f32) {
        let at = row * levels.groups + column / levels.group;
        (self.scales[at], self.zero(at))
    }

    #[inline(always)]
    fn zero(&self, at: usize) -> f32 {
        self.zeros.get(at).map_or(0.0, |zero| f32::from(*zero))
    }
}

/// The levels that weights can have, in parts of their scales.
#[derive(Clone, Copy)]
struct Levels {
    range: (f32, f32),
    /// How many columns share a scale, and how many scales a row has.
    group: usize,
    groups: usize,
}

impl Levels {
    fn new(scheme: &Scheme, columns: usize) -> Self {
        let group = match scheme.granularity {
            Granularity::Group(size) => size,
            _ => columns,
        };
        Self {
            range: range(scheme.grid),
            group,
            groups: columns.div_ceil(group),
        }
    }

    /// The nearest level, where zero has a code.
    #[inline(always)]
    fn nearest(self, zero: f32, x: f32) -> f32 {
        /// Adding it and taking it away again rounds to whole numbers, ties to even.
        const WHOLE: f32 = 12_582_912.0;
        let level = x.clamp(self.range.0 - zero, self.range.1 - zero);
        (level + WHOLE) - WHOLE
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

/// Fills the lower triangle of a symmetric matrix from the upper one.
fn mirror(matrix: &mut [f32], n: usize) {
    for i in 0..n {
        for j in 0..i {
            matrix[i * n + j] = matrix[j * n + i];
        }
    }
}

/// Brings rows and columns of a matrix into an order.
fn permute(matrix: &mut [f32], order: &[usize]) {
    let n = order.len();
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
