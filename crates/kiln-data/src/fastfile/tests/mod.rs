//! Mounted channels, served by a store that counts what is asked of it.
//!
//! The kernel's side is real, so these tests need `/dev/fuse` and the right to
//! mount; where those are missing they say so and prove nothing.

mod ending;
mod reading;
mod store;

use std::path::{Path, PathBuf};

use self::store::{BUCKET, Store};
use super::*;
use crate::channel::{Mode, Shard};

/// A store, and a channel of it that is mounted on `files`.
struct Scene {
    store: Store,
    mounted: Mounted,
    files: PathBuf,
    _directory: tempfile::TempDir,
}

/// Whether mounts can be made here; says so on the test's output when not.
fn possible() -> bool {
    let available = available();
    if let Err(why) = &available {
        eprintln!("skipped, since no channel can be mounted here: {why}");
    }
    available.is_ok()
}

fn channel(prefix: &str, shard: Shard) -> Channel {
    Channel {
        name: "train".to_owned(),
        source: Source::Prefix {
            bucket: BUCKET.to_owned(),
            prefix: prefix.to_owned(),
        },
        shard,
        shuffle: None,
        mode: Mode::FastFile,
    }
}

async fn mount_in(
    store: &Store,
    channel: &Channel,
    directory: &Path,
    limits: CacheLimits,
) -> Result<Mounted, DataError> {
    let objects = store.client();
    let list = directory.join("catalogue");
    let catalogue = Catalogue::list(&objects, &channel.source, &list).await?;
    let files = directory.join("train");
    std::fs::create_dir_all(&files).unwrap();
    mount(&objects, &catalogue, channel, &files, limits).await
}

impl Scene {
    /// Mounts these objects, whose keys lie under `data/`.
    async fn of(objects: impl IntoIterator<Item = (&str, Vec<u8>)>) -> Self {
        let store = Store::start().await;
        for (key, body) in objects {
            store.put(&format!("data/{key}"), body);
        }
        Self::mounted(store, Shard::WHOLE, CacheLimits::default()).await
    }

    async fn mounted(store: Store, shard: Shard, limits: CacheLimits) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let channel = channel("data/", shard);
        let mounted = mount_in(&store, &channel, directory.path(), limits).await;
        Self {
            store,
            mounted: mounted.unwrap(),
            files: directory.path().join("train"),
            _directory: directory,
        }
    }

    /// Runs what blocks on these files, as a program in the container would.
    async fn with_files<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Path) -> T + Send + 'static,
    ) -> T {
        let files = self.files.clone();
        tokio::task::spawn_blocking(move || work(&files))
            .await
            .unwrap()
    }
}

/// Bytes that differ wherever one looks.
fn noise(length: usize) -> Vec<u8> {
    let mut state = length as u64 | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prefix_that_ends_inside_a_name_is_refused() {
    let store = Store::start().await;
    store.put("data/train/a", "a");
    store.put("data/train2/a", "a");
    let directory = tempfile::tempdir().unwrap();
    let channel = channel("data/train", Shard::WHOLE);
    let limits = CacheLimits::default();
    let refused = mount_in(&store, &channel, directory.path(), limits).await;
    assert!(
        matches!(refused, Err(DataError::PartialPrefix)),
        "{refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_would_be_a_directory_is_refused_by_name() {
    let store = Store::start().await;
    for key in ["data/a", "data/a-b", "data/a/b"] {
        store.put(key, "x");
    }
    let directory = tempfile::tempdir().unwrap();
    let channel = channel("data/", Shard::WHOLE);
    let limits = CacheLimits::default();
    let refused = mount_in(&store, &channel, directory.path(), limits).await;
    let message = refused.unwrap_err().to_string();
    assert_eq!(
        message,
        "S3 key: s3://bucket/data/a clashes with another object's path"
    );
}
