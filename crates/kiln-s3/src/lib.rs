//! The embedded S3 server: the protocol from the s3s crate over a durable
//! layout on disk of our own.
//!
//! An object's bytes are one plain file with a generated name; what the object
//! is called and described as stands in the index of `kiln-store`. An object
//! appears, changes and vanishes with one commit of that index, after its file
//! is on disk.

mod authority;
mod bodies;
mod completion;
mod conditions;
mod content;
mod coverage;
mod digest;
mod encryption;
mod error;
mod expectation;
#[cfg(test)]
mod fuzz;
mod ingest;
mod ops;
mod plain;
mod ranges;
mod reader;
mod refusals;
mod sealing;
mod service;
mod store;
mod tags;
mod wire;

pub use authority::{Access, AccessKey, Authority, DeniedKeys, KeyRefusal};
pub use error::S3Error;
pub use ingest::broken_body;
pub use plain::PlainBody;
pub use sealing::SealError;
pub use service::{Site, guarded, service};
pub use store::ObjectStore;
