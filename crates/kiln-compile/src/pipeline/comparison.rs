//! Whether two answers are the same.

use kiln_graph::model::{Element as Short, Model, Node, Type};
use serde::Serialize;

use crate::array::Array;

/// How far an answer may be from the reference's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Tolerance {
    /// Whatever the numbers are.
    pub absolute: f64,
    /// As a part of the largest number of the reference's answer.
    pub of_largest: f64,
}

impl Tolerance {
    /// Trees add up the same numbers, in single precision.
    pub const TREES: Self = Self {
        absolute: 1e-6,
        of_largest: 1e-6,
    };
    /// Networks add up long sums, in whatever order is the fastest.
    pub const NETWORK: Self = Self {
        absolute: 1e-5,
        of_largest: 1e-4,
    };
    /// Where numbers have 16 bits on the way.
    pub const HALF: Self = Self {
        absolute: 1e-3,
        of_largest: 5e-3,
    };
    /// Where numbers are rounded to steps on the way, one may fall to the other
    /// side of a half.
    pub const ROUNDED: Self = Self {
        absolute: 1e-3,
        of_largest: 3e-2,
    };

    /// What goes for a network: more where numbers are rounded or short on the way.
    pub fn of(model: &Model) -> Self {
        let graph = &model.graph;
        let rounds =
            |node: &Node| node.operator.contains("Quantize") || node.operator.contains("QLinear");
        let is_short = |element| matches!(element, Short::F16 | Short::Bf16);
        let mut constants = graph.initializers.values();
        let values = graph.inputs.iter().chain(&graph.outputs);
        let mut types = values
            .filter_map(|value| value.ty.as_ref())
            .chain(graph.types.values())
            .filter_map(Type::as_tensor);
        if graph.nodes.iter().any(rounds) {
            Self::ROUNDED
        } else if constants.any(|constant| is_short(constant.element()))
            || types.any(|ty| is_short(ty.element))
        {
            Self::HALF
        } else {
            Self::NETWORK
        }
    }

    /// What numbers that are not measured but counted may be off: nothing, unless they are
    /// the bytes that quantised networks give.
    fn for_values_of(self, expected: &Array) -> Self {
        let element = expected.element();
        match element.is_float() || (element.size() == 1 && self == Self::ROUNDED) {
            true => self,
            false => Self {
                absolute: 0.0,
                of_largest: 0.0,
            },
        }
    }

    fn allows(&self, error: f64, largest: f64) -> bool {
        error <= self.absolute.max(self.of_largest * largest)
    }
}

/// What a comparison found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Difference {
    /// The largest distance of two numbers.
    pub largest_error: f64,
    /// The largest number of the reference's answer.
    pub largest_value: f64,
}

/// Why answers are not the same.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Mismatch {
    /// Not even their shapes are.
    #[error("output {output} has the sizes {found:?} where the reference's are {expected:?}")]
    Shape {
        /// The output.
        output: String,
        /// What the artifact gave.
        found: Vec<usize>,
        /// What the reference gave.
        expected: Vec<usize>,
    },
    /// A number is too far off.
    #[error(
        "output {output} differs from the reference by {error:.3e} at element {at} ({found} where \
         {expected} is expected), and {allowed:.3e} is allowed"
    )]
    Value {
        /// The output.
        output: String,
        /// Which number.
        at: usize,
        /// What the artifact gave.
        found: f64,
        /// What the reference gave.
        expected: f64,
        /// Their distance.
        error: f64,
        /// The largest distance that would do.
        allowed: f64,
    },
}

