//! Running a compiled model as its users do: through the C functions of the
//! library that lies beside it, which are those that AWS's `dlr` package calls.
//!
//! [`Client`] does so in this process; [`Runner`] does so in a process of its
//! own, which may be another architecture's under an emulator. Both know
//! nothing of what kind of model it is. The files beside a model that describe
//! it are written here too ([`Metadata`], [`write_manifest`]).

mod client;
mod error;
mod functions;
mod manifest;
mod metadata;
mod runner;
mod tensor;
mod tensor_file;

pub use client::Client;
pub(crate) use client::LOADER;
pub use error::DlrError;
pub use manifest::{MANIFEST, Manifest, write_manifest};
pub use metadata::Metadata;
pub use runner::{Emulator, Ran, Runner};
pub use tensor::{Tensor, TensorInfo};
