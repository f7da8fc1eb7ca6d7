//! The innermost loop of a product: one tile of the result from two packed panels.
//!
//! A panel is a run of units of four bytes: numbers of 32 bits, or pairs of `BF16`
//! neighbours. Which instructions multiply them is found out when the program runs.

/// Rows of a tile.
pub const ROWS: usize = 12;
/// Columns of a tile.
pub const COLUMNS: usize = 32;

/// A part of the result.
pub type Tile = [[f32; COLUMNS]; ROWS];

/// What a unit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// A number of 32 bits.
    Full,
    /// Two numbers, each rounded to `BF16`; sums have 32 bits.
    Half,
}

impl Precision {
    /// The precision for weights that have no more than the eight bits of `BF16`: half,
    /// where this machine multiplies it faster.
    #[must_use]
    pub fn for_bf16() -> Self {
        if has_bf16() { Self::Half } else { Self::Full }
    }

    /// How many neighbours a unit holds.
    #[must_use]
    pub fn pace(self) -> usize {
        match self {
            Self::Full => 1,
            Self::Half => 2,
        }
    }
}

/// Multiplies a left panel (units of `ROWS`) by a right one (units of `COLUMNS`).
pub fn multiply(precision: Precision, left: &[u32], right: &[u32], tile: &mut Tile) {
    debug_assert_eq!(left.len() / ROWS, right.len() / COLUMNS);
    #[cfg(target_arch = "x86_64")]
    {
        if precision == Precision::Half {
            // SAFETY: a half precision exists only where the processor has it.
            return unsafe { x86::half(left, right, tile) };
        }
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the processor has these instructions.
            return unsafe { x86::full_512(left, right, tile) };
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            // SAFETY: the processor has these instructions.
            return unsafe { x86::full_256(left, right, tile) };
        }
    }
    let _ = precision;
    plain(left, right, tile, multiply_add);
}

#[cfg(target_arch = "x86_64")]
fn has_bf16() -> bool {
    is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bf16")
}

#[cfg(not(target_arch = "x86_64"))]
fn has_bf16() -> bool {
    false
}

/// One rounding where the processor always can, two elsewhere: the library's `mul_add`
/// would be a call.
#[inline(always)]
fn multiply_add(a: f32, b: f32, c: f32) -> f32 {
    if cfg!(any(target_arch = "aarch64", target_feature = "fma")) {
        a.mul_add(b, c)
    } else {
        a * b + c
    }
}

/// Goes over the tile in parts whose sums fit the registers of most processors.
#[inline(always)]
fn plain(left: &[u32], right: &[u32], tile: &mut Tile, step: impl Fn(f32, f32, f32) -> f32) {
    const TALL: usize = 6;
    const WIDE: usize = 16;
    for top in (0..ROWS).step_by(TALL) {
        for start in (0..COLUMNS).step_by(WIDE) {
            let mut sums = [[0f32; WIDE]; TALL];
            for (l, r) in left.chunks_exact(ROWS).zip(right.chunks_exact(COLUMNS)) {
                let l = &l[top..top + TALL];
                let r = &r[start..start + WIDE];
                for (sums, l) in sums.iter_mut().zip(l) {
                    let l = f32::from_bits(*l);
                    for (sum, r) in sums.iter_mut().zip(r) {
                        *sum = step(l, f32::from_bits(*r), *sum);
                    }
                }
            }
            for (row, sums) in tile[top..top + TALL].iter_mut().zip(&sums) {
                row[start..start + WIDE].copy_from_slice(sums);
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m512, __m512bh, __m512i, _mm512_dpbf16_ps, _mm512_fmadd_ps, _mm512_loadu_ps,
        _mm512_loadu_si512, _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps,
    };

    use super::{COLUMNS, ROWS, Tile, plain};

    type Sums = [[__m512; 2]; ROWS];

    #[target_feature(enable = "avx2,fma")]
    pub fn full_256(left: &[u32], right: &[u32], tile: &mut Tile) {
        plain(left, right, tile, |a, b, c| a.mul_add(b, c));
    }

    #[target_feature(enable = "avx512f")]
    pub fn full_512(left: &[u32], right: &[u32], tile: &mut Tile) {
        let mut sums: Sums = [[_mm512_setzero_ps(); 2]; ROWS];
        for (l, r) in left.chunks_exact(ROWS).zip(right.chunks_exact(COLUMNS)) {
            // SAFETY: `r` has two times sixteen units.
            let (first, second) = unsafe {
                (
                    _mm512_loadu_ps(r.as_ptr().cast()),
                    _mm512_loadu_ps(r.as_ptr().add(16).cast()),
                )
            };
            for (sums, l) in sums.iter_mut().zip(l) {
                let l = _mm512_set1_ps(f32::from_bits(*l));
                sums[0] = _mm512_fmadd_ps(l, first, sums[0]);
                sums[1] = _mm512_fmadd_ps(l, second, sums[1]);
            }
        }
        store(&sums, tile);
    }

    #[target_feature(enable = "avx512f,avx512bf16")]
    pub fn half(left: &[u32], right: &[u32], tile: &mut Tile) {
        let mut sums: Sums = [[_mm512_setzero_ps(); 2]; ROWS];
        for (l, r) in left.chunks_exact(ROWS).zip(right.chunks_exact(COLUMNS)) {
            // SAFETY: `r` has two times sixteen units.
            let (first, second) = unsafe {
                (
                    pairs(_mm512_loadu_si512(r.as_ptr().cast())),
                    pairs(_mm512_loadu_si512(r.as_ptr().add(16).cast())),
                )
            };
            for (sums, l) in sums.iter_mut().zip(l) {
                let l = pairs(_mm512_set1_epi32(l.cast_signed()));
                sums[0] = _mm512_dpbf16_ps(sums[0], l, first);
                sums[1] = _mm512_dpbf16_ps(sums[1], l, second);
            }
        }
        store(&sums, tile);
    }

    #[inline(always)]
    fn pairs(units: __m512i) -> __m512bh {
        // SAFETY: both are sixty-four bytes of which every pattern is a value.
        unsafe { std::mem::transmute::<__m512i, __m512bh>(units) }
    }

    #[target_feature(enable = "avx512f")]
    fn store(sums: &Sums, tile: &mut Tile) {
        for (row, sums) in tile.iter_mut().zip(sums) {
            // SAFETY: a row of a tile has two times sixteen numbers.
            unsafe {
                _mm512_storeu_ps(row.as_mut_ptr(), sums[0]);
                _mm512_storeu_ps(row.as_mut_ptr().add(16), sums[1]);
            }
        }
    }
}
