//! Turns a language model's directory into a smaller or a differently laid out one, and
//! measures what that cost.
//!
//! Tensors flow from the files of the one directory into those of the other in bounded
//! memory, whatever the model's size. Nothing here knows S3, HTTP or jobs.

pub mod calibrate;
mod dtype;
mod error;
pub mod gguf;
mod kernels;
pub mod layout;
pub mod model;
pub mod options;
mod order;
mod pipeline;
mod places;
pub mod quantize;
pub mod report;
pub mod safetensors;
pub mod shard;
mod tape;

pub use dtype::Dtype;
pub use error::OptimizeError;
pub use order::{Order, Task, Technique};
pub use pipeline::run;
