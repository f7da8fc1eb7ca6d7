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
    scales: [f32; LANES],
    zeros: [f32; LANES],
    pub(super) ladder: Ladder,
    pub(super) fit: Fit,
}

impl Trial {
    #[inline(always)]
    fn new((least, greatest): (f32, f32), scales: [f32; LANES], zeros: [f32; LANES]) -> Self {
        let mut ladder = Ladder {
            inverse: [0.0; LANES],
            low: [0.0; LANES],
            high: [0.0; LANES],
        };
        for lane in 0..LANES {
            let inverse = 1.0 / scales[lane];
            // Scales that are too small to have an inverse fit nothing.
            ladder.inverse[lane] = if inverse.is_finite() { inverse } else { 0.0 };
            ladder.low[lane] = least - zeros[lane];
            ladder.high[lane] = greatest - zeros[lane];
        }
        Self {
            scales,
            zeros,
            ladder,
            fit: Fit::default(),
        }
    }

    /// The candidate that lost least as it is, or the first.
    #[inline(always)]
    pub(super) fn least_loss(&self) -> Scale {
        let mut losses = [0.0; LANES];
        for (lane, loss) in losses.iter_mut().enumerate() {
            let scale = f64::from(self.scales[lane]);
            *loss = scale * (scale * self.fit.square[lane] - 2.0 * self.fit.along[lane]);
        }
        let mut best = 0;
        for lane in 1..LANES {
            if losses[lane] < losses[best] {
                best = lane;
            }
        }
        self.candidate(best, self.scales[best])
    }

    #[inline(always)]
    fn candidate(&self, lane: usize, scale: f32) -> Scale {
        Scale {
            scale,
            zero: self.zeros[lane] as i8,
        }
    }
}

/// What the first candidates are, for a scheme.
#[derive(Debug, Clone, Copy)]
pub(super) struct Starts {
    range: (f32, f32),
    symmetric: bool,
    least_zero: i8,
    reaches: &'static [[f32; STEPS]],
}

impl Starts {
    /// None where the extremes are as good a start as any.
    pub(super) fn new(scheme: &Scheme, weighted: bool) -> Result<Option<Self>, QuantizeError> {
        let Grid::Int { bits, symmetric } = scheme.grid else {
            return Ok(None);
        };
        let (low, high) = nearest::integer_range(bits)?;
        Ok(Some(Self {
            range: (f32::from(low), f32::from(high)),
            symmetric,
            least_zero: scheme.stored.least_zero,
            reaches: reaches(bits, weighted),
        }))
    }

    /// How many trials each span has.
    pub(super) fn count(&self) -> usize {
        let pairs = if self.symmetric { 1 } else { 2 };
        pairs * self.reaches.len()
    }

    /// Adds the trials for weights of a spread: each start with every reach.
    #[inline(always)]
    pub(super) fn push(&self, spread: Spread, trials: &mut Vec<Trial>) {
        if self.symmetric {
            let pair = [
                upright(self.range, spread, 0.0),
                mirrored(self.range, spread),
            ];
            self.push_pair(pair, [0.0, 0.0], trials);
        } else {
            for zeros in zero_points(self.range, spread, self.least_zero) {
                let pair = zeros.map(|zero| upright(self.range, spread, zero));
                self.push_pair(pair, zeros, trials);
            }
        }
    }

    #[inline(always)]
    fn push_pair(&self, pair: [f32; 2], pair_zeros: [f32; 2], trials: &mut Vec<Trial>) {
        for reaches in self.reaches {
            let mut scales = [0.0; LANES];
            let mut zeros = [0.0; LANES];
            for lane in 0..LANES {
                scales[lane] = pair[lane / STEPS] * reaches[lane % STEPS];
                zeros[lane] = pair_zeros[lane / STEPS];
            }
            trials.push(Trial::new(self.range, scales, zeros));
        }
    }
}

/// The best multiple of the best candidate, where any fits at all.
#[inline(always)]
pub(super) fn best_multiple(trials: &[Trial]) -> Option<Scale> {
    let mut best = (0.0, None);
    for trial in trials {
        let Fit { along, square } = &trial.fit;
        let mut gains = [0.0; LANES];
        for lane in 0..LANES {
            gains[lane] = along[lane] * along[lane] / square[lane];
        }
        for (lane, &gain) in gains.iter().enumerate() {
            if gain > best.0 {
                best = (gain, Some((trial, lane)));
            }
        }
    }
    let (trial, lane) = best.1?;
    let scale = trial.fit.along[lane] / trial.fit.square[lane];
    Some(trial.candidate(lane, scale as f32))
}

