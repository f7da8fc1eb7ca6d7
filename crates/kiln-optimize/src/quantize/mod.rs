//! The arithmetic of quantization: rows of weights in, codes and scales out.

mod scheme;

pub use scheme::{Granularity, Grid, Quantized, Rounding, Scheme, Slab};
