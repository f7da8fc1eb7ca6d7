//! Inputs that a model is tried with, the same for every build.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::array::{Array, ArrayError, Element};
use crate::dlr::TensorInfo;

/// Numbers for an input of this type and these sizes. Floats lie around 0 as
/// normalised data does. Integers are 0 or 1, since a larger one may be the
/// number of a word or class that does not exist; bytes are an image's.
///
/// # Errors
/// When the input is larger than memory can be.
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
/// When an input is of a type that nobody knows, or larger than memory can be.
pub fn example(inputs: &[TensorInfo], open: usize, seed: u64) -> Result<Vec<Array>, ArrayError> {
    let array = |(input, place): (&TensorInfo, u64)| {
        let shape = input.shape.iter();
        let shape: Vec<_> = shape
            .map(|size| usize::try_from(*size).unwrap_or(open))
            .collect();
        numbers(input.kind.parse()?, &shape, seed << 16 | place)
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
}
