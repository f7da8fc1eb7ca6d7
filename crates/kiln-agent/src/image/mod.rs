//! Images: from the name in a job's request to something that runs.

pub mod environment;
mod error;
pub mod oci;
mod resolve;
pub mod store;
pub mod table;

pub use error::ImageError;
pub(crate) use resolve::Images;
pub use resolve::clear;
pub use store::{ImageStore, StoredImage};
