//! Rounding of numbers to fewer bits, and without branches.
//!
//! Adding a large power of two and taking it away again rounds to the nearest multiple of
//! that power's last place, ties to even, as the hardware adds.

use crate::Dtype;

/// Adding this to a number below 2^22 leaves the nearest integer in the lowest bits.
const INTEGER: f32 = 12_582_912.0;

/// Bits of a number that are its exponent.
const EXPONENT: u32 = 0x7f80_0000;

/// The types of floating point that weights and scales have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Precision {
    /// `BF16`.
    Brain,
    /// `F16`.
    Half,
    /// `F32`.
    Single,
}

impl Precision {
    /// The precision of a type, where weights may have that type.
    pub(crate) fn of(dtype: Dtype) -> Option<Self> {
        match dtype {
            Dtype::Bf16 => Some(Self::Brain),
            Dtype::F16 => Some(Self::Half),
            Dtype::F32 => Some(Self::Single),
            _ => None,
        }
    }

    /// The type of this precision.
    pub(crate) fn dtype(self) -> Dtype {
        match self {
            Self::Brain => Dtype::Bf16,
            Self::Half => Dtype::F16,
            Self::Single => Dtype::F32,
        }
    }

    /// Rounds a finite number to this precision. What is beyond the largest number stays
    /// beyond it.
    #[inline(always)]
    pub(crate) fn round(self, value: f32) -> f32 {
        match self {
            Self::Brain => Brain::round(value),
            Self::Half => Half::round(value),
            Self::Single => value,
        }
    }

    /// Rounds finite numbers to this precision.
    #[inline(always)]
    pub(crate) fn round_all(self, values: &mut [f32]) {
        match self {
            Self::Brain => values
                .iter_mut()
                .for_each(|value| *value = Brain::round(*value)),
            Self::Half => values
                .iter_mut()
                .for_each(|value| *value = Half::round(*value)),
            Self::Single => {}
        }
    }

    /// The distance from one to the next number.
    pub(crate) fn epsilon(self) -> f32 {
        match self {
            Self::Brain => 0.007_812_5,
            Self::Half => 0.000_976_562_5,
            Self::Single => f32::EPSILON,
        }
    }

    /// The largest number.
    pub(crate) fn largest(self) -> f32 {
        match self {
            Self::Brain => half::bf16::MAX.to_f32(),
            Self::Half => half::f16::MAX.to_f32(),
            Self::Single => f32::MAX,
        }
    }
}

/// Rounding of finite numbers in a loop.
pub(crate) trait Rounding {
    fn round(value: f32) -> f32;

    /// The rounded quotient.
    #[inline(always)]
    fn quotient(value: f32, by: Divisor) -> f32 {
        Self::round(value / by.number)
    }
}

/// What is divided by again and again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Divisor {
    number: f32,
    inverse: f32,
}

impl Divisor {
    pub(crate) fn new(number: f32) -> Self {
        Self {
            number,
            inverse: 1.0 / number,
        }
    }

    /// Whether neither the inverse nor what is moderate times it is beyond what there is.
    pub(crate) fn is_moderate(self) -> bool {
        (1e-30..1e30).contains(&self.number.abs())
    }
}

pub(crate) struct Brain;
pub(crate) struct Half;
pub(crate) struct Single;

/// Brains over brains, by a moderate divisor.
pub(crate) struct BrainByBrain;

impl Rounding for Brain {
    #[inline(always)]
    fn round(value: f32) -> f32 {
        let bits = value.to_bits();
        let up = 0x7fff + ((bits >> 16) & 1);
        f32::from_bits(bits.wrapping_add(up) & 0xffff_0000)
    }
}

impl Rounding for BrainByBrain {
    #[inline(always)]
    fn round(value: f32) -> f32 {
        Brain::round(value)
    }

    /// By multiplication, which is several times as fast as division. The product with the
    /// inverse is within two units of the quotient's last of 24 places. That of two numbers
    /// of 8 places is either in the middle of two numbers of 8 places, and then has 9, or 64
    /// such units away from there at least: their distance times the divisor is a whole
    /// number. So to drop three places makes such a middle exact and crosses no other.
    #[inline(always)]
    fn quotient(value: f32, by: Divisor) -> f32 {
        let near = (value * by.inverse).to_bits();
        Self::round(f32::from_bits(near.wrapping_add(4) & !7))
    }
}

impl Rounding for Half {
    /// Beyond the largest half come larger powers of two, not infinity.
    #[inline(always)]
    fn round(value: f32) -> f32 {
        let (rounded, _) = on_grid::<13, { 127 - 14 }>(value);
        with_sign(rounded, value)
    }
}

impl Rounding for Single {
    #[inline(always)]
    fn round(value: f32) -> f32 {
        value
    }
}

/// The nearest integer, ties to even.
#[inline(always)]
pub(crate) fn integer(value: f32) -> f32 {
    (value + INTEGER) - INTEGER
}

/// The nearest integer, ties to even, of a number that is within those of a byte.
#[inline(always)]
pub(crate) fn byte(value: f32) -> i8 {
    (value + INTEGER).to_bits() as i8
}

/// The nearest `F8_E4M3` of a number that is within those, as a number and as its byte.
#[inline(always)]
pub(crate) fn fp8(value: f32) -> (f32, i8) {
    let (rounded, code) = on_grid::<20, { 127 - 6 }>(value);
    let sign = (value.to_bits() >> 24) & 0x80;
    (with_sign(rounded, value), (code | sign) as i8)
}

