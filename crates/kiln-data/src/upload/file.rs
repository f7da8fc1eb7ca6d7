//! Storing one file: at once when it is small, else in parts.

use std::fs::File;
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;

use super::Journal;
use super::multipart::{Part, Parts, Room, store_parts, store_parts_unless};
use crate::tree::too_large;
use crate::{DataError, Objects};

/// Bytes of a part, and the most that one request stores.
const PART: u64 = 8 << 20;
/// S3 allows this many parts, and larger ones for larger files.
const MOST_PARTS: u64 = 10_000;
/// What all files that are being stored may keep in memory, in MiB.
const ROOM: u32 = 64;

/// Stores files, any number at a time, in bounded memory.
#[derive(Debug, Clone)]
pub struct Uploader {
    objects: Objects,
    room: Room,
}

impl Uploader {
    /// Stores with this client.
    #[must_use]
    pub fn new(objects: &Objects) -> Self {
        Self {
            objects: objects.clone(),
            room: Room::new(ROOM),
        }
    }

    /// Stores the first `size` bytes of a file, unless that is more than a file
    /// may have.
    pub(crate) async fn store(
        &self,
        file: File,
        size: u64,
        (bucket, key): (&str, &str),
    ) -> Result<(), DataError> {
        if size > self.objects.largest_file() {
            let doing = format!("storing object s3://{bucket}/{key}");
            return Err(DataError::in_the_works(doing)(too_large(size)));
        }
        let file = Arc::new(file);
        let stored = if size <= PART {
            self.store_whole(&file, size, (bucket, key)).await
        } else {
            self.store_in_parts(&file, size, (bucket, key)).await
        };
        stored.map_err(|error| storing(error, bucket, key))
    }

    /// Stores a file, in parts whatever its size, and writes its turns down, unless that is
    /// called off before all parts are with the store: then nothing of it is left when this
    /// returns.
    ///
    /// # Errors
    /// When the file cannot be read, a turn cannot be written down, or the store refuses.
    pub async fn store_unless<C>(
        &self,
        file: File,
        (bucket, key): (&str, &str),
        journal: &dyn Journal,
        called_off: impl Future<Output = C>,
    ) -> Result<ControlFlow<C>, DataError> {
        let size = file.metadata().map_err(DataError::io("reading the file"))?;
        let parts = self.parts(&Arc::new(file), size.len());
        let target = (bucket, key);
        let stored = store_parts_unless(&self.objects, target, parts, journal, called_off).await;
        let stored = stored.map(|stored| stored.map_continue(drop));
        stored.map_err(|error| storing(error, bucket, key))
    }

    async fn store_whole(
        &self,
        file: &Arc<File>,
        size: u64,
        (bucket, key): (&str, &str),
    ) -> Result<(), DataError> {
        let Part { body, room } = self.read(Arc::clone(file), 0, size).await?;
        let stored = self.objects.put(bucket, key, body).await;
        drop(room);
        stored
    }

    async fn store_in_parts(
        &self,
        file: &Arc<File>,
        size: u64,
        target: (&str, &str),
    ) -> Result<(), DataError> {
        let parts = self.parts(file, size);
        store_parts(&self.objects, target, parts).await.map(drop)
    }

    /// The parts of a file, of which an empty one has one too.
    fn parts(&self, file: &Arc<File>, size: u64) -> Parts<'static> {
        let (uploader, file) = (self.clone(), Arc::clone(file));
        let length = part_size(size);
        let offsets = (0..size.div_ceil(length).max(1)).map(move |number| number * length);
        futures::stream::iter(offsets)
            .then(move |offset| {
                let (uploader, file) = (uploader.clone(), Arc::clone(&file));
                async move { uploader.read(file, offset, length.min(size - offset)).await }
            })
            .boxed()
    }

    async fn read(&self, file: Arc<File>, offset: u64, length: u64) -> Result<Part, DataError> {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let room = self.room.take(length).await?;
        let read = tokio::task::spawn_blocking(move || {
            let mut body = vec![0; length];
            file.read_exact_at(&mut body, offset).map(|()| body)
        });
        let body = read.await.map_err(|error| super::died(&error))?;
        let body = Bytes::from(body.map_err(DataError::io("reading the file"))?);
        Ok(Part { body, room })
    }
}

fn part_size(size: u64) -> u64 {
    size.div_ceil(MOST_PARTS).max(PART)
}

/// Names the object that could not be stored.
fn storing(error: DataError, bucket: &str, key: &str) -> DataError {
    let named = |cause| format!("Unable to store object s3://{bucket}/{key}: {cause}");
    match error {
        DataError::Refused {
            status,
            code,
            message,
        } => DataError::Refused {
            status,
            code,
            message: named(message),
        },
        DataError::Unreachable(cause) => DataError::Unreachable(named(cause)),
        DataError::Io { doing, source } => DataError::Io {
            doing: named(doing),
            source,
        },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_file_has_more_parts_than_the_store_allows() {
        for size in [PART + 1, 80 << 30, 5 << 40] {
            let length = part_size(size);
            assert!(length >= PART && size.div_ceil(length) <= MOST_PARTS);
        }
        assert_eq!(part_size(PART * 2), PART);
    }
}
