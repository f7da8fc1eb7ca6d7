//! Rounding that makes up for itself: the error of each column is taken into account by
//! the columns after it, by what the Gram matrix of the inputs says they have in common
//! (GPTQ; in the form of LDLQ, which needs no inverse).
//!
//! Columns are rounded in the order of their importance, while their scales remain those
//! of their places, so that nobody needs to know the order afterwards.

use super::linear::{Blend, Packed, Part, Precision, View, each, factor, multiply};
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
        let damping = if mean > 0.0 { (mean * DAMPING) as f32 } else { 1.0 };
        permute(&mut gram, &order);
        for i in 0..columns {
            gram[i * columns + i] += damping;
        }
        if !factor(&mut gram, columns, threads) {
            return None;
        }
        let pivots: Vec<f32> = (0..columns).map(|i| gram[i * columns + i].recip()).collect();
        for (i, row) in gram.chunks_exact_mut(columns).enumerate() {
            for (x, pivot) in row[i..].iter_mut().zip(&pivots[i..]) {
                *x *= pivot;
            }
        }
        let blocks = (0..columns).step_by(BLOCK).map(|start| Block::new(&gram, columns, start));
        Some(Self {
            order,
            blocks: blocks.collect(),
            threads,
        })
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
            multiply(errors, &block.before, wanted, size, Blend::Set, Part::All, 1);
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
        strip.iter().map(|error| f64::from(*error) * f64::from(*error)).sum()
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
    for (k, (weight, factors)) in weights.iter_mut().zip(within.chunks_exact(size)).enumerate() {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::linear::gram;
    use super::*;
    use crate::quantize::Rounding;

    fn noise(count: usize, seed: u64) -> Vec<f32> {
        (0..count as u64)
            .map(|i| {
                let mixed = (i + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15 ^ seed << 7);
                let mixed = (mixed ^ mixed >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9);
                (mixed >> 40) as f32 / (1u64 << 23) as f32 - 1.0
            })
            .collect()
    }

    fn scheme(group: usize) -> Scheme {
        Scheme {
            grid: Grid::Int { bits: 4, symmetric: true },
            granularity: Granularity::Group(group),
            rounding: Rounding::Nearest,
            stored: crate::quantize::Stored::default(),
        }
    }

    #[test]
    fn matrices_are_brought_into_an_order() {
        let mut matrix = vec![0.0; 9];
        for (i, j) in [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)] {
            matrix[i * 3 + j] = (i * 10 + j) as f32;
        }
        permute(&mut matrix, &[2, 0, 1]);
        assert_eq!(matrix, [22.0, 2.0, 12.0, 2.0, 0.0, 1.0, 12.0, 1.0, 11.0]);
    }

    /// GPTQ as its paper has it: from the inverse of the matrix, column by column.
    fn defined(weight: &[f32], hessian: &[f64], n: usize, order: &[usize], scales: &[f32], group: usize) -> Vec<i8> {
        let mut codes = vec![0i8; weight.len()];
        for (row, codes) in weight.chunks(n).zip(codes.chunks_mut(n)).enumerate().map(|(i, x)| ((i, x.0), x.1)) {
            let (index, row) = row;
            let mut w: Vec<f64> = row.iter().map(|x| f64::from(*x)).collect();
            for (k, column) in order.iter().enumerate() {
                let scale = f64::from(scales[index * n.div_ceil(group) + column / group]);
                let code = (w[*column] / scale).round_ties_even().clamp(-8.0, 7.0);
                codes[*column] = code as i8;
                let error = w[*column] - code * scale;
                // The inverse of the matrix of what is left.
                let left = &order[k..];
                let inverse = first_column_of_inverse(hessian, n, left);
                for (other, factor) in left.iter().zip(&inverse) {
                    w[*other] -= error * factor / inverse[0];
                }
            }
        }
        codes
    }

    fn first_column_of_inverse(hessian: &[f64], n: usize, left: &[usize]) -> Vec<f64> {
        let m = left.len();
        let mut a: Vec<Vec<f64>> = left
            .iter()
            .enumerate()
            .map(|(i, r)| {
                let row = left.iter().map(|c| hessian[r.min(c) * n + r.max(c)]);
                row.chain([f64::from(u8::from(i == 0))]).collect()
            })
            .collect();
        for i in 0..m {
            let pivot = a[i][i];
            let row: Vec<f64> = a[i].iter().map(|x| x / pivot).collect();
            for (other, target) in a.iter_mut().enumerate() {
                if other != i {
                    let factor = target[i];
                    for (x, y) in target.iter_mut().zip(&row) {
                        *x -= factor * y;
                    }
                }
            }
            a[i] = row;
        }
        a.iter().map(|row| row[m]).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]

        #[test]
        fn codes_are_those_of_the_paper(n in 2usize..24, rows in 1usize..5, seed: u64) {
            let inputs = noise(n * 2 * n, seed);
            let weight = noise(rows * n, !seed);
            let mut sums = vec![0f32; n * n];
            gram(View::new(&inputs, 2 * n, n), &mut sums, Precision::Full, 1);
            let group = n.div_ceil(2);
            let scales = vec![0.13f32; rows * n.div_ceil(group)];
            let mean = (0..n).map(|i| f64::from(sums[i * n + i])).sum::<f64>() / n as f64;
            let mut hessian: Vec<f64> = sums.iter().map(|x| f64::from(*x)).collect();
            for i in 0..n {
                hessian[i * n + i] += f64::from((mean * DAMPING) as f32);
            }
            let feedback = Feedback::new(sums, n, 1).unwrap();
            let expected = defined(&weight, &hessian, n, &feedback.order, &scales, group);
            let mut quantized = Quantized { scales, ..Quantized::default() };
            feedback.round(&weight, &scheme(group), &mut quantized);
            let differing = quantized.codes.iter().zip(&expected).filter(|(a, b)| a != b).count();
            // Ties may fall either way.
            prop_assert!(differing <= expected.len() / 20, "{differing} of {}", expected.len());
        }
    }

    #[test]
    fn what_multiplies_the_rows_loses_less_and_bits_do_not_depend_on_threads() {
        let (n, rows, tokens) = (300, 200, 500);
        let mut inputs = noise(tokens * n, 1);
        for row in inputs.chunks_mut(n) {
            for i in 1..n {
                row[i] = 0.7 * row[i - 1] + 0.3 * row[i];
            }
        }
        let weight = noise(rows * n, 2);
        let mut sums = vec![0f32; n * n];
        gram(View::new(&inputs, tokens, n), &mut sums, Precision::Full, 1);
        let scales = vec![1.0 / 7.5; rows * 3];
        let lost = |codes: &[i8]| -> f64 {
            let packed: Vec<f32> = weight.iter().zip(codes).map(|(w, c)| w - f32::from(*c) / 7.5).collect();
            let packed = Packed::new(View::new(&packed, rows, n), Precision::Full);
            let mut out = vec![0f32; tokens * rows];
            multiply(View::new(&inputs, tokens, n), &packed, &mut out, rows, Blend::Set, Part::All, 1);
            out.iter().map(|x| f64::from(x * x)).sum()
        };
        let nearest: Vec<i8> = weight.iter().map(|w| (w * 7.5).round().clamp(-8.0, 7.0) as i8).collect();
        let made: Vec<Quantized> = [1, 2]
            .into_iter()
            .map(|threads| {
                let mut quantized = Quantized { scales: scales.clone(), ..Quantized::default() };
                let feedback = Feedback::new(sums.clone(), n, threads).unwrap();
                feedback.round(&weight, &scheme(100), &mut quantized);
                quantized
            })
            .collect();
        assert!(lost(&made[0].codes) < 0.4 * lost(&nearest));
        assert_eq!(made[0], made[1]);
    }

    #[test]
    fn inputs_that_are_always_zero_round_to_the_nearest() {
        let feedback = Feedback::new(vec![0.0; 4], 2, 1).unwrap();
        let mut quantized = Quantized { scales: vec![0.1], ..Quantized::default() };
        feedback.round(&[0.26, -0.9], &scheme(2), &mut quantized);
        assert_eq!(quantized.codes, [3, -8]);
        assert!(Feedback::new(vec![f32::NAN; 4], 2, 1).is_none());
    }
}
