//! MXNet: a network's `*-symbol.json` and its `*.params`.
//!
//! MXNet infers all sizes from those of the inputs, and so does this reader:
//! several operators cannot be translated without. All numbers are computed in
//! 32 bits, in which parameters of 16 bits are stored as well; the layout is NCHW.
//! Labels and what else matters in training alone are no inputs.

mod activation;
mod arrange;
mod attributes;
mod call;
mod convolution;
mod dense;
mod elementwise;
mod images;
mod indexing;
mod network;
mod normalisation;
mod operators;
mod params;
mod pooling;
mod recurrent;
mod reduction;
mod reshape;
mod slicing;
mod symbol;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::foreign::ForeignError;
use crate::model::Model;

const FORMAT: &str = "MXNet";

/// Reads a network for inputs of these sizes.
///
/// # Errors
/// If the files are no network's, do not belong together or not to these
/// inputs, or hold operators that there is no translation for.
pub fn read(
    symbol: &[u8],
    params: Bytes,
    inputs: &BTreeMap<String, Vec<usize>>,
) -> Result<Model, ForeignError> {
    let symbol = symbol::Symbol::read(symbol)?;
    network::convert(&symbol, params::read(params)?, inputs)
}
