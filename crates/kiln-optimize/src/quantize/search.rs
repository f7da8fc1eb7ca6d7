//! The scales of least squared error, among many.
//!
//! First come scales that reach from all of the weights down to some of them, of both
//! signs (the extreme weight then maps to the code -8, which a scale from the extremes
//! leaves unused) or for several zero points. Each is judged as if its best multiple were
//! taken, which sums tell. Then come the neighbours of the best that can be stored, and
//! those are judged as they are, with what the extremes call for among them.

use super::nearest::Scale;
use super::{Grid, QuantizeError, Scheme, nearest};
use crate::kernels::fit::{Fit, LANES, Ladder};
use crate::kernels::precision::Precision;
use crate::kernels::spread::Spread;

/// Scales that one start is tried with: half the lanes.
const STEPS: usize = LANES / 2;

/// Candidates, and what came of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trial {
    candidates: [Scale; LANES],
    pub(super) ladder: Ladder,
    pub(super) fit: Fit,
}

impl Trial {
    fn new((least, greatest): (f32, f32), candidates: [Scale; LANES]) -> Self {
        Self {
            candidates,
            ladder: Ladder {
                inverse: candidates.map(|candidate| inverse(candidate.scale)),
                low: candidates.map(|candidate| least - f32::from(candidate.zero)),
                high: candidates.map(|candidate| greatest - f32::from(candidate.zero)),
            },
            fit: Fit::default(),
        }
    }

    /// The candidate that lost least as it is, or the first.
    pub(super) fn least_loss(&self) -> Scale {
        let losses = self
            .candidates
            .iter()
            .enumerate()
            .map(|(lane, &candidate)| {
                let scale = f64::from(candidate.scale);
                let loss = scale * (scale * self.fit.square[lane] - 2.0 * self.fit.along[lane]);
                (loss, candidate)
            });
        let first = (f64::INFINITY, self.candidates[0]);
        losses
            .fold(
                first,
                |best, next| if next.0 < best.0 { next } else { best },
            )
            .1
    }
}

/// The inverse of a scale. Those that are too small to have one fit nothing.
fn inverse(scale: f32) -> f32 {
    let inverse = 1.0 / scale;
    if inverse.is_finite() { inverse } else { 0.0 }
}

/// The first candidates for weights of a spread, each start once with every reach.
pub(super) fn starts(
    scheme: &Scheme,
    spread: Spread,
    weighted: bool,
) -> Result<Vec<Trial>, QuantizeError> {
    let Grid::Int { bits, symmetric } = scheme.grid else {
        return Ok(Vec::new());
    };
    let range = nearest::integer_range(bits)?;
    let range = (f32::from(range.0), f32::from(range.1));
    let starts = if symmetric {
        vec![[upright(range, spread, 0), mirrored(range, spread)]]
    } else {
        zero_points(range, spread, scheme.stored.least_zero)
            .map(|pair| pair.map(|zero| upright(range, spread, zero)))
            .to_vec()
    };
    let reaches = reaches(bits, weighted);
    let trials = starts.iter().flat_map(|pair| {
        reaches.iter().map(|reaches| {
            let candidate = |lane: usize| Scale {
                scale: pair[lane / STEPS].scale * reaches[lane % STEPS],
                zero: pair[lane / STEPS].zero,
            };
            Trial::new(range, std::array::from_fn(candidate))
        })
    });
    Ok(trials.collect())
}

/// The best multiple of the best candidate, where any fits at all.
pub(super) fn best_multiple(trials: &[Trial]) -> Option<Scale> {
    let mut best = (0.0, None);
    for trial in trials {
        for (lane, candidate) in trial.candidates.iter().enumerate() {
            let (along, square) = (trial.fit.along[lane], trial.fit.square[lane]);
            let gain = along * along / square;
            if gain > best.0 {
                let scale = (along / square) as f32;
                best = (
                    gain,
                    Some(Scale {
                        scale,
                        zero: candidate.zero,
                    }),
                );
            }
        }
    }
    best.1
}