/// Scales that can be stored: what the extremes call for, and those near `centre`.
#[inline(always)]
pub(super) fn neighbours(
    grid: Grid,
    range: (f32, f32),
    stored: Precision,
    extremes: Scale,
    centre: Option<Scale>,
) -> Trial {
    let centre = centre.unwrap_or(extremes);
    let factors = match grid {
        Grid::Fp8 => &WITHIN_AN_OCTAVE,
        Grid::Int { .. } => &NEAR,
    };
    let mut scales = factors.map(|factor| centre.scale * factor);
    stored.round_all(&mut scales);
    let mut zeros = [f32::from(centre.zero); LANES];
    scales[0] = extremes.scale;
    zeros[0] = f32::from(extremes.zero);
    Trial::new(range, scales, zeros)
}

/// Neighbours of a scale. The first gives its place to what the extremes call for.
const NEAR: [f32; LANES] = {
    let mut factors = [0.0; LANES];
    let mut lane = 0;
    while lane < LANES {
        factors[lane] = 1.0 + (lane as f32 - STEPS as f32) / 256.0;
        lane += 1;
    }
    factors
};

/// Scales for floating point, where larger ones lose nothing but the smallest numbers
/// until they are twice as large: sixteenth parts of an octave.
const WITHIN_AN_OCTAVE: [f32; LANES] = [
    1.0,
    1.044_273_8,
    1.090_507_7,
    1.138_788_6,
    1.189_207_1,
    1.241_857_8,
    1.296_839_6,
    1.354_255_5,
    std::f32::consts::SQRT_2,
    1.476_826_1,
    1.542_210_8,
    1.610_490_3,
    1.681_792_8,
    1.756_252_2,
    1.834_008_1,
    1.915_206_6,
];

/// What part of the weights' reach the first candidates cover.
fn reaches(bits: u8, weighted: bool) -> &'static [[f32; STEPS]] {
    const FOUR: [[f32; STEPS]; 2] = [down(1.0, 0.035), down(0.72, 0.035)];
    const EIGHT: [[f32; STEPS]; 2] = [down(1.0, 0.004), down(0.96, 0.03)];
    let all = if bits == 4 { &FOUR } else { &EIGHT };
    if weighted { all } else { &all[..1] }
}

const fn down(from: f32, by: f32) -> [f32; STEPS] {
    let mut reaches = [0.0; STEPS];
    let mut step = 0;
    while step < STEPS {
        reaches[step] = from - by * step as f32;
        step += 1;
    }
    reaches
}

/// The positive scale with which codes reach all weights.
#[inline(always)]
fn upright((least, greatest): (f32, f32), spread: Spread, zero: f32) -> f32 {
    let below = reach(spread.low, least - zero);
    let above = reach(spread.high, greatest - zero);
    below.max(above)
}

/// The negative scale with which codes reach all weights.
#[inline(always)]
fn mirrored((least, greatest): (f32, f32), spread: Spread) -> f32 {
    let below = reach(spread.high, least);
    let above = reach(spread.low, greatest);
    below.min(above)
}

/// The scale with which a level stands for an extreme, if both are there.
#[inline(always)]
fn reach(extreme: f32, level: f32) -> f32 {
    if level == 0.0 { 0.0 } else { extreme / level }
}

/// The zero points around the exact one.
#[inline(always)]
fn zero_points((least, greatest): (f32, f32), spread: Spread, least_zero: i8) -> [[f32; 2]; 2] {
    let steps = greatest - least;
    let exact = least - spread.low / ((spread.high - spread.low) / steps);
    let below = if exact.is_nan() { 0.0 } else { exact.floor() };
    let lowest = least.max(f32::from(least_zero));
    let at = |offset: f32| (below + offset).clamp(lowest, greatest);
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
        assert_eq!(upright(range, spread, 0.0), 2.0);
        assert_eq!(mirrored(range, spread), -1.75);
        assert_eq!(upright(range, spread, -8.0), 14.0 / 15.0);
        assert_eq!(
            upright(
                range,
                Spread {
                    low: -3.0,
                    high: 0.0
                },
                7.0
            ),
            0.2
        );
    }

    #[test]
    fn zero_points_stay_in_range() {
        let range = (-8.0, 7.0);
        for (low, high, least, expected) in [
            (0.0, 15.0, -128, [[-8.0, -7.0], [-8.0, -6.0]]),
            (0.0, 15.0, -7, [[-7.0, -7.0], [-7.0, -6.0]]),
            (-15.0, 0.0, -128, [[7.0, 7.0], [6.0, 7.0]]),
            (-5.0, 10.0, -128, [[-3.0, -2.0], [-4.0, -1.0]]),
            (0.0, 0.0, -128, [[0.0, 1.0], [-1.0, 2.0]]),
        ] {
            assert_eq!(zero_points(range, Spread { low, high }, least), expected);
        }
    }
}
