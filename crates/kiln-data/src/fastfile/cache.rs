//! Parts of objects in memory, shared by all readers of a mount.
//!
//! A part that several readers want is fetched once: the first asks for it, the
//! others wait for the same body. A part that could not be fetched is forgotten,
//! so that the next reader asks anew. When the cache is closed, whoever waits
//! is told so at once and nothing more is fetched.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::extents::Extents;
use super::stride::Plan;
use crate::DataError;
use crate::catalogue::Object;

/// A file's object, as it was listed.
#[derive(Debug)]
pub struct Remote {
    /// Which file of the mount.
    pub file: u32,
    /// The object behind it.
    pub object: Object,
    /// Its size in bytes.
    pub size: u64,
}

/// Fetches a range of a file's object.
pub type Fetch = Box<
    dyn Fn(Arc<Remote>, Range<u64>) -> BoxFuture<'static, Result<Bytes, DataError>> + Send + Sync,
>;

/// `None` until the body has come or failed to.
type Body = Option<Result<Bytes, Arc<DataError>>>;

/// Why bytes are not there.
#[derive(Debug, Clone)]
pub enum Missing {
    /// They could not be fetched.
    Failed(Arc<DataError>),
    /// The cache was closed.
    Closed,
}

/// The parts in memory, and those on their way.
pub struct Cache {
    fetch: Fetch,
    runtime: Handle,
    closed: watch::Receiver<bool>,
    capacity: u64,
    /// Readers that are reading whole files.
    long_readers: AtomicU64,
    extents: Mutex<Extents<watch::Receiver<Body>>>,
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache")
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}

impl Cache {
    /// An empty cache of at most `capacity` bytes, which fetches on the current
    /// runtime until `closed` becomes true.
    pub fn new(capacity: u64, fetch: Fetch, closed: watch::Receiver<bool>) -> Arc<Self> {
        Arc::new(Self {
            fetch,
            runtime: Handle::current(),
            closed,
            capacity,
            long_readers: AtomicU64::new(0),
            extents: Mutex::new(Extents::new(capacity)),
        })
    }

    /// What one sequential reader may have fetched ahead: half of the cache is
    /// for that, in equal parts.
    pub fn share(&self) -> u64 {
        self.capacity / 2 / self.long_readers.load(Ordering::Relaxed).max(1)
    }

    /// Counts one more reader of a whole file, for as long as the answer lives.
    pub fn long_reader(self: &Arc<Self>) -> LongReader {
        self.long_readers.fetch_add(1, Ordering::Relaxed);
        LongReader(Arc::clone(self))
    }

    /// The parts that make up a range of a file. What is not there is asked for,
    /// as the plan says, and so is what the plan wants ahead.
    pub fn read(self: &Arc<Self>, remote: &Arc<Remote>, read: Range<u64>, plan: &Plan) -> Parts {
        let mut extents = self.extents();
        let file = remote.file;
        let mut parts = Vec::with_capacity(1);
        let mut at = read.start;
        while at < read.end {
            let held = extents
                .at(file, at)
                .map(|(stretch, body)| (stretch, body.clone()));
            let (stretch, body) = held.unwrap_or_else(|| {
                let free = extents.free_around(file, at, plan.now.clone());
                // A reader that waits gets what it needs, even beyond the bound.
                extents.make_room(free.end - free.start);
                (free.clone(), self.ask(&mut extents, remote, free))
            });
            let end = stretch.end.min(read.end);
            let place = (file, stretch.start);
            match plan.straight && end == stretch.end {
                true => extents.spend(place),
                false => extents.touch(place),
            }
            parts.push(Part {
                within: (at - stretch.start) as usize..(end - stretch.start) as usize,
                body,
            });
            at = end;
        }
        self.ask_ahead(&mut extents, remote, plan);
        Parts(parts)
    }

