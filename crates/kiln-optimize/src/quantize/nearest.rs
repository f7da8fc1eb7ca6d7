//! The scales that the least and the greatest weight call for, to the bit as
//! compressed-tensors computes them: each step is rounded to the type of the weights.

use super::{Grid, QuantizeError, Scheme};
use crate::kernels::precision::Precision;
use crate::kernels::spread::Spread;

/// A scale, and the code that zero has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    pub(super) scale: f32,
    pub(super) zero: i8,
}

/// The least and the greatest code of integers of so many bits.
pub(super) fn integer_range(bits: u8) -> Result<(i8, i8), QuantizeError> {
    match bits {
        4 => Ok((-8, 7)),
        8 => Ok((i8::MIN, i8::MAX)),
        bits => Err(QuantizeError::Bits { bits }),
    }
}

/// The scale for weights of this spread.
pub(super) fn scale(
    scheme: &Scheme,
    precision: Precision,
    spread: Spread,
) -> Result<Scale, QuantizeError> {
    let reach = match scheme.grid {
        Grid::Int {
            symmetric: false, ..
        } => precision.round(spread.high - spread.low),
        _ => spread.peak(),
    };
    if reach > precision.largest() {
        return Err(QuantizeError::TooLarge {
            row: 0,
            reach,
            stored: precision.dtype(),
        });
    }
    Ok(match scheme.grid {
        Grid::Fp8 => symmetric(precision, reach, 448.0),
        Grid::Int {
            bits,
            symmetric: true,
        } => {
            integer_range(bits)?;
            symmetric(precision, reach, half_of_steps(bits))
        }
        Grid::Int {
            bits,
            symmetric: false,
        } => {
            let range = integer_range(bits)?;
            let scale = precision.round(reach / (2.0 * half_of_steps(bits)));
            asymmetric(precision, spread, scale, range, scheme.stored.least_zero)
        }
    })
}

/// Half the distance between the ends of the range.
fn half_of_steps(bits: u8) -> f32 {
    (f32::from(1u16 << bits) - 1.0) / 2.0
}

fn symmetric(precision: Precision, reach: f32, greatest: f32) -> Scale {
    let scale = precision.round(reach / greatest);
    Scale {
        scale: or_epsilon(precision, scale),
        zero: 0,
    }
}

fn asymmetric(
    precision: Precision,
    spread: Spread,
    scale: f32,
    (low, high): (i8, i8),
    least_zero: i8,
) -> Scale {
    let round = |value: f32| precision.round(value);
    let zero = if scale > 0.0 {
        let place = round(f32::from(low) - round(spread.low / scale));
        place
            .clamp(f32::from(low), f32::from(high))
            .round_ties_even() as i8
    } else if spread.low < 0.0 {
        high
    } else {
        0
    };
    if zero >= least_zero {
        return Scale {
            scale: or_epsilon(precision, scale),
            zero,
        };
    }
    let above = f32::from(high) - f32::from(least_zero);
    Scale {
        scale: or_epsilon(precision, round(spread.high / above)),
        zero: least_zero,
    }
}

/// Weights that are all zero, or too small for any scale, get one that divides.
fn or_epsilon(precision: Precision, scale: f32) -> f32 {
    if scale == 0.0 {
        precision.epsilon()
    } else {
        scale
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Granularity, Rounding, Stored};
    use super::*;

    fn scheme(grid: Grid) -> Scheme {
        Scheme {
            grid,
            granularity: Granularity::Channel,
            rounding: Rounding::Nearest,
            stored: Stored::default(),
        }
    }

    #[test]
    fn what_spreads_call_for() {
        let four = |symmetric| Grid::Int { bits: 4, symmetric };
        let brain = Precision::Brain;
        for (grid, low, high, expected, zero) in [
            (four(true), -7.5, 3.0, 1.0, 0),
            (four(true), 0.0, 0.0, brain.epsilon(), 0),
            (four(false), 0.0, 0.0, brain.epsilon(), 0),
            (four(false), 0.0, 15.0, 1.0, -8),
            (four(false), -15.0, 0.0, 1.0, 7),
            (four(false), -5.0, 10.0, 1.0, -3),
            (Grid::Fp8, -896.0, 1.0, 2.0, 0),
        ] {
            let found = scale(&scheme(grid), brain, Spread { low, high }).unwrap();
            assert_eq!(
                found,
                Scale {
                    scale: expected,
                    zero
                },
                "{grid:?} {low} {high}"
            );
        }
    }

    #[test]
    fn zero_points_can_have_a_least_one() {
        let mut scheme = scheme(Grid::Int {
            bits: 4,
            symmetric: false,
        });
        scheme.stored.least_zero = -7;
        let spread = Spread {
            low: 0.0,
            high: 28.0,
        };
        let found = scale(&scheme, Precision::Half, spread).unwrap();
        assert_eq!(
            found,
            Scale {
                scale: 2.0,
                zero: -7
            }
        );
    }

    #[test]
    fn a_scale_beyond_its_type_is_refused() {
        let scheme = scheme(Grid::Int {
            bits: 4,
            symmetric: false,
        });
        let spread = Spread {
            low: -65504.0,
            high: 65504.0,
        };
        assert!(scale(&scheme, Precision::Half, spread).is_err());
        assert!(scale(&scheme, Precision::Brain, spread).is_ok());
    }
}
