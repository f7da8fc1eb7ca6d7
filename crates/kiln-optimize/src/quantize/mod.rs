//! The arithmetic of quantization: rows of weights in, codes and scales out.

mod bands;
mod dequantize;
mod error;
mod frame;
mod nearest;
mod scheme;
mod search;

pub use dequantize::dequantize;
pub use error::QuantizeError;
pub use scheme::{Granularity, Grid, Quantized, Rounding, Scheme, Slab, Stored};

use crate::kernels::Instructions;
use crate::kernels::precision::Precision;
use bands::Bands;

/// Quantizes whole rows. What was in `into` is replaced, and its memory used again.
///
/// With [`Granularity::Block`] a slab begins with the first row of a block, and with
/// [`Granularity::Tensor`] it is the whole weight.
///
/// `importance` tells how much the error of each column counts. Only
/// [`Rounding::Searched`] looks at it.
///
/// # Errors
/// Where a weight is not a finite number or out of the stored type's range, or where the
/// shape cannot be quantized so.
pub fn quantize(
    scheme: &Scheme,
    slab: Slab<'_>,
    importance: Option<&[f32]>,
    into: &mut Quantized,
) -> Result<(), QuantizeError> {
    quantize_by(Instructions::best(), scheme, slab, importance, into)
}

/// Looks at a slab that is not quantized.
///
/// # Errors
/// Where a weight is not a finite number.
pub fn check(slab: Slab<'_>) -> Result<(), QuantizeError> {
    Instructions::best().run(bands::Check { slab })
}

fn quantize_by(
    instructions: Instructions,
    scheme: &Scheme,
    slab: Slab<'_>,
    importance: Option<&[f32]>,
    into: &mut Quantized,
) -> Result<(), QuantizeError> {
    let bands = Bands::new(scheme, slab, importance)?;
    instructions.run(bands.work(into))
}

/// What scales are rounded to when the weights are of type `dtype`.
pub(crate) fn stored_precision(
    scheme: &Scheme,
    dtype: crate::Dtype,
) -> Result<Precision, QuantizeError> {
    let stored = scheme.stored.scales.unwrap_or(dtype);
    Precision::of(stored).ok_or(QuantizeError::Dtype { dtype: stored })
}

#[cfg(test)]
mod tests;