/// The nearest `F8_E4M3` of a number that is within those.
#[inline(always)]
pub(crate) fn fp8_value(value: f32) -> f32 {
    with_sign(on_grid::<20, { 127 - 6 }>(value).0, value)
}

/// Limits a number from both sides.
#[inline(always)]
pub(crate) fn limit(value: f32, low: f32, high: f32) -> f32 {
    let value = if value < low { low } else { value };
    if value > high { high } else { value }
}

/// The magnitude of a number without `DROPPED` bits of its mantissa, where the smallest
/// exponent is `LEAST`, and the bits of that magnitude in the narrow type.
#[inline(always)]
fn on_grid<const DROPPED: u32, const LEAST: u32>(value: f32) -> (f32, u32) {
    let magnitude = value.to_bits() & 0x7fff_ffff;
    let exponent = (magnitude & EXPONENT).max(LEAST << 23);
    let anchor = exponent + (DROPPED << 23);
    let sum = f32::from_bits(magnitude) + f32::from_bits(anchor);
    let steps = sum.to_bits().wrapping_sub(anchor);
    let code = ((exponent - (LEAST << 23)) >> DROPPED).wrapping_add(steps);
    (sum - f32::from_bits(anchor), code)
}

#[inline(always)]
fn with_sign(magnitude: f32, of: f32) -> f32 {
    f32::from_bits(magnitude.to_bits() | (of.to_bits() & 0x8000_0000))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn brains_round_as_half_does(bits in any::<u32>()) {
            let value = f32::from_bits(bits);
            let expected = half::bf16::from_f32(value).to_f32();
            prop_assume!(expected.is_finite());
            prop_assert_eq!(Brain::round(value).to_bits(), expected.to_bits());
        }

        #[test]
        fn brains_are_divided_as_by_division(bits in any::<u16>(), by in any::<u16>()) {
            let [value, by] = [bits, by].map(|bits| half::bf16::from_bits(bits).to_f32());
            let quotient = value / by;
            prop_assume!(Divisor::new(by).is_moderate() && quotient.abs() < 1e38);
            let told = BrainByBrain::quotient(value, Divisor::new(by));
            if quotient.abs() > 1e-30 {
                prop_assert_eq!(told.to_bits(), Brain::round(quotient).to_bits());
            } else {
                prop_assert!(told.abs() <= 1.1e-30);
            }
        }

        #[test]
        fn halves_round_as_half_does(bits in any::<u16>(), within in -1.0f32..1.0) {
            let near = half::f16::from_bits(bits).to_f32();
            prop_assume!(near.is_finite());
            let value = near * (1.0 + within / 1024.0);
            let expected = half::f16::from_f32(value).to_f32();
            prop_assume!(expected.is_finite());
            prop_assert_eq!(Half::round(value).to_bits(), expected.to_bits());
        }

        #[test]
        fn integers_round_to_even(value in -4e6f32..4e6) {
            prop_assert_eq!(integer(value), value.round_ties_even());
        }

        #[test]
        fn bytes_are_the_integers(value in -128.0f32..127.0) {
            prop_assert_eq!(f32::from(byte(value)), value.round_ties_even());
        }

        #[test]
        fn no_fp8_is_nearer(value in -448.0f32..=448.0) {
            let (rounded, code) = fp8(value);
            prop_assert_eq!(rounded, fp8_of(code as u8));
            for other in 0..=255u8 {
                let distance = (fp8_of(other) - value).abs();
                prop_assert!(distance.is_nan() || distance >= (rounded - value).abs());
            }
        }
    }

    #[test]
    fn all_brains_between_one_and_two_are_divided_as_by_division() {
        let brains = || (0x3f80..0x4000).map(|bits| half::bf16::from_bits(bits).to_f32());
        for by in brains() {
            for value in brains() {
                let told = BrainByBrain::quotient(value, Divisor::new(by));
                assert_eq!(told, Brain::round(value / by), "{value} / {by}");
            }
        }
    }

    #[test]
    fn fp8_ties_go_to_even() {
        for (value, expected) in [
            (0.0, 0x00),
            (-0.0, 0x80),
            (448.0, 0x7e),
            (17.0, 0x58),
            (19.0, 0x5a),
            (-19.0, 0xda),
            (2f32.powi(-10), 0x00),
            (3.0 * 2f32.powi(-10), 0x02),
            (15.5 * 2f32.powi(-10), 0x08),
            (2f32.powi(-140), 0x00),
        ] {
            assert_eq!(fp8(value).1 as u8, expected, "{value}");
            assert_eq!(fp8_value(value).to_bits(), fp8(value).0.to_bits());
        }
    }

    /// `F8_E4M3` by its definition.
    fn fp8_of(code: u8) -> f32 {
        let sign = if code & 0x80 == 0 { 1.0 } else { -1.0 };
        let mantissa = f32::from(code & 7);
        match (code >> 3) & 15 {
            0 => sign * mantissa * 2f32.powi(-9),
            15 if code & 7 == 7 => f32::NAN,
            exponent => sign * (8.0 + mantissa) * 2f32.powi(i32::from(exponent) - 10),
        }
    }
}
