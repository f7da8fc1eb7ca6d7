//! The scales of least squared error, among many.
//!
//! Integers are tried with scales that reach from all of the weights down to some of them,
//! of both signs (the extreme weight then has the code -8, which a scale from the extremes
//! leaves unused) or for several zero points; floating point with scales within an octave.
//! Each is judged as it is, and as the multiple that fits its codes best, both as they can
//! be stored. What the extremes call for is among them, so that nothing loses more than
//! with that.

use super::nearest::Scale;
use super::{Grid, Scheme};
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

    /// The candidate that lost least, and what it lost beside the others: of one that can
    /// be stored as it is or by its best multiple.
    #[inline(always)]
    fn best(&self, stored: Precision) -> (f64, Scale) {
        let Fit { along, square } = &self.fit;
        let loss = |lane: usize, scale: f32| {
            let scale = f64::from(scale);
            scale * (scale * square[lane] - 2.0 * along[lane])
        };
        let mut multiples = [0.0; LANES];
        for lane in 0..LANES {
            let multiple = (along[lane] / square[lane]) as f32;
            // Where all codes are zero, none is better than another.
            multiples[lane] = if square[lane] > 0.0 { multiple } else { 0.0 };
        }
        stored.round_all(&mut multiples);
        let mut losses = [[0.0; LANES]; 2];
        for lane in 0..LANES {
            losses[0][lane] = loss(lane, self.scales[lane]);
            losses[1][lane] = loss(lane, multiples[lane]);
        }
        let mut best = (losses[0][0], self.candidate(0, self.scales[0]));
        for lane in 0..LANES {
            if losses[0][lane] < best.0 {
                best = (losses[0][lane], self.candidate(lane, self.scales[lane]));
            }
            if losses[1][lane] < best.0 {
                best = (losses[1][lane], self.candidate(lane, multiples[lane]));
            }
        }
        best
    }

    #[inline(always)]
    fn candidate(&self, lane: usize, scale: f32) -> Scale {
        Scale {
            scale,
            zero: self.zeros[lane] as i8,
        }
    }
}

/// The best of the candidates of some trials.
#[inline(always)]
pub(super) fn best(trials: &[Trial], stored: Precision) -> Option<Scale> {
    let mut best = None;
    for trial in trials {
        let (loss, found) = trial.best(stored);
        if best.is_none_or(|(least, _)| loss < least) {
            best = Some((loss, found));
        }
    }
    best.map(|(_, found)| found)
}

/// What is tried for a scheme.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidates {
    grid: Grid,
    range: (f32, f32),
    stored: Precision,
    least_zero: i8,
    reaches: &'static [[f32; STEPS]],
}

impl Candidates {
    pub(super) fn new(
        scheme: &Scheme,
        range: (f32, f32),
        stored: Precision,
        weighted: bool,
    ) -> Self {
        let reaches = match scheme.grid {
            Grid::Fp8 => &[],
            Grid::Int { bits, .. } => reaches(bits, weighted),
        };
        Self {
            grid: scheme.grid,
            range,
            stored,
            least_zero: scheme.stored.least_zero,
            reaches,
        }
    }

    /// How many trials each span has.
    pub(super) fn trials(&self) -> usize {
        match self.grid {
            Grid::Fp8 => 1,
            Grid::Int {
                symmetric: true, ..
            } => self.reaches.len(),
            Grid::Int { .. } => 2 * self.reaches.len(),
        }
    }

    /// Adds the trials for weights of a spread.
    #[inline(always)]
    pub(super) fn push(&self, spread: Spread, extremes: Scale, trials: &mut Vec<Trial>) {
        match self.grid {
            Grid::Fp8 => {
                let scales = WITHIN_AN_OCTAVE.map(|factor| extremes.scale * factor);
                self.push_trial(extremes, scales, [0.0; LANES], trials);
            }
            Grid::Int {
                symmetric: true, ..
            } => {
                let upright = upright(self.range, spread, 0.0);
                let pair = [upright, mirrored(self.range, spread)];
                self.push_pair(extremes, pair, [0.0, 0.0], trials);
            }
            Grid::Int { .. } => {
                for zeros in zero_points(self.range, spread, self.least_zero) {
                    let pair = zeros.map(|zero| upright(self.range, spread, zero));
                    self.push_pair(extremes, pair, zeros, trials);
                }
            }
        }
    }

    /// Two starts, each with every reach.
    #[inline(always)]
    fn push_pair(
        &self,
        extremes: Scale,
        pair: [f32; 2],
        pair_zeros: [f32; 2],
        trials: &mut Vec<Trial>,
    ) {
        for reaches in self.reaches {
            let mut scales = [0.0; LANES];
            let mut zeros = [0.0; LANES];
            for lane in 0..LANES {
                scales[lane] = pair[lane / STEPS] * reaches[lane % STEPS];
                zeros[lane] = pair_zeros[lane / STEPS];
            }
            self.push_trial(extremes, scales, zeros, trials);
        }
    }

    /// Candidates as they can be stored, what the extremes call for instead of the first.
    #[inline(always)]
    fn push_trial(
        &self,
        extremes: Scale,
        mut scales: [f32; LANES],
        mut zeros: [f32; LANES],
        trials: &mut Vec<Trial>,
    ) {
        self.stored.round_all(&mut scales);
        scales[0] = extremes.scale;
        zeros[0] = f32::from(extremes.zero);
        trials.push(Trial::new(self.range, scales, zeros));
    }
}

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
    const EIGHT: [[f32; STEPS]; 2] = [down(1.024, 0.008), down(0.96, 0.03)];
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
