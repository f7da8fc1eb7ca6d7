//! How well many scales at once fit some weights.
//!
//! The lanes are candidates, and the weights come one after another: each candidate's sums
//! have one order, whatever the width of the processor's registers.

use super::precision;

/// Candidates that are tried at once.
pub(crate) const LANES: usize = 16;

/// So many weights are summed in 32 bits before 64 take over.
const PIECE: usize = 256;

/// Candidates: the inverse of a scale, and between which levels it may round.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ladder {
    pub(crate) inverse: [f32; LANES],
    pub(crate) low: [f32; LANES],
    pub(crate) high: [f32; LANES],
}

impl Ladder {
    /// Where a weight is between a candidate's levels, before it is rounded to one.
    #[inline(always)]
    fn place(&self, value: f32, lane: usize) -> f32 {
        let place = value * self.inverse[lane];
        precision::limit(place, self.low[lane], self.high[lane])
    }
}

/// What decides among candidates, one lane for each: the levels' sum of squares, and of
/// their products with the weights, both by importance.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Fit {
    pub(crate) square: [f64; LANES],
    pub(crate) along: [f64; LANES],
}

/// Adds what integers make of the weights.
#[inline(always)]
pub(crate) fn integers(
    ladder: &Ladder,
    weights: &[f32],
    importance: Option<&[f32]>,
    fit: &mut Fit,
) {
    let level = |value, lane| precision::integer(ladder.place(value, lane));
    by_importance(weights, importance, fit, level);
}

/// Adds what numbers of eight bits make of the weights.
#[inline(always)]
pub(crate) fn fp8(ladder: &Ladder, weights: &[f32], importance: Option<&[f32]>, fit: &mut Fit) {
    let level = |value, lane| precision::fp8_value(ladder.place(value, lane));
    by_importance(weights, importance, fit, level);
}

#[inline(always)]
fn by_importance(
    weights: &[f32],
    importance: Option<&[f32]>,
    fit: &mut Fit,
    level: impl Fn(f32, usize) -> f32,
) {
    match importance {
        None => {
            for piece in weights.chunks(PIECE) {
                sum(piece.iter().map(|&value| (value, 1.0)), fit, &level);
            }
        }
        Some(importance) => {
            for (piece, counts) in weights.chunks(PIECE).zip(importance.chunks(PIECE)) {
                sum(
                    piece.iter().copied().zip(counts.iter().copied()),
                    fit,
                    &level,
                );
            }
        }
    }
}

#[inline(always)]
fn sum(
    weights: impl Iterator<Item = (f32, f32)>,
    fit: &mut Fit,
    level: &impl Fn(f32, usize) -> f32,
) {
    let mut square = [0.0f32; LANES];
    let mut along = [0.0f32; LANES];
    for (value, counts) in weights {
        let counted = value * counts;
        for lane in 0..LANES {
            let level = level(value, lane);
            along[lane] += counted * level;
            square[lane] += counts * level * level;
        }
    }
    for lane in 0..LANES {
        fit.square[lane] += f64::from(square[lane]);
        fit.along[lane] += f64::from(along[lane]);
    }
}
