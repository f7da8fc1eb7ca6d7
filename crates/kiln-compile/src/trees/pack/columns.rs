//! The columns that splits compare: a feature's value as a whole number of the
//! same order, with the missing at one end or at the other.

use std::collections::HashMap;

use crate::trees::{Missing, Split, Test};

const MISSING_LEFT: u32 = 1;
const ZERO_IS_MISSING: u32 = 2;
const CONSTANT: u32 = 4;

/// The columns that a model's splits ask; column 0 is the smallest number
/// there is, whatever the row.
pub(super) struct Columns {
    /// Each column's feature and kind.
    pub sources: Vec<(u32, u32)>,
    places: HashMap<(u32, u32), u32>,
}

impl Columns {
    pub fn new() -> Self {
        Self {
            sources: vec![(0, CONSTANT)],
            places: HashMap::new(),
        }
    }

    /// The column that a split asks.
    pub fn of(&mut self, split: &Split) -> u32 {
        let left = if missing_left(split) { MISSING_LEFT } else { 0 };
        let zero = match split.missing {
            Missing::NanOrZero => ZERO_IS_MISSING,
            Missing::Nan | Missing::Never => 0,
        };
        let source = (split.feature, left | zero);
        *self.places.entry(source).or_insert_with(|| {
            self.sources.push(source);
            self.sources.len() as u32 - 1
        })
    }
}

/// Where NaN is tested as zero, it goes where zero does.
fn missing_left(split: &Split) -> bool {
    match (split.missing, split.test) {
        (Missing::Never, Test::Below(threshold)) => 0.0 < threshold,
        (Missing::Never, Test::AtMost(threshold)) => 0.0 <= threshold,
        _ => split.missing_left,
    }
}

/// The number that a value must be below to go to the left, or nothing for a
/// test of categories.
pub(super) fn key(test: Test) -> Option<i32> {
    match test {
        Test::Below(threshold) => Some(key_of(at_least(threshold))),
        Test::AtMost(threshold) => {
            let floor = -at_least(-threshold);
            // No number but a missing one's is above infinity.
            let unbounded = floor == f32::INFINITY;
            Some(if unbounded {
                i32::MAX
            } else {
                key_of(floor.next_up())
            })
        }
        Test::Among { .. } => None,
    }
}

/// The smallest 32-bit float that is not smaller.
fn at_least(threshold: f64) -> f32 {
    let near = threshold as f32;
    if f64::from(near) < threshold {
        near.next_up()
    } else {
        near
    }
}

/// A whole number that is in the same order as the floats.
fn key_of(value: f32) -> i32 {
    let bits = (value + 0.0).to_bits() as i32;
    bits ^ (bits >> 31 & i32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn keys_decide_as_floats_do(value: f32, threshold: f64, near in -3_i32..4) {
            let beside = f32::from_bits((threshold as f32).to_bits().wrapping_add_signed(near));
            for value in [value, beside, 0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY] {
                for threshold in [threshold, f64::from(beside), 0.0, f64::INFINITY] {
                    if value.is_nan() || threshold.is_nan() {
                        continue;
                    }
                    let below = key_of(value) < key(Test::Below(threshold)).unwrap();
                    prop_assert_eq!(below, f64::from(value) < threshold);
                    let at_most = key_of(value) < key(Test::AtMost(threshold)).unwrap();
                    prop_assert_eq!(at_most, f64::from(value) <= threshold);
                }
            }
        }
    }
}
