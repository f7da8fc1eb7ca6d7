//! An object stored in parts, several at a time.
//!
//! The object appears whole or not at all. An upload that is not completed is
//! forgotten, also when who waits for it goes away.

use std::convert::Infallible;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, TryStreamExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::journal::{Journal, Turn, Unwritten};
use crate::{DataError, Objects};

/// Parts sent at a time.
const IN_FLIGHT: usize = 4;
/// How long the store is asked to forget an upload. One that it does not forget
/// holds no object, only room.
const TO_FORGET: Duration = Duration::from_secs(10);
const MIB: usize = 1 << 20;

/// How much of what is to be sent may be in memory at once.
#[derive(Debug, Clone)]
pub(crate) struct Room {
    mebibytes: u32,
    free: Arc<Semaphore>,
}

impl Room {
    pub fn new(mebibytes: u32) -> Self {
        Self {
            mebibytes,
            free: Arc::new(Semaphore::new(mebibytes as usize)),
        }
    }

    /// Waits until there is room for so many bytes, which stays taken until the
    /// answer is dropped. More than all there is gets all there is.
    pub async fn take(&self, bytes: usize) -> Result<OwnedSemaphorePermit, DataError> {
        let wanted = u32::try_from(bytes.div_ceil(MIB)).unwrap_or(u32::MAX);
        let wanted = wanted.clamp(1, self.mebibytes);
        let taken = Arc::clone(&self.free).acquire_many_owned(wanted).await;
        taken.map_err(|error| DataError::Unreachable(error.to_string()))
    }
}

/// A part, and the room that it takes.
pub(crate) struct Part {
    pub body: Bytes,
    pub room: OwnedSemaphorePermit,
}

/// Parts on their way, in order.
pub(crate) type Parts<'a> = BoxStream<'a, Result<Part, DataError>>;

/// Stores parts that arrive in order as one object, and answers its size.
pub(crate) async fn store_parts(
    objects: &Objects,
    target: (&str, &str),
    parts: Parts<'_>,
) -> Result<u64, DataError> {
    let never = std::future::pending::<Infallible>();
    match store_parts_unless(objects, target, parts, &Unwritten, never).await? {
        ControlFlow::Continue(size) => Ok(size),
        ControlFlow::Break(never) => match never {},
    }
}

/// The same, with its turns written down, unless it is called off before all parts are with
/// the store: then nothing of it is left when this returns.
pub(crate) async fn store_parts_unless<C>(
    objects: &Objects,
    target: (&str, &str),
    parts: Parts<'_>,
    journal: &dyn Journal,
    called_off: impl Future<Output = C>,
) -> Result<ControlFlow<C, u64>, DataError> {
    journal.intend(target.1).map_err(unwritten())?;
    let upload = Upload::begin(objects, target).await?;
    let settled = upload.see_through(parts, journal, called_off).await;
    match &settled {
        Ok(ControlFlow::Continue(_)) => upload.done(),
        _ => upload.forget().await,
    }
    settled
}

/// An upload that has begun.
struct Upload {
    objects: Objects,
    bucket: String,
    key: String,
    /// Empty when there is nothing to forget any more.
    id: String,
}

impl Upload {
    async fn begin(objects: &Objects, (bucket, key): (&str, &str)) -> Result<Self, DataError> {
        Ok(Self {
            id: objects.begin_upload(bucket, key).await?,
            objects: objects.clone(),
            bucket: bucket.to_owned(),
            key: key.to_owned(),
        })
    }

    async fn see_through<C>(
        &self,
        parts: Parts<'_>,
        journal: &dyn Journal,
        called_off: impl Future<Output = C>,
    ) -> Result<ControlFlow<C, u64>, DataError> {
        let note = |turn| {
            let noted = journal.note(turn, &self.key, &self.id);
            noted.map_err(unwritten())
        };
        note(Turn::Begun)?;
        let sent = tokio::select! {
            biased;
            why = called_off => return Ok(ControlFlow::Break(why)),
            sent = self.send_all(parts) => sent?,
        };
        note(Turn::Completing)?;
        let size = self.complete(sent).await?;
        note(Turn::Completed)?;
        Ok(ControlFlow::Continue(size))
    }

    /// Sends all parts, and answers the tag and the size of each.
    async fn send_all(&self, parts: Parts<'_>) -> Result<Vec<(String, u64)>, DataError> {
        parts
            .enumerate()
            .map(|(index, part)| async move { self.send(index, part?).await }.boxed())
            .buffered(IN_FLIGHT)
            .try_collect()
            .await
    }

    async fn complete(&self, sent: Vec<(String, u64)>) -> Result<u64, DataError> {
        let (tags, sizes): (Vec<String>, Vec<u64>) = sent.into_iter().unzip();
        let target = (self.bucket.as_str(), self.key.as_str());
        self.objects
            .complete_upload(target, &self.id, &tags)
            .await?;
        Ok(sizes.iter().sum())
    }

    async fn send(&self, index: usize, part: Part) -> Result<(String, u64), DataError> {
        let target = (self.bucket.as_str(), self.key.as_str());
        let number = u16::try_from(index + 1).map_err(|_| {
            DataError::Protocol("an object cannot have more than 10,000 parts".to_owned())
        })?;
        let Part { body, room } = part;
        let size = body.len() as u64;
        let sent = self.objects.upload_part(target, &self.id, number, body);
        let tag = sent.await?;
        drop(room);
        Ok((tag, size))
    }

    fn done(mut self) {
        self.id.clear();
    }

    async fn forget(mut self) {
        let id = std::mem::take(&mut self.id);
        forget(&self.objects, (&self.bucket, &self.key), &id).await;
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if self.id.is_empty() {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let objects = self.objects.clone();
            let (bucket, key) = (self.bucket.clone(), self.key.clone());
            let id = std::mem::take(&mut self.id);
            runtime.spawn(async move { forget(&objects, (&bucket, &key), &id).await });
        }
    }
}

fn unwritten() -> impl FnOnce(std::io::Error) -> DataError {
    DataError::io("writing down the state of an upload")
}

async fn forget(objects: &Objects, target: (&str, &str), id: &str) {
    let forgotten = objects.abort_upload(target, id);
    match tokio::time::timeout(TO_FORGET, forgotten).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "an upload that was not completed stays"),
        Err(_) => tracing::debug!("an upload that was not completed may stay"),
    }
}
