//! `DataInputConfig`: the names, shapes and element types of a model's inputs.
//!
//! Each framework's users write it in their own way: a dictionary of shapes, a
//! list of them, or, with more to say, a dictionary of dictionaries. All are
//! read into an [`InputConfig`], and [`InputConfig::render`] writes what was
//! derived from a model in the same language.

mod dtype;
mod error;
mod fit;
mod image;
mod input;
mod read;
mod render;
mod shape;
#[cfg(test)]
mod tests;

pub use dtype::Dtype;
pub use error::{InputConfigError, Mistake};
pub use fit::FitError;
pub use image::Image;
pub use read::read;
pub(crate) use shape::channels_last;
pub use shape::{Dimension, Shape};

/// All inputs that a request or a model names, in order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct InputConfig {
    /// The inputs.
    pub inputs: Vec<Input>,
}

/// One input of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// Its name; none in the list form, which goes by order.
    pub name: Option<String>,
    /// Its shape or shapes, in the layout in which the framework's users give them.
    pub shape: Shape,
    /// The shape to use where a caller gives none, for Core ML.
    pub default_shape: Option<Vec<u64>>,
    /// The type of its elements, where it was given.
    pub dtype: Option<Dtype>,
    /// How pixels become numbers, where the input is an image, for Core ML.
    pub image: Option<Image>,
}

impl Input {
    /// An input of which only name and shape are known.
    #[must_use]
    pub fn new(name: Option<String>, shape: Vec<Dimension>) -> Self {
        Self {
            name,
            shape: Shape::One(shape),
            default_shape: None,
            dtype: None,
            image: None,
        }
    }
}

/// What a request may say of inputs beyond their shapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Whether inputs may go without names, by order.
    pub list_form: bool,
    /// Whether the extended form for Core ML is understood.
    pub core_ml: bool,
}
