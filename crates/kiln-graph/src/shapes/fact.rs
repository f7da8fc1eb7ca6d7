//! What is known of a value before the network runs.

use super::dim::{either, known, written};
use crate::folding::numbers;
use crate::model::{Dim, Element, Tensor, TensorType, Type};

/// No list of sizes that is followed element by element is longer than this.
const LONGEST: usize = 4096;

/// What kind of thing a value is.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// A tensor: the type of its elements, if known, and its sizes, if their
    /// number is known.
    Tensor(Option<Element>, Option<Vec<Dim>>),
    /// A list.
    Sequence(Box<Kind>),
    /// Something or nothing.
    Optional(Box<Kind>),
    /// Nothing is known.
    Unknown,
}

impl From<&Type> for Kind {
    fn from(ty: &Type) -> Self {
        match ty {
            Type::Tensor(tensor) => Self::Tensor(Some(tensor.element), tensor.dims.clone()),
            Type::Sequence(of) => Self::Sequence(Box::new(Self::from(&**of))),
            Type::Optional(of) => Self::Optional(Box::new(Self::from(&**of))),
            Type::Map { .. } | Type::Sparse(_) => Self::Unknown,
        }
    }
}

impl Kind {
    /// The type as a model states it, if it is known.
    pub(crate) fn to_type(&self) -> Option<Type> {
        Some(match self {
            Self::Tensor(element, dims) => Type::Tensor(TensorType {
                element: (*element)?,
                dims: dims.clone(),
            }),
            Self::Sequence(of) => Type::Sequence(Box::new(of.to_type()?)),
            Self::Optional(of) => Type::Optional(Box::new(of.to_type()?)),
            Self::Unknown => return None,
        })
    }

    /// The same, with what a model's author says where nothing is known. Sizes
    /// are not believed beside those that were found, since they often are those of
    /// the one run that an exporter has seen.
    pub(crate) fn or_declared(self, declared: &Type) -> Self {
        match (self, Self::from(declared)) {
            (Self::Unknown, declared) => declared,
            (Self::Tensor(None, None), declared) => declared,
            (Self::Tensor(Some(element), None), Self::Tensor(_, Some(dims))) => {
                Self::Tensor(Some(element), Some(vec![Dim::Unknown; dims.len()]))
            }
            (Self::Tensor(None, dims), Self::Tensor(element, _)) => Self::Tensor(element, dims),
            (found, _) => found,
        }
    }

    /// What is known of a value that is of one kind or of another.
    pub(crate) fn either(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Tensor(one, dims), Self::Tensor(two, others)) => {
                let element = if one == two { *one } else { None };
                let dims = dims.as_ref().zip(others.as_ref());
                let dims = dims
                    .filter(|(dims, others)| dims.len() == others.len())
                    .map(|(dims, others)| {
                        dims.iter().zip(others).map(|(a, b)| either(a, b)).collect()
                    });
                Self::Tensor(element, dims)
            }
            (Self::Sequence(one), Self::Sequence(two)) => Self::Sequence(Box::new(one.either(two))),
            (Self::Optional(one), Self::Optional(two)) => Self::Optional(Box::new(one.either(two))),
            _ => Self::Unknown,
        }
    }
}

/// A whole number, such as a size, as far as it is known.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Size {
    /// The number.
    Known(i64),
    /// The size of this name.
    Named(String),
    /// Nothing is known.
    Unknown,
}

impl Size {
    /// The number, if it is known.
    pub(crate) fn known(&self) -> Option<i64> {
        match self {
            Self::Known(number) => Some(*number),
            Self::Named(_) | Self::Unknown => None,
        }
    }
}

impl From<&Dim> for Size {
    fn from(dim: &Dim) -> Self {
        match dim {
            Dim::Known(size) => i64::try_from(*size).map_or(Self::Unknown, Self::Known),
            Dim::Named(name) => Self::Named(name.clone()),
            Dim::Unknown => Self::Unknown,
        }
    }
}

/// What is known of a value.
#[derive(Clone, Debug)]
pub struct Fact {
    /// Its kind.
    pub kind: Kind,
    /// The value itself.
    pub(crate) constant: Option<Tensor>,
    /// The elements of a scalar or a vector of whole numbers, as far as each is
    /// known. This is how the sizes of tensors are followed through arithmetic.
    pub(crate) sizes: Option<Vec<Size>>,
}

impl Fact {
    /// A tensor of which type and shape may be known.
    pub(crate) fn of(element: Option<Element>, dims: Option<Vec<Dim>>) -> Self {
        Self {
            kind: Kind::Tensor(element, dims),
            constant: None,
            sizes: None,
        }
    }

    /// A tensor of known type and rank.
    pub(crate) fn tensor(element: Element, dims: Vec<Dim>) -> Self {
        Self::of(Some(element), Some(dims))
    }

    /// Something of this kind.
    pub(crate) fn kind(kind: Kind) -> Self {
        Self {
            kind,
            constant: None,
            sizes: None,
        }
    }

    /// Of which nothing is known.
    pub(crate) fn unknown() -> Self {
        Self::kind(Kind::Unknown)
    }

    /// A constant.
    pub(crate) fn constant(tensor: Tensor) -> Self {
        let dims = tensor.dims().iter().copied().map(Dim::Known).collect();
        let short = tensor.rank() <= 1 && tensor.len() <= LONGEST;
        let sizes = if short { tensor.integers() } else { None };
        Self {
            sizes: sizes.map(|sizes| sizes.into_iter().map(Size::Known).collect()),
            kind: Kind::Tensor(Some(tensor.element()), Some(dims)),
            constant: Some(tensor),
        }
    }

    /// The same, with its elements as far as they are known. Where all of them
    /// are, it is a constant.
    pub(crate) fn with_sizes(self, sizes: Option<Vec<Size>>) -> Self {
        let Some(sizes) = sizes.filter(|sizes| sizes.len() <= LONGEST) else {
            return self;
        };
        let (Some(element), Some(dims)) = (self.element(), self.dims().and_then(known)) else {
            return self;
        };
        if dims.len() > 1 || dims.iter().product::<usize>() != sizes.len() {
            return self;
        }
        let all: Option<Vec<i128>> = sizes
            .iter()
            .map(|size| size.known().map(i128::from))
            .collect();
        match all.and_then(|all| numbers::from_whole(element, &dims, &all)) {
            Some(tensor) => Self::constant(tensor),
            None => Self {
                sizes: Some(sizes),
                ..self
            },
        }
    }

    /// The type as a model states it, if it is known.
    pub(crate) fn to_type(&self) -> Option<Type> {
        self.kind.to_type()
    }

    /// The type of the elements, if it is a tensor of which this is known.
    pub fn element(&self) -> Option<Element> {
        match &self.kind {
            Kind::Tensor(element, _) => *element,
            _ => None,
        }
    }

    /// The sizes, if it is a tensor of known rank.
    pub fn dims(&self) -> Option<&[Dim]> {
        match &self.kind {
            Kind::Tensor(_, dims) => dims.as_deref(),
            _ => None,
        }
    }

    /// The shape as people write it.
    pub(crate) fn written(&self) -> String {
        self.dims().map_or_else(|| "[…]".to_owned(), written)
    }
}
