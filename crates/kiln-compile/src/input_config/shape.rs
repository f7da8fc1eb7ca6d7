//! Shapes: sizes that are fixed, open or within a range.

use std::fmt;

use super::{InputConfigError, Mistake};
use crate::literal::{Literal, Value};

/// More than any framework has.
const MOST_DIMENSIONS: usize = 16;

/// More elements than fit into the memory of any machine that compiles.
const MOST_ELEMENTS: u64 = 1 << 40;

/// The shape of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// One shape, whose dimensions may be open.
    One(Vec<Dimension>),
    /// Several shapes, any of which an input may have.
    Enumerated(Vec<Vec<u64>>),
}

/// The size along one axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dimension {
    /// Always the same.
    Fixed(u64),
    /// Known when the model is run.
    Open,
    /// Known when the model is run, within bounds that belong to it.
    Range {
        /// The least.
        least: u64,
        /// The most, if there is one.
        most: Option<u64>,
    },
}

impl Dimension {
    pub(super) fn admits(self, size: u64) -> bool {
        match self {
            Self::Fixed(fixed) => fixed == size,
            Self::Open => true,
            Self::Range { least, most } => least <= size && most.is_none_or(|most| size <= most),
        }
    }

    /// A size that an input may have: what is fixed, or the least of a range.
    #[must_use]
    pub fn example(self) -> u64 {
        match self {
            Self::Fixed(size) | Self::Range { least: size, .. } => size,
            Self::Open => 1,
        }
    }
}

impl Shape {
    /// Whether inputs of that shape are inputs of this one.
    #[must_use]
    pub fn admits(&self, sizes: &[u64]) -> bool {
        match self {
            Self::Enumerated(shapes) => shapes.iter().any(|shape| shape == sizes),
            Self::One(dimensions) => {
                dimensions.len() == sizes.len()
                    && dimensions
                        .iter()
                        .zip(sizes)
                        .all(|(dimension, size)| dimension.admits(*size))
            }
        }
    }

    /// The sizes if all are known.
    #[must_use]
    pub fn fixed(&self) -> Option<Vec<u64>> {
        match self {
            Self::Enumerated(_) => None,
            Self::One(dimensions) => dimensions
                .iter()
                .map(|dimension| match dimension {
                    Dimension::Fixed(size) => Some(*size),
                    _ => None,
                })
                .collect(),
        }
    }

    /// The shape of an image in the order of batch, channels, height and width,
    /// from that of batch, height, width and channels.
    #[must_use]
    pub fn channels_first(&self) -> Self {
        // Twice the other way round is a full turn of the three.
        self.channels_last().channels_last()
    }

    /// The shape of an image in the order of batch, height, width and channels,
    /// from that of batch, channels, height and width. Shapes with another
    /// number of dimensions are no images, and stay.
    #[must_use]
    pub fn channels_last(&self) -> Self {
        match self {
            Self::One(dimensions) => Self::One(channels_last(dimensions)),
            Self::Enumerated(shapes) => {
                Self::Enumerated(shapes.iter().map(|shape| channels_last(shape)).collect())
            }
        }
    }
}

/// The sizes of an image with the channels last, from those with the channels before
/// height and width.
pub(crate) fn channels_last<T: Copy>(sizes: &[T]) -> Vec<T> {
    match *sizes {
        [batch, channels, height, width] => vec![batch, height, width, channels],
        _ => sizes.to_vec(),
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Enumerated(shapes) => write!(f, "{shapes:?}"),
            Self::One(dimensions) => {
                let written: Vec<_> = dimensions.iter().map(ToString::to_string).collect();
                write!(f, "[{}]", written.join(", "))
            }
        }
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(size) => write!(f, "{size}"),
            Self::Open => f.write_str("-1"),
            Self::Range { least, most: None } => write!(f, "{least}..-1"),
            Self::Range {
                least,
                most: Some(most),
            } => write!(f, "{least}..{most}"),
        }
    }
}

