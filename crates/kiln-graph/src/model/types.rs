//! What is known of a value before the network runs: its kind, its elements'
//! type, and as much of its sizes as is known.

use std::fmt;

use super::{Element, Tensor};

/// The type of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// A tensor.
    Tensor(TensorType),
    /// A list of values of one type.
    Sequence(Box<Type>),
    /// A value that may be absent.
    Optional(Box<Type>),
    /// A dictionary.
    Map {
        /// The type of its keys.
        key: Element,
        /// The type of its values.
        value: Box<Type>,
    },
    /// A tensor that is mostly zero.
    Sparse(TensorType),
}

/// A tensor's type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorType {
    /// The type of its elements.
    pub element: Element,
    /// Its sizes; none if not even their number is known.
    pub dims: Option<Vec<Dim>>,
}

/// A size of a tensor.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Dim {
    /// Known.
    Known(usize),
    /// Unknown, but the same wherever this name stands.
    Named(String),
    /// Unknown.
    Unknown,
}

impl Type {
    /// A tensor's type, all sizes known.
    #[must_use]
    pub fn tensor(element: Element, dims: &[usize]) -> Self {
        Self::Tensor(TensorType::new(element, dims))
    }

    /// The tensor's type, if it is one.
    #[must_use]
    pub fn as_tensor(&self) -> Option<&TensorType> {
        match self {
            Self::Tensor(tensor) => Some(tensor),
            _ => None,
        }
    }
}

impl From<TensorType> for Type {
    fn from(tensor: TensorType) -> Self {
        Self::Tensor(tensor)
    }
}

impl TensorType {
    /// All sizes known.
    #[must_use]
    pub fn new(element: Element, dims: &[usize]) -> Self {
        let dims = dims.iter().copied().map(Dim::Known).collect();
        Self {
            element,
            dims: Some(dims),
        }
    }

    /// The type of a tensor that is at hand.
    #[must_use]
    pub fn of(tensor: &Tensor) -> Self {
        Self::new(tensor.element(), tensor.dims())
    }

    /// How many dimensions it has, if that is known.
    #[must_use]
    pub fn rank(&self) -> Option<usize> {
        self.dims.as_ref().map(Vec::len)
    }

    /// Its sizes, if all are known.
    #[must_use]
    pub fn known(&self) -> Option<Vec<usize>> {
        self.dims.as_ref()?.iter().map(Dim::known).collect()
    }
}

impl Dim {
    /// The size, if it is known.
    #[must_use]
    pub fn known(&self) -> Option<usize> {
        match self {
            Self::Known(size) => Some(*size),
            Self::Named(_) | Self::Unknown => None,
        }
    }
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(size) => write!(f, "{size}"),
            Self::Named(name) => f.write_str(name),
            Self::Unknown => f.write_str("?"),
        }
    }
}

impl fmt::Display for TensorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.element)?;
        let Some(dims) = &self.dims else {
            return f.write_str("[…]");
        };
        f.write_str("[")?;
        for (place, dim) in dims.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            write!(f, "{comma}{dim}")?;
        }
        f.write_str("]")
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tensor(tensor) => write!(f, "{tensor}"),
            Self::Sequence(element) => write!(f, "sequence of {element}"),
            Self::Optional(element) => write!(f, "optional {element}"),
            Self::Map { key, value } => write!(f, "map from {key} to {value}"),
            Self::Sparse(tensor) => write!(f, "sparse {tensor}"),
        }
    }
}
