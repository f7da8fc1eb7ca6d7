//! A large object, fetched in parts that are written to their places at once.

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use crc_fast::{CrcAlgorithm, checksum_combine};
use futures::{StreamExt, TryStreamExt, stream};
use tokio::sync::Semaphore;

use super::writer::{self, FileWriter};
use super::{Arrived, LARGE, PARTS_AT_ONCE};
use crate::catalogue::{Object, blocking};
use crate::{Checksum, DataError, ObjectHead, Objects};

/// Bytes of one part.
pub(super) const PART: u64 = 64 << 20;
/// Bytes read at a time when a file is checked after it was written.
const CHECKED: usize = 1 << 20;

/// An object that is worth fetching in parts, and can be: it has an entity tag,
/// which keeps parts of two objects from being mixed.
#[derive(Debug, Clone)]
pub(super) struct Large {
    bucket: String,
    key: String,
    uri: String,
    size: u64,
    etag: String,
    checksum: Option<Checksum>,
}

impl Large {
    pub(super) fn of(object: &Object, head: &ObjectHead) -> Option<Self> {
        Some(Self {
            bucket: object.bucket.clone(),
            key: object.key.clone(),
            uri: object.uri(),
            size: head.size.filter(|size| *size > LARGE)?,
            etag: head.etag.clone()?,
            checksum: head.checksum,
        })
    }

    /// Fetches the object into a new file, as many parts at a time as there are
    /// permits, and answers its size.
    pub(super) async fn fetch(
        &self,
        objects: &Objects,
        path: &Path,
        permits: &Semaphore,
        arrived: &Arrived,
    ) -> Result<u64, DataError> {
        let file = self.make(path).await?;
        let into = (&file, path);
        let fetched = self.fetch_into(into, objects, permits, arrived).await;
        if fetched.is_err() {
            let _ = std::fs::remove_file(path);
        }
        fetched.map(|()| self.size)
    }

    /// Makes the file and takes its room on the disk, so that a disk that is
    /// too small is known before anything was fetched.
    async fn make(&self, path: &Path) -> Result<Arc<File>, DataError> {
        let (large, path) = (self.clone(), path.to_owned());
        blocking(move || {
            let file = writer::create(&path, &large.uri)?;
            writer::take_room(&file, large.size).map_err(|error| {
                let _ = std::fs::remove_file(&path);
                writer::failed(&path, &large.uri, error)
            })?;
            Ok(Arc::new(file))
        })
        .await
    }

    async fn fetch_into(
        &self,
        (file, path): (&Arc<File>, &Path),
        objects: &Objects,
        permits: &Semaphore,
        arrived: &Arrived,
    ) -> Result<(), DataError> {
        let parts = (0..self.size.div_ceil(PART)).map(|part| part * PART);
        let sum = stream::iter(parts)
            .map(|at| async move {
                // Nobody closes the semaphore.
                let _permit = permits.acquire().await;
                let range = at..(at + PART).min(self.size);
                self.fetch_part((file, path), objects, range, arrived).await
            })
            .buffered(PARTS_AT_ONCE)
            .try_fold(None, |sum, part| async move { Ok(joined(sum, part)) })
            .await?;
        match (self.checksum, sum) {
            (Some(Checksum::Crc(_, expected)), Some(Sum { value, .. })) if value == expected => {
                Ok(())
            }
            (None, _) => Ok(()),
            (Some(Checksum::Crc(..)), _) => Err(DataError::Corrupt(self.uri.clone())),
            (Some(checksum), _) => self.check_file(checksum, path).await,
        }
    }

    async fn fetch_part(
        &self,
        (file, path): (&Arc<File>, &Path),
        objects: &Objects,
        range: Range<u64>,
        arrived: &Arrived,
    ) -> Result<Option<Sum>, DataError> {
        let algorithm = match self.checksum {
            Some(Checksum::Crc(algorithm, _)) => Some(algorithm),
            _ => None,
        };
        let mut digest = algorithm.map(crc_fast::Digest::new);
        let length = range.end - range.start;
        let mut writer = FileWriter::part(file, path, self.uri.clone(), range.start);
        let tag = Some(self.etag.as_str());
        let mut body = objects
            .read_range(&self.bucket, &self.key, range, tag)
            .await?;
        while let Some(chunk) = body.chunk().await? {
            arrived.add(chunk.len());
            if let Some(digest) = &mut digest {
                digest.update(&chunk);
            }
            writer.write(chunk).await?;
        }
        writer.finish().await?;
        Ok(digest.zip(algorithm).map(|(digest, algorithm)| Sum {
            algorithm,
            value: digest.finalize(),
            length,
        }))
    }

    /// Checks what was written against a checksum that parts do not add up to.
    async fn check_file(&self, checksum: Checksum, path: &Path) -> Result<(), DataError> {
        let (path, uri) = (path.to_owned(), self.uri.clone());
        blocking(move || {
            let reading = || DataError::io(format!("reading {}", path.display()));
            let mut file = File::open(&path).map_err(reading())?;
            let mut digest = checksum.digest();
            let mut buffer = vec![0; CHECKED];
            loop {
                match file.read(&mut buffer).map_err(reading())? {
                    0 => break,
                    read => digest.update(&buffer[..read]),
                }
            }
            if digest.agrees(&checksum) {
                Ok(())
            } else {
                Err(DataError::Corrupt(uri))
            }
        })
        .await
    }
}

/// The checksum of so many bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Sum {
    algorithm: CrcAlgorithm,
    value: u64,
    length: u64,
}

/// The checksum of two parts that follow each other.
fn joined(first: Option<Sum>, second: Option<Sum>) -> Option<Sum> {
    let (Some(first), Some(second)) = (first, second) else {
        return first.or(second);
    };
    let algorithm = first.algorithm;
    Some(Sum {
        algorithm,
        value: checksum_combine(algorithm, first.value, second.value, second.length),
        length: first.length + second.length,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sums_of_parts_join_to_the_sum_of_the_whole(
            bytes in proptest::collection::vec(any::<u8>(), 1..200), cut in 1usize..50,
        ) {
            for algorithm in [
                CrcAlgorithm::Crc64Nvme, CrcAlgorithm::Crc32Iscsi, CrcAlgorithm::Crc32IsoHdlc,
            ] {
                let sum = |bytes: &[u8]| Some(Sum {
                    algorithm,
                    value: crc_fast::checksum(algorithm, bytes),
                    length: bytes.len() as u64,
                });
                let parts = bytes.chunks(cut).map(sum).fold(None, joined);
                prop_assert_eq!(parts, sum(&bytes));
            }
        }
    }
}
