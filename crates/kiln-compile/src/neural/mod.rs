//! Neural networks: from IREE's form of one to a module that `libdlr.so` runs.
//!
//! `compiler` drives IREE's compiler, `device` and `presets` say with which flags,
//! `engine` is the seam that engines stand behind, and `loader` has the C sources of
//! what opens a module at a client's.

pub mod compiler;
mod device;
mod engine;
mod error;
pub mod import;
mod iree;
pub mod loader;
mod presets;
mod signature;

pub use device::{Device, GpuKind};
pub use engine::{Built, Engine, Judge, Network, Trial, Trials, Verdict};
pub use error::NeuralError;
pub use iree::{Iree, MODULE};
pub use presets::Preset;
pub use signature::{Signature, Tensor};
