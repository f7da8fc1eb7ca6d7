//! What a channel is made of: its source, listed once.
//!
//! The entries lie in a file beside the instance, one line of JSON each, and
//! memory holds only where each begins, so that a million keys take eight
//! megabytes. Everything that presents a channel asks for its [`Turn`]: the
//! entries of one machine in one epoch, in order.

mod listing;
mod shelf;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use self::shelf::Shelf;
use crate::channel::{Shard, Source};
use crate::order::Positions;
use crate::{DataError, Objects};

/// One entry of a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Entry {
    /// An object.
    Object(Object),
    /// A line of an augmented manifest.
    Line(Vec<Piece>),
}

/// An object of a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// The bucket.
    pub bucket: String,
    /// The key, exactly.
    pub key: String,
    /// Bytes, when the listing said so.
    pub size: Option<u64>,
    /// The entity tag, when the listing said so.
    pub etag: Option<String>,
    /// Where it lies in the channel, relative.
    pub path: PathBuf,
}

impl Object {
    /// The object's URI.
    #[must_use]
    pub fn uri(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.key)
    }
}

/// One value of a line of an augmented manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Piece {
    /// The bytes of an object.
    Object {
        /// The bucket.
        bucket: String,
        /// The key, exactly.
        key: String,
    },
    /// A text.
    Text(String),
}

/// A source that has been listed. Clones are the same catalogue.
#[derive(Debug, Clone)]
pub struct Catalogue {
    shelf: Arc<Shelf>,
    /// What the source is called in the first line of the channel's manifest.
    heading: String,
}

impl Catalogue {
    /// Lists a source, keeping the entries in `file`, which is replaced.
    ///
    /// # Errors
    /// When the store refuses or cannot be reached, when a manifest or a key
    /// cannot be understood, or when the file cannot be written.
    pub async fn list(objects: &Objects, source: &Source, file: &Path) -> Result<Self, DataError> {
        let (shelf, heading) = listing::list(objects, source, file).await?;
        Ok(Self {
            shelf: Arc::new(shelf),
            heading,
        })
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shelf.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One entry, by its position in the listing.
    ///
    /// # Errors
    /// When the catalogue's file cannot be read.
    pub fn entry(&self, index: usize) -> Result<Entry, DataError> {
        self.shelf.entry(index)
    }

    /// The entries of one machine in one epoch, in order.
    #[must_use]
    pub fn turn(&self, shard: Shard, shuffle: Option<u64>, epoch: u64) -> Turn {
        Turn {
            catalogue: self.clone(),
            positions: Positions::new(self.len(), shard, shuffle, epoch),
        }
    }

    /// Writes the manifest that lies beside a channel: what the source is
    /// called, then the URI of every object, whoever's it is.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn write_manifest(&self, path: &Path) -> Result<(), DataError> {
        let (catalogue, path) = (self.clone(), path.to_owned());
        blocking(move || catalogue.write_manifest_to(&path)).await
    }

    fn write_manifest_to(&self, path: &Path) -> Result<(), DataError> {
        let writing = |error| on_writing(path, error);
        let file = std::fs::File::create(path).map_err(writing)?;
        let mut lines = std::io::BufWriter::new(file);
        writeln!(lines, "{}", self.heading).map_err(writing)?;
        for entry in self.turn(Shard::WHOLE, None, 0) {
            match entry? {
                Entry::Object(object) => writeln!(lines, "{}", object.uri()).map_err(writing)?,
                Entry::Line(pieces) => {
                    for piece in pieces {
                        if let Piece::Object { bucket, key } = piece {
                            writeln!(lines, "s3://{bucket}/{key}").map_err(writing)?;
                        }
                    }
                }
            }
        }
        lines.flush().map_err(writing)
    }
}

/// The entries of one machine in one epoch, in order.
#[derive(Debug, Clone)]
pub struct Turn {
    catalogue: Catalogue,
    positions: Positions,
}

impl Turn {
    /// The same entries, by their positions in the catalogue.
    #[must_use]
    pub fn positions(&self) -> Positions {
        self.positions.clone()
    }
}

impl Iterator for Turn {
    type Item = Result<Entry, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let index = self.positions.next()?;
        Some(self.catalogue.entry(index))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.positions.size_hint()
    }
}

impl ExactSizeIterator for Turn {}

/// Runs what blocks where it may.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DataError> + Send + 'static,
) -> Result<T, DataError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(DataError::io("waiting for a thread")(error.into())))
}

/// The error of writing a file.
pub(crate) fn on_writing(path: &Path, source: std::io::Error) -> DataError {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    match source.kind() {
        StorageFull | QuotaExceeded => DataError::Full(path.display().to_string()),
        _ => DataError::io(format!("writing {}", path.display()))(source),
    }
}
