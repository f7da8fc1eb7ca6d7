//! A FastFile channel: its objects as a read-only file system that is there at
//! once and fetches what is read.
//!
//! The whole tree comes from the catalogue, so listing and `stat` touch no data.
//! Reads are answered over FUSE from a cache of bounded size: who reads straight
//! on has several requests in flight ahead of them, who jumps gets little more
//! than they ask for. Every request is pinned to the entity tag that was listed,
//! so that an object replaced during the job gives an error and never a mixture.
//!
//! The mount is made on the host, before the container that sees it starts, and
//! ends with [`Mounted`]. One that outlives its process, because that was
//! killed, is dead, and [`unmount_all_below`] clears it away.

mod buffers;
mod cache;
mod extents;
mod filesystem;
mod mountpoint;
mod prefix;
mod stride;
mod tree;

use std::ops::Range;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use fuser::{Config, Session, SessionACL};
use futures::FutureExt;
use tokio::runtime::Handle;
use tokio::sync::watch;

use self::buffers::Buffers;
use self::cache::{Cache, Fetch};
use self::filesystem::{ChannelFiles, Readers};
use self::mountpoint::Mountpoint;
use self::prefix::check_prefix;
use self::tree::{Builder, Tree, TreeError};
use crate::catalogue::{Catalogue, Entry, Object, blocking};
use crate::channel::{Channel, Source};
use crate::{DataError, Objects};

pub use self::mountpoint::{available, unmount_all_below};

/// The threads that take the kernel's requests, at the most.
const MOST_THREADS: usize = 4;

/// How much of the objects is kept in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheLimits {
    /// Bytes, for one channel. What waiting readers need at this moment may
    /// come on top.
    pub bytes: u64,
}

impl Default for CacheLimits {
    fn default() -> Self {
        Self { bytes: 64 << 20 }
    }
}

/// A mounted channel. It is unmounted when this is dropped.
#[derive(Debug)]
pub struct Mounted {
    mountpoint: Mountpoint,
    closed: watch::Sender<bool>,
    failure: watch::Receiver<Option<Arc<DataError>>>,
}

impl Mounted {
    /// The first failure of a read that could not be served, once there is one.
    /// The reader was told no more than "input/output error".
    #[must_use]
    pub fn failure(&self) -> watch::Receiver<Option<Arc<DataError>>> {
        self.failure.clone()
    }

    /// Ends the mount, whoever still reads: they get errors at once. A process
    /// that waits in a read cannot even be killed before its read ends, so this
    /// belongs before a kill.
    pub fn unmount(&self) {
        if !self.closed.send_replace(true) {
            self.mountpoint.detach();
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        self.unmount();
    }
}

/// Mounts an instance's part of a channel on a directory. The reads are served
/// on the current runtime, for as long as it lives.
///
/// # Errors
/// When this machine cannot mount, when the channel's source cannot be served in
/// this way, and when the keys are no tree of files.
pub async fn mount(
    objects: &Objects,
    catalogue: &Catalogue,
    channel: &Channel,
    directory: &Path,
    limits: CacheLimits,
) -> Result<Mounted, DataError> {
    let (closed, close) = watch::channel(false);
    let (failure, failures) = watch::channel(None);
    let cache = Cache::new(limits.bytes, fetch_from(objects.clone()), close);
    let runtime = Handle::current();
    let (catalogue, channel) = (catalogue.clone(), channel.clone());
    let directory = directory.to_owned();
    blocking(move || {
        let tree = plant(&catalogue, &channel)?;
        let files = ChannelFiles {
            tree,
            catalogue,
            cache,
            failure,
            runtime,
            mounted: SystemTime::now(),
            readers: Readers::default(),
        };
        let mounting = || DataError::io(format!("mounting {}", directory.display()));
        let directory = directory.canonicalize().map_err(mounting())?;
        let (device, mountpoint) = mountpoint::attach(&directory)?;
        let mounted = Mounted {
            mountpoint,
            closed,
            failure: failures,
        };
        serve(files, device).map_err(mounting())?;
        mountpoint::raise_read_ahead(&directory);
        Ok(mounted)
    })
    .await
}

/// Answers the kernel's requests, on threads that end with the mount.
fn serve(files: ChannelFiles, device: OwnedFd) -> std::io::Result<()> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut config = Config::default();
    config.acl = SessionACL::All;
    config.n_threads = Some(threads.min(MOST_THREADS));
    Session::from_fd(files, device, SessionACL::All, config)?
        .spawn()
        .map(drop)
}

