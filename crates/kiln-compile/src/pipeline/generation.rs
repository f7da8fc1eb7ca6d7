//! Inputs that a model is tried with, the same for every build.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::array::{Array, ArrayError, Element};
use crate::dlr::TensorInfo;

/// The bytes of the largest input that a model is tried with.
const LARGEST: usize = 1 << 30;

/// Why there are no inputs to try a model with.
#[derive(Debug, thiserror::Error)]
pub enum GenerationError {
    /// An input is of a type that nobody knows.
    #[error(transparent)]
    Array(#[from] ArrayError),
    /// An input is larger than what a model is tried with.
    #[error(
        "Input {name} is too large: an array of {element} with the sizes {shape:?} takes more than \
         the {} GiB that an input may have",
        LARGEST >> 30
    )]
    TooLarge {
        /// The input.
        name: String,
        /// The type of its numbers.
        element: Element,
        /// Its sizes.
        shape: Vec<usize>,
    },
}

/// Numbers for an input of this type and these sizes. Floats lie around 0 as
/// normalised data does. Integers are 0 or 1, since a larger one may be the
/// number of a word or class that does not exist; bytes are an image's.
///
/// # Errors
/// When the sizes cannot be had, which has been looked at before.
fn numbers(element: Element, shape: &[usize], seed: u64) -> Result<Array, ArrayError> {
    let mut random = StdRng::seed_from_u64(seed);
    let count = shape.iter().product();
    let number = |_: usize| match element {
        Element::Uint8 => f64::from(random.random::<u8>()),
        Element::Int8 => f64::from(random.random::<i8>()),
        _ if element.is_float() => random.random_range(-1.0..1.0),
        _ => f64::from(u8::from(random.random::<bool>())),
    };
    Array::of(element, shape.to_vec(), (0..count).map(number))
}

/// Numbers for all inputs of a model, others for each seed; sizes that it leaves
/// open become `open`.
///
/// # Errors
/// When an input is of a type that nobody knows, or too large.
pub fn example(
    inputs: &[TensorInfo],
    open: usize,
    seed: u64,
) -> Result<Vec<Array>, GenerationError> {
    let array = |(input, place): (&TensorInfo, u64)| {
        let shape = input.shape.iter();
        let shape: Vec<_> = shape
            .map(|size| usize::try_from(*size).unwrap_or(open))
            .collect();
        let element: Element = input.kind.parse()?;
        let bytes = shape
            .iter()
            .try_fold(element.size(), |bytes, size| bytes.checked_mul(*size));
        if bytes.is_none_or(|bytes| bytes > LARGEST) {
            let name = input.name.clone();
            return Err(GenerationError::TooLarge {
                name,
                element,
                shape,
            });
        }
        Ok(numbers(element, &shape, seed << 16 | place)?)
    };
    inputs.iter().zip(0..).map(array).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_same_each_time_and_others_for_another_seed() {
        let make = |seed| numbers(Element::Float32, &[3, 5], seed).unwrap();
        assert_eq!(make(1), make(1));
        assert_ne!(make(1), make(2));
        let whole = numbers(Element::Int64, &[100], 7).unwrap();
        assert!(whole.values().all(|value| value == 0.0 || value == 1.0));
    }

    #[test]
    fn open_sizes_are_as_asked_and_large_inputs_are_named() {
        let info = |shape: &[i64]| TensorInfo {
            name: "x".to_owned(),
            kind: "float32".to_owned(),
            shape: shape.to_vec(),
        };
        let made = example(&[info(&[-1, 4])], 3, 0).unwrap();
        assert_eq!(made[0].shape(), [3, 4]);
        for shape in [[1 << 20, 1 << 20], [i64::MAX, i64::MAX]] {
            let refused = example(&[info(&shape)], 1, 0).unwrap_err().to_string();
            assert!(refused.starts_with("Input x is too large: an array of float32"));
        }
    }
}
