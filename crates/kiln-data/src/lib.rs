//! The data plane: the object-store client, channels, and archives. It moves
//! bytes between an S3 and a directory and knows nothing of job status.

pub mod archive;
pub mod augmented;
pub mod catalogue;
pub mod channel;
mod error;
pub mod fastfile;
pub mod file;
#[cfg(test)]
mod fuzz;
mod local_path;
pub mod manifest;
pub mod mirror;
mod objects;
mod order;
pub mod pipe;
mod recordio;
mod tree;
pub mod upload;
mod wanted;

pub use error::DataError;
pub use local_path::local_path;
pub use objects::{
    Checksum, Credentials, Listed, LocalBodies, LocalBody, Location, ObjectBody, ObjectHead,
    Objects, Patience, Transport,
};
