//! Images: from the name in a job's request to something that runs.

mod error;
pub mod oci;
mod resolve;
pub mod store;

pub use error::ImageError;
pub(crate) use resolve::Images;
pub use resolve::clear;
pub use store::{ImageStore, StoredImage};

/// Provisional: replaced by table.rs.
pub mod table {
    use serde::{Deserialize, Serialize};
    /// An addition to the image table.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    pub struct Entry {
        /// The image's name.
        pub pattern: String,
    }
}
