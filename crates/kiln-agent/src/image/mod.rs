//! Images: from the name in a job's request to something that runs.

mod resolve;

pub use resolve::{Images, clear};

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
