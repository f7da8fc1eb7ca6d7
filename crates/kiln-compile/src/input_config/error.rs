//! Why a `DataInputConfig` cannot be understood.

use crate::literal::{LiteralError, Position};

/// Why a `DataInputConfig` was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InputConfigError {
    /// It is neither JSON nor a Python literal.
    #[error("DataInputConfig is not valid JSON: {0}")]
    Syntax(#[from] LiteralError),

    /// It can be read, but does not describe inputs.
    #[error("DataInputConfig is not valid: {mistake} at {at}")]
    Mistake {
        /// Where it goes wrong.
        at: Position,
        /// What is wrong there.
        mistake: Mistake,
    },
}

/// What can be wrong with a `DataInputConfig` that can be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mistake {
    /// The whole is neither a dictionary nor, where that is allowed, a list.
    #[error("expected a dictionary of input names and shapes but found {0}")]
    NotADictionary(&'static str),
    /// The whole is neither a dictionary nor a list.
    #[error("expected a dictionary of input names and shapes, or a list of shapes, but found {0}")]
    NotACollection(&'static str),
    /// There are no inputs in it.
    #[error("it names no inputs")]
    Empty,
    /// An input without a name.
    #[error("an input has an empty name")]
    Nameless,
    /// What describes an input is neither a shape nor a dictionary.
    #[error("{input} needs a shape, which is a list of integers, but has {found}")]
    NotAShape {
        /// The input, with its name.
        input: String,
        /// What is there, with its article.
        found: &'static str,
    },
    /// The dictionary that describes an input has no shape.
    #[error("{0} has no 'shape'")]
    NoShape(String),
    /// A dimension is no size.
    #[error(
        "{input} has {found} as a dimension; a dimension is a positive integer, -1 or None where it is open, or a range such as \"1..10\""
    )]
    Dimension {
        /// The input, with its name.
        input: String,
        /// What is there.
        found: String,
    },
    /// A shape with too many dimensions.
    #[error("{0} has more than 16 dimensions")]
    TooManyDimensions(String),
    /// A tensor that no machine could hold.
    #[error("{0} has a shape of more than 2^40 elements")]
    TooLarge(String),
    /// A list of shapes where one is wanted.
    #[error("{0} lists several shapes, which is supported for the TargetDevice coreml only")]
    Enumerated(String),
    /// Several shapes with differing numbers of dimensions.
    #[error("the shapes that {0} lists differ in their number of dimensions")]
    UnevenShapes(String),
    /// An unknown element type.
    #[error("{input} has the unknown dtype '{dtype}'")]
    Dtype {
        /// The input, with its name.
        input: String,
        /// What is there.
        dtype: String,
    },
    /// A key that nobody knows.
    #[error("{input} has the unknown key '{key}'")]
    UnknownKey {
        /// The input, with its name.
        input: String,
        /// The key.
        key: String,
    },
    /// The same key twice, under two of its names.
    #[error("{input} has '{key}' twice")]
    Twice {
        /// The input, with its name.
        input: String,
        /// The key, as it is written the second time.
        key: String,
    },
    /// A key that belongs to Core ML.
    #[error("{input} has '{key}', which is supported for the TargetDevice coreml only")]
    CoreMlOnly {
        /// The input, with its name.
        input: String,
        /// The key.
        key: String,
    },
    /// A default shape that is none of the possible ones.
    #[error("the default_shape of {0} is not one of the shapes that it can have")]
    DefaultShape(String),
    /// Neither of the two kinds of input.
    #[error("{0} has a type that is neither 'Image' nor 'Tensor'")]
    Type(String),
    /// An image with a key missing.
    #[error("{input} is an image and needs '{key}'")]
    ImageNeeds {
        /// The input, with its name.
        input: String,
        /// The key.
        key: &'static str,
    },
    /// Something of an image on what is no image.
    #[error("{input} has '{key}' but is not an image")]
    NotAnImage {
        /// The input, with its name.
        input: String,
        /// The key.
        key: &'static str,
    },
    /// A value that is of the wrong kind.
    #[error("'{key}' of {input} must be {expected} but is {found}")]
    WrongKind {
        /// The input, with its name.
        input: String,
        /// The key.
        key: &'static str,
        /// What it should be, with its article.
        expected: &'static str,
        /// What is there, with its article.
        found: &'static str,
    },
}

impl Mistake {
    pub(super) fn at(self, at: Position) -> InputConfigError {
        InputConfigError::Mistake { at, mistake: self }
    }
}
