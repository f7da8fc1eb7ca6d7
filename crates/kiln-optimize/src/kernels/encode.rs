//! Weights become codes.

use super::precision::{self, Brain, Half, Precision, Rounding, Single};

/// So many weights are encoded before their error is summed.
pub(crate) const PIECE: usize = 256;

/// Lanes that sums go by.
const LANES: usize = 16;

/// The sums of squares of weights, and of what they lost.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Loss {
    pub(crate) signal: f64,
    pub(crate) noise: f64,
}

/// Which integers codes are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Integers {
    pub(crate) low: f32,
    pub(crate) high: f32,
}

/// Encodes weights as integers: the quotient by the scale and its sum with the zero point
/// are rounded to `precision` as they come.
#[inline(always)]
pub(crate) fn integers(
    precision: Precision,
    range: Integers,
    (scale, zero): (f32, f32),
    weights: &[f32],
    codes: &mut [i8],
) -> Loss {
    match precision {
        Precision::Brain => integers_as::<Brain>(range, (scale, zero), weights, codes),
        Precision::Half => integers_as::<Half>(range, (scale, zero), weights, codes),
        Precision::Single => integers_as::<Single>(range, (scale, zero), weights, codes),
    }
}

/// Encodes weights as `F8_E4M3`: the quotient by the scale is rounded to `precision`.
#[inline(always)]
pub(crate) fn fp8(precision: Precision, scale: f32, weights: &[f32], codes: &mut [i8]) -> Loss {
    match precision {
        Precision::Brain => fp8_as::<Brain>(scale, weights, codes),
        Precision::Half => fp8_as::<Half>(scale, weights, codes),
        Precision::Single => fp8_as::<Single>(scale, weights, codes),
    }
}

#[inline(always)]
fn integers_as<R: Rounding>(
    range: Integers,
    (scale, zero): (f32, f32),
    weights: &[f32],
    codes: &mut [i8],
) -> Loss {
    in_pieces(scale, weights, codes, |weights, codes, levels| {
        for ((&weight, code), level) in weights.iter().zip(codes).zip(levels) {
            let place = R::round(R::round(weight / scale) + zero);
            let place = precision::limit(place, range.low, range.high);
            *code = precision::byte(place);
            *level = precision::integer(place) - zero;
        }
    })
}

#[inline(always)]
fn fp8_as<R: Rounding>(scale: f32, weights: &[f32], codes: &mut [i8]) -> Loss {
    in_pieces(scale, weights, codes, |weights, codes, levels| {
        for ((&weight, code), level) in weights.iter().zip(codes).zip(levels) {
            let quotient = R::round(weight / scale);
            (*level, *code) = precision::fp8(precision::limit(quotient, -448.0, 448.0));
        }
    })
}

/// Encodes piece after piece, and sums what each lost while it is near.
#[inline(always)]
fn in_pieces(
    scale: f32,
    weights: &[f32],
    codes: &mut [i8],
    encode: impl Fn(&[f32], &mut [i8], &mut [f32]),
) -> Loss {
    let mut levels = [0.0; PIECE];
    let mut sums = Sums::default();
    for (weights, codes) in weights.chunks(PIECE).zip(codes.chunks_mut(PIECE)) {
        let levels = &mut levels[..weights.len()];
        encode(weights, codes, levels);
        sums.add(scale, weights, levels);
    }
    sums.loss()
}

/// Sums by lanes. In 64 bits the square of no weight is beyond what there is.
struct Sums {
    signal: [f64; LANES],
    noise: [f64; LANES],
}

impl Default for Sums {
    #[inline(always)]
    fn default() -> Self {
        Self {
            signal: [0.0; LANES],
            noise: [0.0; LANES],
        }
    }
}

impl Sums {
    #[inline(always)]
    fn add(&mut self, scale: f32, weights: &[f32], levels: &[f32]) {
        let (whole, rest) = weights.as_chunks::<LANES>();
        let (whole_levels, rest_levels) = levels.as_chunks::<LANES>();
        for (weights, levels) in whole.iter().zip(whole_levels) {
            for lane in 0..LANES {
                self.add_one(lane, scale, weights[lane], levels[lane]);
            }
        }
        for (lane, (&weight, &level)) in rest.iter().zip(rest_levels).enumerate() {
            self.add_one(lane, scale, weight, level);
        }
    }

    #[inline(always)]
    fn add_one(&mut self, lane: usize, scale: f32, weight: f32, level: f32) {
        let lost = f64::from(weight - level * scale);
        self.noise[lane] += lost * lost;
        self.signal[lane] += f64::from(weight) * f64::from(weight);
    }

    #[inline(always)]
    fn loss(&self) -> Loss {
        Loss {
            signal: self.signal.iter().sum(),
            noise: self.noise.iter().sum(),
        }
    }
}
