//! Products of matrices in parts that do not depend on how many threads there are, so
//! that neither do the bits of the result.

use std::sync::Mutex;
use std::thread;

use super::kernels::{self, COLUMNS, Precision, ROWS, Tile};
use super::pack::{Packed, View};

/// Rows of the result that are one piece of work. Its left factor stays in the cache of
/// the second level.
const HEIGHT: usize = 8 * ROWS;
/// Units of the factors that are multiplied before the next ones are packed.
const DEPTH: usize = 256;

/// What becomes of what was in the place of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blend {
    /// It is replaced.
    Set,
    /// The product is added to it.
    Add,
    /// The product is taken from it.
    Subtract,
}

/// Which elements of the result are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All.
    All,
    /// Those on the diagonal and to the right of it. Others may be computed or not.
    Upper,
}

/// Multiplies `left` by the transpose of `right` into `out`, whose rows lie `stride` apart.
pub fn multiply(
    left: View,
    right: &Packed,
    out: &mut [f32],
    stride: usize,
    blend: Blend,
    part: Part,
    threads: usize,
) {
    assert_eq!(left.columns, right.depth);
    assert!(stride >= right.rows);
    if blend == Blend::Set {
        for row in out.chunks_mut(stride).take(left.rows) {
            let width = right.rows.min(row.len());
            row[..width].fill(0.0);
        }
    }
    let sign = if blend == Blend::Subtract { -1.0 } else { 1.0 };
    let pieces = out
        .chunks_mut(stride * HEIGHT)
        .take(left.rows.div_ceil(HEIGHT));
    each(pieces.enumerate(), threads, |(index, out)| {
        piece(left, right, index * HEIGHT, out, stride, sign, part);
    });
}

/// The rows of the result from `top` on.
fn piece(
    left: View,
    right: &Packed,
    top: usize,
    out: &mut [f32],
    stride: usize,
    sign: f32,
    part: Part,
) {
    let height = HEIGHT.min(left.rows - top);
    let panels = right.rows.div_ceil(COLUMNS);
    let first = match part {
        Part::All => 0,
        Part::Upper => top / COLUMNS,
    };
    let mut packed = vec![0u32; height.div_ceil(ROWS) * ROWS * DEPTH];
    let mut tile: Tile = [[0.0; COLUMNS]; ROWS];
    for start in (0..right.length()).step_by(DEPTH) {
        let end = right.length().min(start + DEPTH);
        let size = (end - start) * ROWS;
        for (i, panel) in packed
            .chunks_mut(size)
            .take(height.div_ceil(ROWS))
            .enumerate()
        {
            left.panel(right.precision, top + i * ROWS, ROWS, start..end, panel);
        }
        for column in first..panels {
            let across = right.panel(column, start..end);
            let width = COLUMNS.min(right.rows - column * COLUMNS);
            for (i, down) in packed.chunks(size).take(height.div_ceil(ROWS)).enumerate() {
                let row = i * ROWS;
                if part == Part::Upper && (column + 1) * COLUMNS <= top + row {
                    continue;
                }
                kernels::multiply(right.precision, down, across, &mut tile);
                let tall = ROWS.min(height - row);
                for (i, sums) in tile[..tall].iter().enumerate() {
                    let at = (row + i) * stride + column * COLUMNS;
                    for (out, sum) in out[at..at + width].iter_mut().zip(sums) {
                        *out += sign * sum;
                    }
                }
            }
        }
    }
}

/// Adds to the upper triangle of `sums` the products of all pairs of columns of `rows`.
pub fn gram(rows: View, sums: &mut [f32], precision: Precision, threads: usize) {
    let columns = rows.transposed();
    let right = Packed::new(columns, precision);
    let stride = columns.rows;
    multiply(
        columns,
        &right,
        sums,
        stride,
        Blend::Add,
        Part::Upper,
        threads,
    );
}

/// Does independent pieces of work on so many threads.
pub fn each<T: Send>(
    pieces: impl Iterator<Item = T> + Send,
    threads: usize,
    work: impl Fn(T) + Sync,
) {
    if threads <= 1 {
        return pieces.for_each(work);
    }
    let pieces = Mutex::new(pieces);
    let next = || match pieces.lock() {
        Ok(mut pieces) => pieces.next(),
        // Another thread panicked, and the scope will say so.
        Err(_) => None,
    };
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(piece) = next() {
                    work(piece);
                }
            });
        }
    });
}
