//! The linear algebra of calibration: products, Gram matrices and their factors, in one
//! or two threads with the same bits.

mod factor;
mod kernels;
mod pack;
mod product;
#[cfg(test)]
mod tests;

pub use factor::factor;
pub use kernels::Precision;
pub use pack::{Packed, View};
pub use product::{Blend, Part, each, gram, multiply};
