//! What the readers of other frameworks' models have in common: a graph under
//! construction in ONNX's terms, and the reasons why a model cannot be read.

mod building;
mod error;
mod reduction;

pub(crate) use building::{Attributes, Building};
pub use error::ForeignError;
pub(crate) use reduction::Reduction;