/// Scales that can be stored: what the extremes call for, and those near `centre`.
pub(super) fn neighbours(
    scheme: &Scheme,
    stored: Precision,
    extremes: Scale,
    centre: Option<Scale>,
) -> Result<Trial, QuantizeError> {
    let range = match scheme.grid {
        Grid::Fp8 => (-448.0, 448.0),
        Grid::Int { bits, .. } => {
            let (low, high) = nearest::integer_range(bits)?;
            (f32::from(low), f32::from(high))
        }
    };
    let centre = centre.unwrap_or(extremes);
    let candidate = |lane: usize| {
        if lane == 0 {
            return extremes;
        }
        let step = lane as f32;
        let factor = match scheme.grid {
            // Larger ones lose nothing but the smallest numbers, up to twice as large.
            Grid::Fp8 => (step / LANES as f32).exp2(),
            Grid::Int { .. } => 1.0 + (step - STEPS as f32) / 256.0,
        };
        Scale {
            scale: stored.round(centre.scale * factor),
            zero: centre.zero,
        }
    };
    Ok(Trial::new(range, std::array::from_fn(candidate)))
}

/// What part of the weights' reach the first candidates cover.
fn reaches(bits: u8, weighted: bool) -> Vec<[f32; STEPS]> {
    let down = |from: f32, by: f32| std::array::from_fn(|step| from - by * step as f32);
    match (bits, weighted) {
        (4, false) => vec![down(1.0, 0.035)],
        (4, true) => vec![down(1.0, 0.035), down(0.72, 0.035)],
        (_, false) => vec![down(1.0, 0.004)],
        (_, true) => vec![down(1.0, 0.004), down(0.96, 0.03)],
    }
}

/// The positive scale with which codes reach all weights.
fn upright((least, greatest): (f32, f32), spread: Spread, zero: i8) -> Scale {
    let below = reach(spread.low, least - f32::from(zero));
    let above = reach(spread.high, greatest - f32::from(zero));
    Scale {
        scale: below.max(above),
        zero,
    }
}

/// The negative scale with which codes reach all weights.
fn mirrored((least, greatest): (f32, f32), spread: Spread) -> Scale {
    let below = reach(spread.high, least);
    let above = reach(spread.low, greatest);
    Scale {
        scale: below.min(above),
        zero: 0,
    }
}

/// The scale with which a level stands for an extreme, if both are there.
fn reach(extreme: f32, level: f32) -> f32 {
    if level == 0.0 { 0.0 } else { extreme / level }
}

/// The zero points around the exact one.
fn zero_points((least, greatest): (f32, f32), spread: Spread, least_zero: i8) -> [[i8; 2]; 2] {
    let steps = greatest - least;
    let exact = least - spread.low / ((spread.high - spread.low) / steps);
    let below = if exact.is_nan() { 0.0 } else { exact.floor() };
    let at = |offset: f32| {
        let zero = (below + offset).clamp(least, greatest) as i8;
        zero.max(least_zero)
    };
    [[at(0.0), at(1.0)], [at(-1.0), at(2.0)]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_reach_all_weights() {
        let range = (-8.0, 7.0);
        let spread = Spread {
            low: -4.0,
            high: 14.0,
        };
        assert_eq!(upright(range, spread, 0).scale, 2.0);
        assert_eq!(mirrored(range, spread).scale, -1.75);
        assert_eq!(upright(range, spread, -8).scale, 14.0 / 15.0);
        assert_eq!(
            upright(
                range,
                Spread {
                    low: -3.0,
                    high: 0.0
                },
                7
            )
            .scale,
            0.2
        );
    }

    #[test]
    fn zero_points_stay_in_range() {
        let range = (-8.0, 7.0);
        for (low, high, least, expected) in [
            (0.0, 15.0, -128, [[-8, -7], [-8, -6]]),
            (0.0, 15.0, -7, [[-7, -7], [-7, -6]]),
            (-15.0, 0.0, -128, [[7, 7], [6, 7]]),
            (-5.0, 10.0, -128, [[-3, -2], [-4, -1]]),
            (0.0, 0.0, -128, [[0, 1], [-1, 2]]),
        ] {
            assert_eq!(zero_points(range, Spread { low, high }, least), expected);
        }
    }
}