fn fetch_from(objects: Objects) -> Fetch {
    let buffers = Buffers::default();
    Box::new(move |remote, range| {
        let (objects, buffers) = (objects.clone(), buffers.clone());
        async move {
            let Object { bucket, key, .. } = &remote.object;
            let fetched = fetch(&objects, &buffers, &remote.object, range).await;
            fetched.map_err(|error| error.fetching(bucket, key))
        }
        .boxed()
    })
}

async fn fetch(
    objects: &Objects,
    buffers: &Buffers,
    object: &Object,
    range: Range<u64>,
) -> Result<Bytes, DataError> {
    let length = usize::try_from(range.end - range.start).unwrap_or(0);
    let tag = object.etag.as_deref();
    let mut body = objects
        .read_range(&object.bucket, &object.key, range, tag)
        .await?;
    let taken = buffers.take(length);
    let mut buffer = taken.map_err(DataError::io("taking memory for what is read"))?;
    while let Some(chunk) = body.chunk().await? {
        buffer.push(&chunk);
    }
    Ok(buffer.freeze())
}

/// Checks what a mount would check of the channel's keys, for a channel that is
/// downloaded instead.
///
/// # Errors
/// When the channel's source cannot be served in this mode.
pub fn check(catalogue: &Catalogue, channel: &Channel) -> Result<(), DataError> {
    plant(catalogue, channel).map(drop)
}

/// The tree of an instance's part of a channel.
fn plant(catalogue: &Catalogue, channel: &Channel) -> Result<Tree, DataError> {
    let Source::Prefix { prefix, .. } = &channel.source else {
        let why = "FastFile mode supports S3 prefixes only, no manifests";
        return Err(DataError::NoFastFile(why.to_owned()));
    };
    let turn = catalogue.turn(channel.shard, channel.shuffle, 0);
    let mut places: Vec<usize> = turn.positions().collect();
    // A shuffle decides whose a file is; names have no order.
    places.sort_unstable();
    let mut tree = Builder::new();
    for place in places {
        let object = object(catalogue, place)?;
        check_prefix(prefix, [object.key.as_str()])?;
        let size = object.size.ok_or_else(|| unfit(&object, "has no size"))?;
        let entry = u32::try_from(place).map_err(|_| unfit(&object, "is one too many"))?;
        let added = tree.add(&object.path, entry, size);
        added.map_err(|error| in_terms_of_keys(catalogue, error))?;
    }
    tree.finish()
        .map_err(|error| in_terms_of_keys(catalogue, error))
}

fn object(catalogue: &Catalogue, place: usize) -> Result<Object, DataError> {
    match catalogue.entry(place)? {
        Entry::Object(object) => Ok(object),
        Entry::Line(_) => Err(DataError::Protocol("a line of text is no file".to_owned())),
    }
}

fn unfit(object: &Object, why: &str) -> DataError {
    DataError::Protocol(format!("{} in the listing {why}", object.uri()))
}

fn in_terms_of_keys(catalogue: &Catalogue, error: TreeError) -> DataError {
    match error {
        TreeError::Clash { entry } => match object(catalogue, entry as usize) {
            Ok(object) => DataError::Clash(object.uri()),
            Err(error) => error,
        },
        error => DataError::Protocol(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
