//! Encryption at rest: how the bytes of a body are sealed and opened again.
//!
//! A body is written in segments: one, or one for each part of an upload. A
//! segment has a random data key and is cut into chunks, each sealed by
//! AES-256-GCM with its number as the nonce, so that a range can be read without
//! the rest and chunks cannot change places. The data key is wrapped by a key
//! that follows from the master key and the KMS key's name; bound to the wrapping
//! are the bucket, the object's key and the segment's length, so that bodies
//! cannot change places either, nor be cut short.

mod chunks;
mod master;
mod opener;
mod sealer;

pub(crate) use master::{MasterKey, Place};
pub(crate) use opener::Opener;
pub(crate) use sealer::Sealer;

use std::path::PathBuf;

/// Why a body could not be sealed or opened.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SealError {
    /// The master key's file does not hold a key.
    #[error("the master key of the object store must be 32 bytes long, and is {0}")]
    MasterKey(usize),
    /// The master key's file is gone, and objects are encrypted under it.
    #[error(
        "{} is missing, and encrypted objects cannot be read without it. Put it back from a \
         backup; or give these objects up, and make a new key with: head -c 32 /dev/urandom > {}",
        .0.display(), .0.display()
    )]
    Lost(PathBuf),
    /// The system gave no random numbers, or the cipher refused its input.
    #[error("the cipher could not be used")]
    Cipher,
    /// A data key does not open for the object that it is stored with.
    #[error(
        "the object's data key does not open: it was wrapped by another master key, \
         or belongs to another object"
    )]
    DataKey,
    /// A chunk is not what was written.
    #[error("the body was changed on disk: its chunk {0} is not what was stored")]
    Chunk(u64),
    /// The object's bytes end before the object does.
    #[error("the index describes less of the body than the object has")]
    Incomplete,
}