/// Reads a shape, or several if `enumerated` allows that.
pub(super) fn read(
    literal: &Literal,
    input: &str,
    enumerated: bool,
) -> Result<Shape, InputConfigError> {
    let elements = elements(literal, input)?;
    let lists = elements
        .iter()
        .any(|element| matches!(element.value, Value::List(_)));
    if !lists {
        return Ok(Shape::One(dimensions(elements, literal, input)?));
    }
    if !enumerated {
        return Err(Mistake::Enumerated(input.to_owned()).at(literal.at));
    }
    let shapes: Vec<_> = elements
        .iter()
        .map(|element| read_fixed(element, input))
        .collect::<Result<_, _>>()?;
    if shapes.iter().any(|shape| shape.len() != shapes[0].len()) {
        return Err(Mistake::UnevenShapes(input.to_owned()).at(literal.at));
    }
    Ok(Shape::Enumerated(shapes))
}

/// Reads a shape all of whose sizes are given.
pub(super) fn read_fixed(literal: &Literal, input: &str) -> Result<Vec<u64>, InputConfigError> {
    let elements = elements(literal, input)?;
    let dimensions = dimensions(elements, literal, input)?;
    let sizes = dimensions.iter().zip(elements);
    sizes
        .map(|(dimension, element)| match dimension {
            Dimension::Fixed(size) => Ok(*size),
            _ => Err(mistaken(element, input)),
        })
        .collect()
}

fn elements<'a>(literal: &'a Literal, input: &str) -> Result<&'a [Literal], InputConfigError> {
    match &literal.value {
        Value::List(elements) => Ok(elements),
        _ => Err(Mistake::NotAShape {
            input: input.to_owned(),
            found: literal.kind(),
        }
        .at(literal.at)),
    }
}

fn dimensions(
    elements: &[Literal],
    whole: &Literal,
    input: &str,
) -> Result<Vec<Dimension>, InputConfigError> {
    if elements.len() > MOST_DIMENSIONS {
        return Err(Mistake::TooManyDimensions(input.to_owned()).at(whole.at));
    }
    let dimensions: Vec<_> = elements
        .iter()
        .map(|element| dimension(&element.value).ok_or_else(|| mistaken(element, input)))
        .collect::<Result<_, _>>()?;
    let elements = dimensions.iter().try_fold(1_u64, |product, dimension| {
        product.checked_mul(dimension.example())
    });
    match elements {
        Some(elements) if elements <= MOST_ELEMENTS => Ok(dimensions),
        _ => Err(Mistake::TooLarge(input.to_owned()).at(whole.at)),
    }
}

fn dimension(value: &Value) -> Option<Dimension> {
    match value {
        Value::Null | Value::Integer(-1) => Some(Dimension::Open),
        Value::Integer(size) => u64::try_from(*size).ok().and_then(fixed),
        Value::Text(range) => match range.split_once("..") {
            Some((least, most)) => bounded(least.trim(), most.trim()),
            None => range.trim().parse().ok().and_then(fixed),
        },
        _ => None,
    }
}

fn fixed(size: u64) -> Option<Dimension> {
    (size > 0).then_some(Dimension::Fixed(size))
}

fn bounded(least: &str, most: &str) -> Option<Dimension> {
    let least = least.parse().ok().filter(|least| *least > 0)?;
    let most = match most {
        "" | "-1" => None,
        most => Some(most.parse().ok().filter(|most| *most >= least)?),
    };
    Some(Dimension::Range { least, most })
}

fn mistaken(element: &Literal, input: &str) -> InputConfigError {
    let found = match &element.value {
        Value::Integer(size) => size.to_string(),
        Value::Float(size) => size.to_string(),
        Value::Text(text) => format!("'{text}'"),
        _ => element.kind().to_owned(),
    };
    let input = input.to_owned();
    Mistake::Dimension { input, found }.at(element.at)
}
