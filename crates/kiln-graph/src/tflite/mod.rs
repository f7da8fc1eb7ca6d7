//! TensorFlow Lite: one `.tflite` file, a FlatBuffer of version 3 of its schema.
//!
//! Names, types and sizes of inputs and outputs stay what they are in the file,
//! and so does the layout NHWC. Quantised tensors stay quantised: each operator's
//! inputs are dequantised before it and its outputs quantised after it, as
//! compilers for quantised networks expect it.

mod arrange;
mod call;
mod constants;
mod convolution;
mod dense;
mod elementwise;
mod flat;
mod indexing;
mod network;
mod operators;
mod pooling;
mod quantisation;
mod recurrent;
mod reduction;
mod schema;
mod slicing;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;

use bytes::Bytes;

use crate::foreign::ForeignError;
use crate::model::Model;

const FORMAT: &str = "TFLite";

/// Reads a network: the first of the file's graphs.
///
/// # Errors
/// If the bytes are no sound file, or hold operators that there is no
/// translation for.
pub fn read(bytes: Bytes) -> Result<Model, ForeignError> {
    let flat = flat::Flat::new(&bytes)?;
    network::convert(&schema::File::read(&flat)?)
}
