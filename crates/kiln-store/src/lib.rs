//! Durable state in SQLite: jobs, transitions, tags, logs, metrics and the S3
//! index. All of Kiln's SQL is in this crate; nobody above it sees a row.

mod database;
pub mod objects;

pub use database::Database;

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite refused a statement.
    #[error("the database refused a statement: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A group of changes could not be made durable; none of them happened.
    #[error("the database could not commit: {0}")]
    Commit(String),
    /// The writer thread ended, which happens only while the process ends.
    #[error("the database writer has stopped")]
    WriterGone,
    /// The file comes from a later version of Kiln.
    #[error(
        "the database was written by a newer Kiln (schema {found}, this one knows {known}); upgrade Kiln or use another data directory"
    )]
    NewerSchema {
        /// The file's schema version.
        found: usize,
        /// The newest version this program knows.
        known: usize,
    },
    /// The writer thread could not be started.
    #[error("could not start the database writer: {0}")]
    Thread(#[from] std::io::Error),
    /// A stored document does not read back as what was written.
    #[error("a stored document is damaged: {0}")]
    Document(#[from] serde_json::Error),
}