    fn ask_ahead(
        self: &Arc<Self>,
        extents: &mut Extents<watch::Receiver<Body>>,
        remote: &Arc<Remote>,
        plan: &Plan,
    ) {
        let mut at = plan.ahead.start;
        while at < plan.ahead.end {
            if let Some((stretch, _)) = extents.at(remote.file, at) {
                at = stretch.end;
                continue;
            }
            let body = at..plan.ahead.end.min(at + plan.body);
            let free = extents.free_around(remote.file, at, body);
            if !extents.make_room(free.end - free.start) {
                return;
            }
            at = free.end;
            self.ask(extents, remote, free);
        }
    }

    /// Begins to fetch a free stretch.
    fn ask(
        self: &Arc<Self>,
        extents: &mut Extents<watch::Receiver<Body>>,
        remote: &Arc<Remote>,
        stretch: Range<u64>,
    ) -> watch::Receiver<Body> {
        let (sender, body) = watch::channel(None);
        extents.insert(remote.file, stretch.clone(), body.clone());
        let (cache, remote) = (Arc::clone(self), Arc::clone(remote));
        self.runtime.spawn(async move {
            let place = (remote.file, stretch.start);
            let outcome = cache.fetch_whole(remote, stretch).await;
            match &outcome {
                Some(Ok(_)) => cache.extents().settle(place),
                _ => cache.extents().remove(place),
            }
            // Nobody may be waiting.
            sender.send_replace(outcome.map(|body| body.map_err(Arc::new)));
        });
        body
    }

    /// `None` when the cache was closed before the body came.
    async fn fetch_whole(
        &self,
        remote: Arc<Remote>,
        stretch: Range<u64>,
    ) -> Option<Result<Bytes, DataError>> {
        let wanted = stretch.end - stretch.start;
        let mut closed = self.closed.clone();
        let body = tokio::select! {
            _ = closed.wait_for(|closed| *closed) => return None,
            body = (self.fetch)(remote, stretch) => body,
        };
        Some(body.and_then(|body| match body.len() as u64 == wanted {
            true => Ok(body),
            false => Err(DataError::Protocol(format!(
                "{} bytes were asked for and {} came",
                wanted,
                body.len()
            ))),
        }))
    }

    fn extents(&self) -> MutexGuard<'_, Extents<watch::Receiver<Body>>> {
        self.extents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A reader of a whole file, while it lives.
#[derive(Debug)]
pub struct LongReader(Arc<Cache>);

impl Drop for LongReader {
    fn drop(&mut self) {
        self.0.long_readers.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Debug)]
struct Part {
    within: Range<usize>,
    body: watch::Receiver<Body>,
}

/// The parts of one read, in order.
#[derive(Debug)]
pub struct Parts(Vec<Part>);

impl Parts {
    /// The bytes, if every part has come or failed to; without a copy when it
    /// is one part.
    pub fn peek(&self) -> Option<Result<Bytes, Missing>> {
        if let [part] = self.0.as_slice() {
            return part.peek();
        }
        let mut whole = Vec::with_capacity(self.0.iter().map(|part| part.within.len()).sum());
        for part in &self.0 {
            match part.peek()? {
                Ok(bytes) => whole.extend_from_slice(&bytes),
                Err(missing) => return Some(Err(missing)),
            }
        }
        Some(Ok(whole.into()))
    }

    /// Waits for the parts.
    ///
    /// # Errors
    /// When a part could not be fetched.
    pub async fn join(mut self) -> Result<Bytes, Missing> {
        for part in &mut self.0 {
            let settled = part.body.wait_for(Option::is_some).await;
            settled.map_err(|_| Missing::Closed)?;
        }
        self.peek().unwrap_or(Err(Missing::Closed))
    }
}

impl Part {
    fn peek(&self) -> Option<Result<Bytes, Missing>> {
        match self.body.borrow().as_ref()? {
            Ok(body) => Some(Ok(body.slice(self.within.clone()))),
            Err(error) => Some(Err(Missing::Failed(Arc::clone(error)))),
        }
    }
}

#[cfg(test)]
#[path = "tests/cache.rs"]
mod tests;
