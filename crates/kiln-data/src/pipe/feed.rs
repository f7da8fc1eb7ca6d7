//! The bytes of an epoch, in order, fetched ahead of their turn.
//!
//! The next objects are fetched at the same time, each by a task of its own that
//! may run ahead by a fixed number of bytes. Since every task has its own room
//! and the first never waits for another, they cannot hold each other up, and
//! memory stays bounded whatever the objects' sizes are.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinHandle;

use super::payload::{self, Presentation};
use super::poured::FileBody;
use crate::catalogue::{Entry, Object, Piece};
use crate::{DataError, Objects};

/// Objects and values fetched at a time.
const AHEAD: usize = 16;
/// Bytes that each of them may be ahead.
const ROOM: usize = 1 << 20;

/// The bytes of the entries that an iterator gives.
pub(super) struct Feed<I> {
    objects: Objects,
    entries: I,
    presentation: Presentation,
    spool_directory: PathBuf,
    /// Pieces of an entry that are not fetched yet.
    pieces: VecDeque<Wanted>,
    ahead: VecDeque<Ahead>,
}

impl<I: Iterator<Item = Result<Entry, DataError>>> Feed<I> {
    pub(super) fn new(
        objects: Objects,
        entries: I,
        presentation: Presentation,
        spool_directory: PathBuf,
    ) -> Self {
        Self {
            objects,
            entries,
            presentation,
            spool_directory,
            pieces: VecDeque::new(),
            ahead: VecDeque::new(),
        }
    }

    /// The next bytes; `None` at the end. Dropping the future loses none.
    pub(super) async fn next(&mut self) -> Result<Option<Portion>, DataError> {
        loop {
            self.fetch_ahead()?;
            let Some(first) = self.ahead.front_mut() else {
                return Ok(None);
            };
            match first.next().await? {
                Some(portion) => return Ok(Some(portion)),
                None => drop(self.ahead.pop_front()),
            }
        }
    }

    fn fetch_ahead(&mut self) -> Result<(), DataError> {
        while self.ahead.len() < AHEAD {
            let Some(piece) = self.next_piece()? else {
                break;
            };
            let ahead = match piece {
                Wanted::Text(text) => {
                    Ahead::Ready(payload::of_text(text, self.presentation).into())
                }
                Wanted::Object { bucket, key, size } => {
                    Ahead::Fetched(self.fetch(bucket, key, size))
                }
            };
            self.ahead.push_back(ahead);
        }
        if let Some(Ahead::Fetched(first)) = self.ahead.front() {
            first.foremost.notify_one();
        }
        Ok(())
    }

    fn next_piece(&mut self) -> Result<Option<Wanted>, DataError> {
        loop {
            if let Some(piece) = self.pieces.pop_front() {
                return Ok(Some(piece));
            }
            match self.entries.next().transpose()? {
                None => return Ok(None),
                Some(Entry::Line(pieces)) => {
                    self.pieces.extend(pieces.into_iter().map(Wanted::from));
                }
                Some(Entry::Object(object)) => return Ok(Some(object.into())),
            }
        }
    }

    fn fetch(&self, bucket: String, key: String, size: Option<u64>) -> Fetch {
        let (sender, portions) = unbounded_channel();
        let room = Arc::new(Semaphore::new(ROOM));
        let foremost = Arc::new(Notify::new());
        let mut outlet = Outlet {
            portions: sender,
            room: room.clone(),
            foremost: foremost.clone(),
        };
        let (objects, presentation) = (self.objects.clone(), self.presentation);
        let spool = self.spool_directory.clone();
        let task = tokio::spawn(async move {
            let object = (bucket.as_str(), key.as_str(), size);
            payload::send_object(&objects, object, presentation, spool, &mut outlet).await
        });
        Fetch {
            portions,
            room,
            foremost,
            task,
        }
    }
}

/// What goes into the pipe in its turn.
enum Wanted {
    Text(String),
    Object {
        bucket: String,
        key: String,
        /// As it was listed; a manifest says none.
        size: Option<u64>,
    },
}

impl From<Piece> for Wanted {
    fn from(piece: Piece) -> Self {
        match piece {
            Piece::Text(text) => Self::Text(text),
            Piece::Object { bucket, key } => Self::Object {
                bucket,
                key,
                size: None,
            },
        }
    }
}

impl From<Object> for Wanted {
    fn from(object: Object) -> Self {
        Self::Object {
            bucket: object.bucket,
            key: object.key,
            size: object.size,
        }
    }
}

/// What goes into the pipe next.
pub(super) enum Portion {
    Bytes(Bytes),
    /// A whole object, whose file is on this machine.
    File(Box<FileBody>),
}

/// What is there, or on its way, for one object or value.
enum Ahead {
    Ready(VecDeque<Bytes>),
    Fetched(Fetch),
}

impl Ahead {
    async fn next(&mut self) -> Result<Option<Portion>, DataError> {
        match self {
            Self::Ready(chunks) => Ok(chunks.pop_front().map(Portion::Bytes)),
            Self::Fetched(fetch) => fetch.next().await,
        }
    }
}

/// An object that a task fetches. Dropped, the task ends.
struct Fetch {
    portions: UnboundedReceiver<Portion>,
    room: Arc<Semaphore>,
    foremost: Arc<Notify>,
    task: JoinHandle<Result<(), DataError>>,
}

impl Fetch {
    async fn next(&mut self) -> Result<Option<Portion>, DataError> {
        if let Some(portion) = self.portions.recv().await {
            if let Portion::Bytes(bytes) = &portion {
                self.room.add_permits(bytes.len());
            }
            return Ok(Some(portion));
        }
        // No more bytes come, but whether they were all only the task can say.
        match (&mut self.task).await {
            Ok(outcome) => outcome.map(|()| None),
            Err(error) => Err(DataError::io("fetching ahead")(std::io::Error::other(
                error,
            ))),
        }
    }
}

impl Drop for Fetch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Where a task puts the bytes of its object.
pub(super) struct Outlet {
    portions: UnboundedSender<Portion>,
    room: Arc<Semaphore>,
    foremost: Arc<Notify>,
}

impl Outlet {
    /// Waits for room and sends the bytes. They go nowhere when nobody waits for
    /// them any more, and then the task is about to end.
    pub(super) async fn send(&mut self, mut bytes: Bytes) {
        while !bytes.is_empty() {
            let part = bytes.split_to(bytes.len().min(ROOM));
            // A part is no longer than the room, and the room is never closed.
            if let Ok(room) = self.room.acquire_many(part.len() as u32).await {
                room.forget();
            }
            let _ = self.portions.send(Portion::Bytes(part));
        }
    }

    pub(super) async fn send_all(&mut self, bytes: Vec<Bytes>) {
        for bytes in bytes {
            self.send(bytes).await;
        }
    }

    /// Sends a body that takes no room, for it stays where it is until its turn.
    pub(super) fn send_file(&mut self, body: FileBody) {
        let _ = self.portions.send(Portion::File(Box::new(body)));
    }

    /// Waits until these bytes are the next that are needed.
    pub(super) async fn foremost(&mut self) {
        self.foremost.notified().await;
    }
}
