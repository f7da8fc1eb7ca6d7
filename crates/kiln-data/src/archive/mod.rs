//! Output archives: directories as one `.tar.gz`, streamed to S3 as it is made.
//!
//! One thread walks and reads, all processors compress, and parts are sent
//! meanwhile, so that there is never more than a few parts in memory and never
//! a copy on disk. The directories were written by code that nobody vouches
//! for: links are archived as links and never followed, what is neither file,
//! directory nor link is left out, and so is what vanishes.

mod gzip;
mod members;
mod parts;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use self::gzip::Gzip;
use self::parts::Parts;
use crate::objects::LARGEST_OBJECT;
use crate::upload::{Part, Room, store_parts};
use crate::{DataError, Objects};

/// On weights, text, noise and zeros, this level makes archives one percent
/// larger than the usual sixth in five sixths of the time. The first would need
/// half the time again and make them fifteen percent larger.
const LEVEL: u32 = 2;
/// What may be in memory of parts that are being sent, in MiB.
const ROOM: u32 = 32;

/// Archives directories to `s3://bucket/key` as one tree, without a temporary
/// copy. Directories of equal names merge; of anything else that has the same
/// name, the first is taken. The object appears whole or not at all. Answers its
/// size in bytes. A directory that does not exist is empty.
///
/// # Errors
/// When a directory cannot be read, a file in it says to be larger than the client
/// stores, or the store refuses.
pub async fn upload<P: AsRef<Path>>(
    objects: &Objects,
    directories: &[P],
    (bucket, key): (&str, &str),
) -> Result<u64, DataError> {
    let mut made = Made::begin(crate::tree::owned(directories), objects.largest_file());
    let Some(first) = made.next().await? else {
        return Err(DataError::io("archiving")(io::ErrorKind::WriteZero.into()));
    };
    let Some(second) = made.next().await? else {
        let size = first.len() as u64;
        return objects.put(bucket, key, first).await.map(|()| size);
    };
    let beginning = futures::stream::iter([Ok(first), Ok(second)]);
    let room = Room::new(ROOM);
    let parts = beginning.chain(made.stream()).and_then(move |body| {
        let room = room.clone();
        async move {
            let room = room.take(body.len()).await?;
            Ok(Part { body, room })
        }
    });
    store_parts(objects, (bucket, key), parts.boxed()).await
}

/// An archive in the making, part by part.
struct Made {
    parts: mpsc::Receiver<Bytes>,
    /// Answers how it ended, once.
    writer: Option<JoinHandle<io::Result<()>>>,
    doing: String,
}

impl Made {
    fn begin(directories: Vec<PathBuf>, largest: u64) -> Self {
        let names: Vec<String> = directories
            .iter()
            .map(|directory| directory.display().to_string())
            .collect();
        let (made, parts) = mpsc::channel(1);
        let writer = tokio::task::spawn_blocking(move || {
            let roots: Vec<&Path> = directories.iter().map(PathBuf::as_path).collect();
            write_merged(&roots, largest, Parts::new(made))?.finish()
        });
        Self {
            parts,
            writer: Some(writer),
            doing: format!("archiving {}", names.join(", ")),
        }
    }

    /// The next part. `None` when that was all, and not when it broke off.
    async fn next(&mut self) -> Result<Option<Bytes>, DataError> {
        if let Some(part) = self.parts.recv().await {
            return Ok(Some(part));
        }
        if let Some(writer) = self.writer.take() {
            let ended = writer
                .await
                .unwrap_or_else(|died| Err(io::Error::other(died)));
            ended.map_err(DataError::in_the_works(&self.doing))?;
        }
        Ok(None)
    }

    fn stream(self) -> impl Stream<Item = Result<Bytes, DataError>> {
        futures::stream::try_unfold(self, |mut made| async move {
            Ok(made.next().await?.map(|part| (part, made)))
        })
    }
}

/// Writes a directory's archive and gives the writer back.
///
/// # Errors
/// When the directory cannot be read or the writer fails.
pub fn write_archive<W: Write>(root: &Path, to: W) -> io::Result<W> {
    write_merged(&[root], LARGEST_OBJECT, to)
}

/// Writes the archive of several directories, merged, and gives the writer back.
fn write_merged<W: Write>(roots: &[&Path], largest: u64, to: W) -> io::Result<W> {
    let mut gzip = Gzip::new(to, LEVEL)?;
    members::write(roots, largest, &mut gzip)?;
    gzip.finish()
}

#[cfg(test)]
mod tests;