/// Compares an output with the reference's. Sizes of 1 at the front count for
/// nothing: clients get a batch of one either way. A NaN or an infinity is the
/// same only as itself.
///
/// # Errors
/// At the number that is furthest off, if any is further than allowed.
pub fn compare(
    output: &str,
    found: &Array,
    expected: &Array,
    tolerance: Tolerance,
) -> Result<Difference, Mismatch> {
    if significant(found.shape()) != significant(expected.shape()) {
        return Err(Mismatch::Shape {
            output: output.to_owned(),
            found: found.shape().to_vec(),
            expected: expected.shape().to_vec(),
        });
    }
    let tolerance = tolerance.for_values_of(expected);
    let finite = expected.values().filter(|value| value.is_finite());
    let largest_value = finite.fold(0.0, |largest: f64, value| largest.max(value.abs()));
    let errors = found.values().zip(expected.values()).map(distance);
    let worst = errors.enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b));
    let (at, largest_error) = worst.unwrap_or((0, 0.0));
    if tolerance.allows(largest_error, largest_value) {
        return Ok(Difference {
            largest_error,
            largest_value,
        });
    }
    Err(Mismatch::Value {
        output: output.to_owned(),
        at,
        found: found.values().nth(at).unwrap_or(f64::NAN),
        expected: expected.values().nth(at).unwrap_or(f64::NAN),
        error: largest_error,
        allowed: tolerance.absolute.max(tolerance.of_largest * largest_value),
    })
}

fn significant(shape: &[usize]) -> &[usize] {
    let ones = shape.iter().take_while(|size| **size == 1).count();
    &shape[ones..]
}

fn distance((found, expected): (f64, f64)) -> f64 {
    if found == expected || (found.is_nan() && expected.is_nan()) {
        0.0
    } else if found.is_finite() && expected.is_finite() {
        (found - expected).abs()
    } else {
        f64::INFINITY
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::Element;

    fn array(shape: &[usize], values: &[f64]) -> Array {
        Array::of(Element::Float64, shape.to_vec(), values.iter().copied()).unwrap()
    }

    #[test]
    fn answers_are_the_same_within_the_tolerance_and_up_to_leading_ones() {
        let nan = f64::NAN;
        let inf = f64::INFINITY;
        type Shaped<'a> = (&'a [usize], &'a [f64]);
        let cases: [(Shaped<'_>, Shaped<'_>, Option<&str>); 7] = [
            ((&[1, 2], &[1.0, 2.0]), (&[2], &[1.0, 2.0]), None),
            ((&[2], &[100.0, 0.009]), (&[2], &[100.0, 0.0]), None),
            (
                (&[2], &[100.0, 0.02]),
                (&[2], &[100.0, 0.0]),
                Some("output y differs from the reference by 2.000e-2 at element 1"),
            ),
            ((&[2], &[nan, inf]), (&[2], &[nan, inf]), None),
            (
                (&[1], &[nan]),
                (&[1], &[1.0]),
                Some("NaN where 1 is expected"),
            ),
            ((&[1], &[-inf]), (&[1], &[inf]), Some("by inf")),
            (
                (&[2, 1], &[1.0, 1.0]),
                (&[2], &[1.0, 1.0]),
                Some("has the sizes [2, 1]"),
            ),
        ];
        for ((shape, found), (expected_shape, expected), refusal) in cases {
            let compared = compare(
                "y",
                &array(shape, found),
                &array(expected_shape, expected),
                Tolerance::NETWORK,
            );
            match (compared, refusal) {
                (Ok(_), None) => {}
                (Err(error), Some(text)) => assert!(error.to_string().contains(text), "{error}"),
                (other, _) => panic!("{found:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn numbers_of_classes_are_the_same_or_not() {
        let classes = |values: [f64; 2]| Array::of(Element::Int64, vec![2], values).unwrap();
        let bytes = |values: [f64; 2]| Array::of(Element::Int8, vec![2], values).unwrap();
        let is_same = |found: &Array, expected: &Array, tolerance| {
            compare("y", found, expected, tolerance).is_ok()
        };
        let (found, expected) = ([999.0, 970.0], [999.0, 971.0]);
        let rounded = Tolerance::ROUNDED;
        assert!(!is_same(&classes(found), &classes(expected), rounded));
        assert!(is_same(&classes(found), &classes(found), rounded));
        assert!(is_same(&bytes([100.0, 3.0]), &bytes([100.0, 2.0]), rounded));
        assert!(!is_same(
            &bytes([100.0, 3.0]),
            &bytes([100.0, 2.0]),
            Tolerance::NETWORK
        ));
    }
}
