//! The loader of neural networks: `libdlr.so` over IREE's runtime, from C sources that
//! this program carries and a cross-compiler that the caller has.

mod sources;

pub use sources::{Sources, unpack};
