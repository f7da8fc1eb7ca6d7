//! What is written down of an upload, so that whoever comes after a crash can take back what
//! it finds half done.

use std::io;

use serde::{Deserialize, Serialize};

/// A turn in an upload's life, once the store has given it an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Turn {
    /// The store knows it, and holds nothing of it yet.
    Begun,
    /// The store is about to make an object of it.
    Completing,
    /// The object is there.
    Completed,
}

/// Where the turns of uploads are written down.
pub trait Journal: Sync {
    /// Writes down that the store is about to be asked for an upload of a key. Where this
    /// fails, the store is not asked.
    ///
    /// # Errors
    /// When it cannot be written.
    fn intend(&self, key: &str) -> io::Result<()>;

    /// Writes down that the upload of a key, which the store knows by this id, has come to a
    /// turn. Where this fails, the upload does.
    ///
    /// # Errors
    /// When it cannot be written.
    fn note(&self, turn: Turn, key: &str, upload: &str) -> io::Result<()>;
}

/// Nothing is written down: nobody will come after.
pub struct Unwritten;

impl Journal for Unwritten {
    fn intend(&self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn note(&self, _: Turn, _: &str, _: &str) -> io::Result<()> {
        Ok(())
    }
}
