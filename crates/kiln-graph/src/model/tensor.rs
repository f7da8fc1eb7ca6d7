//! A tensor whose elements are known. Its bytes are shared, so that a copy costs
//! nothing and weights stay where their file was mapped.

use std::sync::Arc;

use bytes::Bytes;
use half::{bf16, f16};

use super::Element;

/// The most dimensions that a tensor may have.
pub const RANK_LIMIT: usize = 64;

/// A tensor whose elements are known: as many as its sizes say.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    element: Element,
    dims: Vec<usize>,
    contents: Contents,
}

/// Elements, little-endian and in row-major order; those of half a byte share it,
/// the first in the lower half.
#[derive(Debug, Clone, PartialEq)]
enum Contents {
    Bytes(Bytes),
    Strings(Arc<[Vec<u8>]>),
}

/// Why a tensor's sizes and elements do not fit together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TensorError {
    /// The sizes multiply to more than there can be.
    #[error("its sizes {0:?} are beyond what can be stored")]
    TooLarge(Vec<usize>),

    /// There are more or fewer elements than the sizes say.
    #[error("its sizes {dims:?} of {element} call for {expected} bytes or strings, not {found}")]
    Length {
        /// The element type.
        element: Element,
        /// The sizes.
        dims: Vec<usize>,
        /// How many bytes, or strings, they call for.
        expected: usize,
        /// How many there are.
        found: usize,
    },

    /// The element type is not what the elements are.
    #[error("its elements cannot be {0}")]
    Element(Element),
}

/// A type of Rust's that is an element type.
pub trait Number: Copy {
    /// Which it is.
    const ELEMENT: Element;
    /// Reads one from exactly as many bytes as it has.
    fn read(bytes: &[u8]) -> Self;
    /// Appends its bytes.
    fn write(self, to: &mut Vec<u8>);
}

macro_rules! numbers {
    ($($type:ty => $element:ident),*) => {$(
        impl Number for $type {
            const ELEMENT: Element = Element::$element;
            fn read(bytes: &[u8]) -> Self {
                let mut own = [0; size_of::<Self>()];
                own.copy_from_slice(bytes);
                Self::from_le_bytes(own)
            }
            fn write(self, to: &mut Vec<u8>) {
                to.extend_from_slice(&self.to_le_bytes());
            }
        }
    )*};
}

numbers!(f32 => F32, f64 => F64, f16 => F16, bf16 => Bf16);
numbers!(u8 => U8, u16 => U16, u32 => U32, u64 => U64);
numbers!(i8 => I8, i16 => I16, i32 => I32, i64 => I64);

impl Number for bool {
    const ELEMENT: Element = Element::Bool;
    fn read(bytes: &[u8]) -> Self {
        bytes != [0]
    }
    fn write(self, to: &mut Vec<u8>) {
        to.push(u8::from(self));
    }
}

impl Tensor {
    /// A tensor of any element type but strings, of its elements' bytes.
    ///
    /// # Errors
    /// If there are more or fewer bytes than the sizes say.
    pub fn new(element: Element, dims: Vec<usize>, bytes: Bytes) -> Result<Self, TensorError> {
        if element == Element::String {
            return Err(TensorError::Element(element));
        }
        let expected = count(&dims).and_then(|count| element.bytes_of(count));
        let expected = expected.ok_or_else(|| TensorError::TooLarge(dims.clone()))?;
        let found = bytes.len();
        if expected != found {
            return Err(TensorError::Length {
                element,
                dims,
                expected,
                found,
            });
        }
        Ok(Self {
            element,
            dims,
            contents: Contents::Bytes(bytes),
        })
    }

    /// A tensor of strings.
    ///
    /// # Errors
    /// If there are more or fewer than the sizes say.
    pub fn of_strings(dims: Vec<usize>, strings: Vec<Vec<u8>>) -> Result<Self, TensorError> {
        let element = Element::String;
        let expected = count(&dims).ok_or_else(|| TensorError::TooLarge(dims.clone()))?;
        let found = strings.len();
        if expected != found {
            return Err(TensorError::Length {
                element,
                dims,
                expected,
                found,
            });
        }
        Ok(Self {
            element,
            dims,
            contents: Contents::Strings(strings.into()),
        })
    }

    /// A tensor of these values.
    ///
    /// # Errors
    /// If there are more or fewer than the sizes say.
    pub fn of<T: Number>(dims: &[usize], values: &[T]) -> Result<Self, TensorError> {
        let mut bytes = Vec::with_capacity(size_of_val(values));
        values.iter().for_each(|value| value.write(&mut bytes));
        Self::new(T::ELEMENT, dims.to_vec(), bytes.into())
    }

    /// A tensor of one dimension.
    #[must_use]
    pub fn vector<T: Number>(values: &[T]) -> Self {
        Self::plain(vec![values.len()], values)
    }

