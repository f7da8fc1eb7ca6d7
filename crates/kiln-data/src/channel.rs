//! What a channel is: where its objects are named, which part of them belongs
//! to this instance, in which order, and how the work sees them.
//!
//! All modes take the same way: a [`Source`] is listed once into a
//! [`Catalogue`](crate::catalogue::Catalogue), which is put in order, cut into
//! shards, and presented as files, as a pipe, or as a file system.

use serde::{Deserialize, Serialize};

/// One channel of one instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// The channel's name, and that of its directory or pipes.
    pub name: String,
    /// Where its objects are named.
    pub source: Source,
    /// The part of them that is this instance's.
    pub shard: Shard,
    /// The seed of the order, when it is to be shuffled.
    pub shuffle: Option<u64>,
    /// How the work sees them.
    pub mode: Mode,
}

/// Where a channel's objects are named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// Every object whose key starts with these characters.
    Prefix {
        /// The bucket.
        bucket: String,
        /// The string prefix of the keys; a whole key names that object.
        prefix: String,
    },
    /// The objects that a manifest lists.
    Manifest {
        /// The manifest's bucket.
        bucket: String,
        /// The manifest's key.
        key: String,
    },
    /// The values and objects in the lines of an augmented manifest.
    AugmentedManifest {
        /// The manifest's bucket.
        bucket: String,
        /// The manifest's key.
        key: String,
        /// The attributes to take from every line, in this order.
        attributes: Vec<String>,
    },
}

/// One of `count` equal parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// Which part, from 0.
    pub index: u32,
    /// Of how many; at least 1.
    pub count: u32,
}

impl Shard {
    /// All of it.
    pub const WHOLE: Self = Self { index: 0, count: 1 };
}

/// How the work sees a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// Files that are all there before the work starts.
    File,
    /// A read-only file system whose files are fetched as they are read.
    FastFile,
    /// A pipe for each epoch, through which the objects follow each other.
    Pipe {
        /// Objects are decompressed with gzip on their way.
        decompress: bool,
        /// Each object is wrapped into one RecordIO record.
        record_io: bool,
    },
}
