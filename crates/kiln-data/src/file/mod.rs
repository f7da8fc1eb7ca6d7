//! A File-mode channel: every object becomes a file before the work starts.
//!
//! Many small objects are fetched at once and each is written in one go by a
//! thread that may block; an object that is large is fetched in parts, several
//! at once, into a file whose room was taken first. What is in flight at any
//! time is bounded in number, and so is memory.

mod copied;
mod parts;
mod writer;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures::{StreamExt, TryStreamExt};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use self::writer::FileWriter;
use crate::catalogue::{Catalogue, Entry, Object, Turn};
use crate::channel::Channel;
use crate::{DataError, ObjectBody, Objects};

/// Objects fetched at a time.
const CONCURRENCY: usize = 64;
/// Parts of large objects fetched at a time.
const PARTS_AT_ONCE: usize = 8;
/// What is larger is fetched in parts.
const LARGE: u64 = 2 * parts::PART;
/// How often one object is fetched when it arrives damaged, or is replaced
/// meanwhile.
const TRIES: u32 = 3;

/// What a download brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fetched {
    /// Files written.
    pub objects: u64,
    /// Bytes written.
    pub bytes: u64,
}

impl std::ops::Add for Fetched {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            objects: self.objects + other.objects,
            bytes: self.bytes + other.bytes,
        }
    }
}

/// How many bytes of a download have arrived, those included that came in vain.
/// Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Arrived(Arc<AtomicU64>);

impl Arrived {
    /// So many by now.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn add(&self, bytes: usize) {
        self.0.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// Fetches a channel's own objects into `directory`, which is made when it is
/// missing.
///
/// # Errors
/// When an object cannot be fetched or written, or two would be one file; the
/// message names the object.
pub async fn download(
    objects: &Objects,
    catalogue: &Catalogue,
    channel: &Channel,
    directory: &Path,
) -> Result<Fetched, DataError> {
    let arrived = Arrived::default();
    download_counted(objects, catalogue, channel, directory, &arrived).await
}

/// The same, which counts what arrives.
///
/// # Errors
/// As there.
pub async fn download_counted(
    objects: &Objects,
    catalogue: &Catalogue,
    channel: &Channel,
    directory: &Path,
    arrived: &Arrived,
) -> Result<Fetched, DataError> {
    let doing = format!("making the directory {}", directory.display());
    std::fs::create_dir_all(directory).map_err(DataError::io(doing))?;
    let turn = catalogue.turn(channel.shard, channel.shuffle, 0);
    let download = Arc::new(Download {
        objects: objects.clone(),
        directory: directory.to_owned(),
        turn: Mutex::new(turn),
        parts: Semaphore::new(PARTS_AT_ONCE),
        arrived: arrived.clone(),
    });
    // Lanes that end with this future, whichever way it ends.
    let mut lanes = JoinSet::new();
    let count = std::thread::available_parallelism().map_or(1, |cores| cores.get().min(8));
    for _ in 0..count {
        let download = Arc::clone(&download);
        lanes.spawn(async move { download.lane(CONCURRENCY.div_ceil(count)).await });
    }
    let mut fetched = Fetched::default();
    while let Some(lane) = lanes.join_next().await {
        let lane = lane.unwrap_or_else(|error| Err(DataError::io("fetching")(error.into())));
        fetched = fetched + lane?;
    }
    Ok(fetched)
}

struct Download {
    objects: Objects,
    directory: std::path::PathBuf,
    turn: Mutex<Turn>,
    parts: Semaphore,
    arrived: Arrived,
}

impl Download {
    /// Fetches what no other lane has begun with, so many at a time.
    async fn lane(&self, width: usize) -> Result<Fetched, DataError> {
        let next = || {
            self.turn
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .next()
        };
        futures::stream::iter(std::iter::from_fn(next))
            .map(|entry| async move {
                match entry? {
                    Entry::Object(object) => self.fetch(&object).await,
                    Entry::Line(_) => Err(DataError::NoFiles),
                }
            })
            .buffer_unordered(width)
            .try_fold(Fetched::default(), |sum, bytes| async move {
                Ok(sum + Fetched { objects: 1, bytes })
            })
            .await
    }

    async fn fetch(&self, object: &Object) -> Result<u64, DataError> {
        let mut tries = 1;
        loop {
            match self.fetch_once(object).await {
                Err(DataError::Corrupt(_) | DataError::Replaced(_)) if tries < TRIES => tries += 1,
                settled => {
                    return settled.map_err(|error| error.fetching(&object.bucket, &object.key));
                }
            }
        }
    }

    async fn fetch_once(&self, object: &Object) -> Result<u64, DataError> {
        let (bucket, key) = (&object.bucket, &object.key);
        let path = self.directory.join(&object.path);
        if let Some((local, size)) = self.objects.local_body(bucket, key, object.size).await {
            match copied::copy(local, size, &path, &object.uri(), &self.arrived).await {
                // The store has it, whatever is wrong with the file.
                Err(error @ DataError::Io { .. }) => tracing::debug!(%error, "not copied"),
                settled => return settled,
            }
        }
        if object.size.is_some_and(|size| size > LARGE) {
            let head = self.objects.head(bucket, key).await?;
            if let Some(large) = parts::Large::of(object, &head) {
                return self.fetch_large(&large, &path).await;
            }
        }
        let read = self.objects.read_listed(bucket, key, object.size);
        let body = read.await?;
        // A manifest does not say how large its objects are.
        match parts::Large::of(object, body.head()) {
            Some(large) => {
                drop(body);
                self.fetch_large(&large, &path).await
            }
            None => write_whole(body, object, &path, &self.arrived).await,
        }
    }

    async fn fetch_large(&self, large: &parts::Large, path: &Path) -> Result<u64, DataError> {
        let fetching = large.fetch(&self.objects, path, &self.parts, &self.arrived);
        fetching.await
    }
}

async fn write_whole(
    mut body: ObjectBody,
    object: &Object,
    path: &Path,
    arrived: &Arrived,
) -> Result<u64, DataError> {
    let mut file = FileWriter::create(path, object.uri());
    let copied = copy(&mut body, &mut file, arrived).await;
    match copied {
        Ok(()) => file.finish().await,
        Err(error) => {
            file.discard().await;
            Err(error)
        }
    }
}

async fn copy(
    body: &mut ObjectBody,
    file: &mut FileWriter,
    arrived: &Arrived,
) -> Result<(), DataError> {
    while let Some(chunk) = body.chunk().await? {
        arrived.add(chunk.len());
        file.write(chunk).await?;
    }
    Ok(())
}
