//! Arrays of numbers, as a model takes and gives them, and the files of numpy
//! and of tables that hold them. Bytes may come from anyone.

mod csv;
mod element;
mod error;
mod npy;
mod npz;

pub use csv::read as read_csv;
pub use element::Element;
pub use error::ArrayError;
pub use npy::{read as read_npy, write as write_npy};
pub use npz::read as read_npz;

/// Numbers in rows, the last index running fastest.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    element: Element,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Array {
    /// An array of these bytes, little-endian.
    ///
    /// # Errors
    /// When they are not as many as the shape says.
    pub fn new(element: Element, shape: Vec<usize>, bytes: Vec<u8>) -> Result<Self, ArrayError> {
        let wanted = shape
            .iter()
            .try_fold(element.size(), |size, dim| size.checked_mul(*dim));
        if wanted != Some(bytes.len()) {
            return Err(ArrayError::Length {
                shape,
                element,
                length: bytes.len(),
            });
        }
        Ok(Self {
            element,
            shape,
            bytes,
        })
    }

    /// An array of numbers, each converted as C would.
    ///
    /// # Errors
    /// When there are not as many as the shape says.
    pub fn of(
        element: Element,
        shape: Vec<usize>,
        values: impl IntoIterator<Item = f64>,
    ) -> Result<Self, ArrayError> {
        let mut bytes = Vec::new();
        values
            .into_iter()
            .for_each(|value| element.push(value, &mut bytes));
        Self::new(element, shape, bytes)
    }

    /// The type of each number.
    #[must_use]
    pub fn element(&self) -> Element {
        self.element
    }

    /// The sizes.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// How many numbers there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len() / self.element.size()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// All numbers as bytes, little-endian.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The numbers, in order. Integers beyond 2⁵³ lose their last digits.
    pub fn values(&self) -> impl Iterator<Item = f64> + '_ {
        let element = self.element;
        self.bytes
            .chunks_exact(element.size())
            .map(move |bytes| element.value(bytes))
    }

    /// The same numbers as another type, each converted as C would.
    #[must_use]
    pub fn cast(&self, element: Element) -> Self {
        if element == self.element {
            return self.clone();
        }
        let mut bytes = Vec::with_capacity(self.len() * element.size());
        self.values()
            .for_each(|value| element.push(value, &mut bytes));
        Self {
            element,
            shape: self.shape.clone(),
            bytes,
        }
    }

    /// The same numbers in another shape.
    ///
    /// # Errors
    /// When that shape holds more or fewer.
    pub fn reshaped(self, shape: Vec<usize>) -> Result<Self, ArrayError> {
        Self::new(self.element, shape, self.bytes)
    }
}

#[cfg(test)]
mod tests;
