//! Files of tensors in the safetensors format: headers that are believed only after
//! checks, reads of any part, and writes in any order.

mod fault;
#[cfg(test)]
mod fuzz;
mod header;
mod reader;
mod writer;

pub use fault::Fault;
pub use reader::{Reader, Tensor};
pub use writer::{TensorSpec, Writer};