    /// A tensor of one element and no dimension.
    #[must_use]
    pub fn scalar<T: Number>(value: T) -> Self {
        Self::plain(Vec::new(), &[value])
    }

    fn plain<T: Number>(dims: Vec<usize>, values: &[T]) -> Self {
        let mut bytes = Vec::with_capacity(size_of_val(values));
        values.iter().for_each(|value| value.write(&mut bytes));
        Self {
            element: T::ELEMENT,
            dims,
            contents: Contents::Bytes(bytes.into()),
        }
    }

    /// The type of its elements.
    #[must_use]
    pub fn element(&self) -> Element {
        self.element
    }

    /// Its sizes.
    #[must_use]
    pub fn dims(&self) -> &[usize] {
        &self.dims
    }

    /// How many dimensions it has.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.dims.len()
    }

    /// How many elements it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.dims.iter().product()
    }

    /// Whether it has no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its elements as bytes; none for strings.
    #[must_use]
    pub fn bytes(&self) -> Option<&Bytes> {
        match &self.contents {
            Contents::Bytes(bytes) => Some(bytes),
            Contents::Strings(_) => None,
        }
    }

    /// Its elements, if they are strings.
    #[must_use]
    pub fn strings(&self) -> Option<&[Vec<u8>]> {
        match &self.contents {
            Contents::Bytes(_) => None,
            Contents::Strings(strings) => Some(strings),
        }
    }

    /// Its elements, if they are of this very type.
    #[must_use]
    pub fn values<T: Number>(&self) -> Option<Vec<T>> {
        if self.element != T::ELEMENT {
            return None;
        }
        let bytes = self.bytes()?;
        Some(bytes.chunks_exact(size_of::<T>()).map(T::read).collect())
    }

    /// Its elements as whole numbers, if they are whole numbers that fit.
    #[must_use]
    pub fn integers(&self) -> Option<Vec<i64>> {
        fn widen<T: Number + TryInto<i64>>(tensor: &Tensor) -> Option<Vec<i64>> {
            let values = tensor.values::<T>()?;
            values
                .into_iter()
                .map(|value| value.try_into().ok())
                .collect()
        }
        match self.element {
            Element::I64 => self.values(),
            Element::I32 => widen::<i32>(self),
            Element::I16 => widen::<i16>(self),
            Element::I8 => widen::<i8>(self),
            Element::U64 => widen::<u64>(self),
            Element::U32 => widen::<u32>(self),
            Element::U16 => widen::<u16>(self),
            Element::U8 => widen::<u8>(self),
            _ => None,
        }
    }

    /// The same elements in other sizes.
    ///
    /// # Errors
    /// If the sizes call for another number of elements.
    pub fn reshaped(&self, dims: Vec<usize>) -> Result<Self, TensorError> {
        match &self.contents {
            Contents::Bytes(bytes) => Self::new(self.element, dims, bytes.clone()),
            Contents::Strings(strings) => Self::of_strings(dims, strings.to_vec()),
        }
    }
}

/// How many elements such sizes make, if they can be counted.
fn count(dims: &[usize]) -> Option<usize> {
    if dims.len() > RANK_LIMIT {
        return None;
    }
    // The sizes beside a zero must be sound as well, since others multiply them.
    let all = dims
        .iter()
        .filter(|size| **size != 0)
        .try_fold(1_usize, |all, size| all.checked_mul(*size))?;
    let all = (all <= isize::MAX as usize).then_some(all)?;
    Some(if dims.contains(&0) { 0 } else { all })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back() {
        let tensor = Tensor::of(&[2, 2], &[1.0_f32, 2.0, 3.0, 4.0]).unwrap();
        assert_eq!(tensor.values::<f32>(), Some(vec![1.0, 2.0, 3.0, 4.0]));
        assert_eq!(tensor.values::<f64>(), None);
        assert_eq!(Tensor::vector(&[3_i32, -1]).integers(), Some(vec![3, -1]));
        assert_eq!(Tensor::vector(&[u64::MAX]).integers(), None);
        assert_eq!(Tensor::scalar(true).values::<bool>(), Some(vec![true]));
    }

    #[test]
    fn sizes_and_elements_must_agree() {
        assert!(Tensor::of(&[3], &[1_i64]).is_err());
        assert!(Tensor::of::<f32>(&[usize::MAX, usize::MAX], &[]).is_err());
        assert!(Tensor::of::<f32>(&[0, usize::MAX, usize::MAX], &[]).is_err());
        assert!(Tensor::of::<f32>(&[0, 7], &[]).is_ok());
        let three = Tensor::new(Element::I4, vec![3], Bytes::from_static(&[0x21, 3]));
        assert!(three.is_ok());
    }
}
