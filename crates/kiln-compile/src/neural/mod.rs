//! Neural networks: from IREE's form of one to a module that `libdlr.so` runs.
//!
//! `compiler` drives IREE's compiler, `device` and `presets` say with which flags,
//! and `engine` is the seam that engines stand behind. What opens a module at a client's
//! is made by `parts`.

pub mod compiler;
mod device;
mod engine;
mod error;
pub mod import;
mod iree;
mod patience;
mod presets;
mod signature;

pub use device::{Device, GpuKind};
pub use engine::{Built, Engine, Judge, Network, Traits, Trial, Trials, Verdict};
pub use error::NeuralError;
pub use iree::{Iree, MODULE};
pub use presets::Preset;
pub use signature::{Signature, Tensor};
