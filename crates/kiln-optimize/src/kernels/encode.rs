//! Weights become codes.

use super::precision::{self, Brain, BrainByBrain, Divisor, Half, Precision, Rounding, Single};

/// So many weights are encoded before their error is summed.
pub(crate) const PIECE: usize = 256;

/// Lanes that sums go by.
const LANES: usize = 16;

/// Encodes weights as integers: the quotient by the scale and its sum with the zero point
/// are rounded to `precision` as they come.
#[inline(always)]
pub(crate) fn integers(
    precision: Precision,
    range: (f32, f32),
    (scale, zero): (f32, f32),
    weights: &[f32],
    codes: &mut [i8],
    sums: &mut Sums,
) {
    match precision {
        Precision::Brain if Divisor::new(scale).is_moderate() => {
            integers_as::<BrainByBrain>(range, (scale, zero), weights, codes, sums);
        }
        Precision::Brain => integers_as::<Brain>(range, (scale, zero), weights, codes, sums),
        Precision::Half => integers_as::<Half>(range, (scale, zero), weights, codes, sums),
        Precision::Single => integers_as::<Single>(range, (scale, zero), weights, codes, sums),
    }
}

/// Encodes weights as `F8_E4M3`: the quotient by the scale is rounded to `precision`.
#[inline(always)]
pub(crate) fn fp8(
    precision: Precision,
    scale: f32,
    weights: &[f32],
    codes: &mut [i8],
    sums: &mut Sums,
) {
    match precision {
        Precision::Brain if Divisor::new(scale).is_moderate() => {
            fp8_as::<BrainByBrain>(scale, weights, codes, sums);
        }
        Precision::Brain => fp8_as::<Brain>(scale, weights, codes, sums),
        Precision::Half => fp8_as::<Half>(scale, weights, codes, sums),
        Precision::Single => fp8_as::<Single>(scale, weights, codes, sums),
    }
}

#[inline(always)]
fn integers_as<R: Rounding>(
    range: (f32, f32),
    (scale, zero): (f32, f32),
    weights: &[f32],
    codes: &mut [i8],
    sums: &mut Sums,
) {
    let divisor = Divisor::new(scale);
    in_pieces(scale, weights, codes, sums, |weights, codes, levels| {
        let each = weights.iter().zip(codes).zip(levels);
        if zero == 0.0 {
            // Nothing is added to what is rounded already.
            for ((&weight, code), level) in each {
                let place = precision::limit(R::quotient(weight, divisor), range.0, range.1);
                *code = precision::byte(place);
                *level = precision::integer(place);
            }
            return;
        }
        for ((&weight, code), level) in each {
            let place = R::round(R::quotient(weight, divisor) + zero);
            let place = precision::limit(place, range.0, range.1);
            *code = precision::byte(place);
            *level = precision::integer(place) - zero;
        }
    })
}

#[inline(always)]
fn fp8_as<R: Rounding>(scale: f32, weights: &[f32], codes: &mut [i8], sums: &mut Sums) {
    let divisor = Divisor::new(scale);
    in_pieces(scale, weights, codes, sums, |weights, codes, levels| {
        for ((&weight, code), level) in weights.iter().zip(codes).zip(levels) {
            let quotient = R::quotient(weight, divisor);
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
    sums: &mut Sums,
    encode: impl Fn(&[f32], &mut [i8], &mut [f32]),
) {
    for (weights, codes) in weights.chunks(PIECE).zip(codes.chunks_mut(PIECE)) {
        encode(weights, codes, &mut sums.levels[..weights.len()]);
        sums.add(scale, weights);
    }
}

/// The sums of squares of weights, and of what they lost, by lanes. In 64 bits the square
/// of no weight is beyond what there is.
pub(crate) struct Sums {
    signal: [f64; LANES],
    noise: [f64; LANES],
    /// What a piece's codes stand for when the scale is one.
    levels: [f32; PIECE],
}

impl Default for Sums {
    #[inline(always)]
    fn default() -> Self {
        Self {
            signal: [0.0; LANES],
            noise: [0.0; LANES],
            levels: [0.0; PIECE],
        }
    }
}

impl Sums {
    #[inline(always)]
    fn add(&mut self, scale: f32, weights: &[f32]) {
        // Copies stay in registers.
        let (mut signal, mut noise) = (self.signal, self.noise);
        let mut add = |lane: usize, weight: f32, level: f32| {
            let lost = f64::from(weight - level * scale);
            noise[lane] += lost * lost;
            signal[lane] += f64::from(weight) * f64::from(weight);
        };
        let (whole, rest) = weights.as_chunks::<LANES>();
        let (whole_levels, rest_levels) = self.levels[..weights.len()].as_chunks::<LANES>();
        for (weights, levels) in whole.iter().zip(whole_levels) {
            for lane in 0..LANES {
                add(lane, weights[lane], levels[lane]);
            }
        }
        for (lane, (&weight, &level)) in rest.iter().zip(rest_levels).enumerate() {
            add(lane, weight, level);
        }
        (self.signal, self.noise) = (signal, noise);
    }

    /// The sum of the weights' squares.
    pub(crate) fn signal(&self) -> f64 {
        self.signal.iter().sum()
    }

    /// The sum of the squares of what they lost.
    pub(crate) fn noise(&self) -> f64 {
        self.noise.iter().sum()
    }
}
