//! The triangular factor of a Gram matrix, from its last row up.
//!
//! With H = R·Rᵀ and R upper triangular, column k of R divided by its diagonal says how
//! the errors of the columns before k are best made up for by column k. This is what GPTQ
//! reads from the Cholesky factor of the inverse, without the inverse.

use super::kernels::Precision;
use super::pack::{Packed, View};
use super::product::{Blend, Part, multiply};

/// Columns that are factored at a time.
const BLOCK: usize = 128;

/// Replaces the upper triangle of a symmetric matrix of `n` rows by its factor R. What
/// is below the diagonal is left without meaning. Returns whether the matrix was positive
/// definite; if it was not, what is left has no meaning at all.
#[must_use]
pub fn factor(matrix: &mut [f32], n: usize, threads: usize) -> bool {
    assert_eq!(matrix.len(), n * n);
    let mut end = n;
    while end > 0 {
        let start = (end - 1) / BLOCK * BLOCK;
        let Some(inverse) = corner(matrix, n, start, end) else {
            return false;
        };
        if start > 0 {
            above(matrix, n, start, end, &inverse, threads);
        }
        end = start;
    }
    true
}

/// Factors a block on the diagonal, and returns the factor's inverse.
fn corner(matrix: &mut [f32], n: usize, start: usize, end: usize) -> Option<Vec<f32>> {
    let size = end - start;
    let mut block: Vec<f64> = Vec::with_capacity(size * size);
    for i in start..end {
        block.extend(
            matrix[i * n + start..i * n + end]
                .iter()
                .map(|x| f64::from(*x)),
        );
    }
    for k in (0..size).rev() {
        let pivot = block[k * size + k];
        if !(pivot > 0.0 && pivot.is_finite()) {
            return None;
        }
        let root = pivot.sqrt();
        block[k * size + k] = root;
        for i in 0..k {
            block[i * size + k] /= root;
        }
        for i in 0..k {
            let factor = block[i * size + k];
            for j in i..k {
                block[i * size + j] -= factor * block[j * size + k];
            }
        }
    }
    for i in 0..size {
        for j in i..size {
            matrix[(start + i) * n + start + j] = block[i * size + j] as f32;
        }
    }
    Some(inverse(&block, size))
}

/// The inverse of an upper triangular matrix.
fn inverse(upper: &[f64], size: usize) -> Vec<f32> {
    let mut inverse = vec![0f64; size * size];
    for i in (0..size).rev() {
        let mut row = vec![0f64; size];
        row[i] = 1.0;
        for k in i + 1..size {
            let factor = upper[i * size + k];
            for (x, y) in row[k..]
                .iter_mut()
                .zip(&inverse[k * size + k..(k + 1) * size])
            {
                *x -= factor * y;
            }
        }
        for (x, y) in inverse[i * size + i..(i + 1) * size]
            .iter_mut()
            .zip(&row[i..])
        {
            *x = y / upper[i * size + i];
        }
    }
    inverse.into_iter().map(|x| x as f32).collect()
}

/// Makes the factor's columns `start..end` above the block, and takes what they explain
/// from the columns to the left.
fn above(matrix: &mut [f32], n: usize, start: usize, end: usize, inverse: &[f32], threads: usize) {
    let size = end - start;
    let mut columns = vec![0f32; start * size];
    let right = Packed::new(View::new(inverse, size, size), Precision::Full);
    multiply(
        View::strided(&matrix[start..], start, size, n),
        &right,
        &mut columns,
        size,
        Blend::Set,
        Part::All,
        threads,
    );
    for (row, columns) in matrix.chunks_mut(n).zip(columns.chunks(size)) {
        row[start..end].copy_from_slice(columns);
    }
    let columns = View::new(&columns, start, size);
    let right = Packed::new(columns, Precision::Full);
    multiply(
        columns,
        &right,
        matrix,
        n,
        Blend::Subtract,
        Part::Upper,
        threads,
    );
}
