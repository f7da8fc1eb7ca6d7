//! Matrices as they lie in memory, and their copies in panels for the innermost loop.

use super::kernels::{COLUMNS, Precision};

/// A matrix: element (row, column) is `row * down + column * right` from its start.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    data: &'a [f32],
    pub(super) rows: usize,
    pub(super) columns: usize,
    down: usize,
    right: usize,
}

impl<'a> View<'a> {
    /// Rows one after another.
    #[must_use]
    pub fn new(data: &'a [f32], rows: usize, columns: usize) -> Self {
        Self::strided(data, rows, columns, columns)
    }

    /// Rows of which each begins `stride` after the one before.
    #[must_use]
    pub fn strided(data: &'a [f32], rows: usize, columns: usize, stride: usize) -> Self {
        assert!(rows == 0 || data.len() >= (rows - 1) * stride + columns);
        Self {
            data,
            rows,
            columns,
            down: stride,
            right: 1,
        }
    }

    /// How many rows it has.
    #[must_use]
    pub fn height(&self) -> usize {
        self.rows
    }

    /// How many columns it has.
    #[must_use]
    pub fn width(&self) -> usize {
        self.columns
    }

    /// Rows as columns.
    #[must_use]
    pub fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            down: self.right,
            right: self.down,
            ..self
        }
    }

    /// Copies `width` rows from `top` on, and of each the units `from..to`, unit by unit.
    /// What is beyond the matrix is zero.
    pub(super) fn panel(
        &self,
        precision: Precision,
        top: usize,
        width: usize,
        units: std::ops::Range<usize>,
        out: &mut [u32],
    ) {
        let height = width.min(self.rows - top);
        let pace = precision.pace();
        if height < width {
            out.fill(0);
        }
        for (unit, out) in units.zip(out.chunks_exact_mut(width)) {
            let column = unit * pace;
            let start = top * self.down + column * self.right;
            let paired = pace == 2 && column + 1 < self.columns;
            let out = &mut out[..height];
            match (precision, paired) {
                (Precision::Full, _) => {
                    self.strip(start, |i, x| out[i] = x.to_bits(), height);
                }
                (Precision::Half, true) if self.down == 1 => {
                    let first = &self.data[start..start + height];
                    let second = &self.data[start + self.right..][..height];
                    for ((out, a), b) in out.iter_mut().zip(first).zip(second) {
                        *out = bf16(*a) | (bf16(*b) << 16);
                    }
                }
                (Precision::Half, true) => {
                    let right = self.right;
                    for (i, out) in out.iter_mut().enumerate() {
                        let at = start + i * self.down;
                        *out = bf16(self.data[at]) | (bf16(self.data[at + right]) << 16);
                    }
                }
                (Precision::Half, false) => {
                    self.strip(start, |i, x| out[i] = bf16(x), height);
                }
            }
        }
    }

    /// Hands over `height` elements below each other.
    #[inline(always)]
    fn strip(&self, start: usize, mut take: impl FnMut(usize, f32), height: usize) {
        if self.down == 1 {
            for (i, x) in self.data[start..start + height].iter().enumerate() {
                take(i, *x);
            }
        } else {
            for i in 0..height {
                take(i, self.data[start + i * self.down]);
            }
        }
    }
}

/// The bits of the nearest `BF16`, for finite numbers.
#[inline(always)]
fn bf16(x: f32) -> u32 {
    let bits = x.to_bits();
    bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16
}

/// A right factor, ready to be multiplied with many left ones: the result's columns are
/// its rows.
#[derive(Debug)]
pub struct Packed {
    pub(super) precision: Precision,
    pub(super) rows: usize,
    pub(super) depth: usize,
    units: Vec<u32>,
}

impl Packed {
    /// Packs a matrix.
    #[must_use]
    pub fn new(view: View, precision: Precision) -> Self {
        let length = view.columns.div_ceil(precision.pace());
        let panels = view.rows.div_ceil(COLUMNS);
        let mut units = vec![0u32; panels * length * COLUMNS];
        if length > 0 {
            for (i, panel) in units.chunks_exact_mut(length * COLUMNS).enumerate() {
                view.panel(precision, i * COLUMNS, COLUMNS, 0..length, panel);
            }
        }
        Self {
            precision,
            rows: view.rows,
            depth: view.columns,
            units,
        }
    }

    /// How many columns a product with it has.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.rows
    }

    /// Units from the start of a row to its end.
    pub(super) fn length(&self) -> usize {
        self.depth.div_ceil(self.precision.pace())
    }

    /// Some units of the panel that holds the rows from `COLUMNS * index` on.
    pub(super) fn panel(&self, index: usize, units: std::ops::Range<usize>) -> &[u32] {
        let start = index * self.length() * COLUMNS;
        &self.units[start + units.start * COLUMNS..start + units.end * COLUMNS]
    }
}
