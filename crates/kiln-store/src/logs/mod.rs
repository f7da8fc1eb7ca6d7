//! Log groups, streams and events.
//!
//! Events of one stream are kept in one order for ever: by timestamp, then by
//! the number they were appended with. A place in that order is what the log
//! API's tokens name. The number of the last report that was appended is kept
//! per instance in the same transaction as the events, so a delivery that is
//! repeated adds nothing.
//!
//! Much is never deleted at once, since jobs' lines would wait for that: what a
//! user deletes is out of sight at once, and swept away afterwards, as is what has
//! expired.

mod groups;
mod listing;
mod reading;
mod sweep;
mod tags;

use std::path::Path;

use rusqlite::{Transaction, params};

use crate::{Database, StoreError, deliveries};

pub use reading::Sources;
pub use sweep::expiry;

/// Append-only; see [`Database::open`].
const MIGRATIONS: &[&str] = &[STREAMS, GROUPS, RETENTION];

const STREAMS: &str = "
CREATE TABLE streams (
  id INTEGER PRIMARY KEY,
  log_group TEXT NOT NULL,
  name TEXT NOT NULL,
  created INTEGER NOT NULL,
  first_event INTEGER NOT NULL,
  last_event INTEGER NOT NULL,
  last_ingestion INTEGER NOT NULL,
  appended INTEGER NOT NULL DEFAULT 0,
  UNIQUE (log_group, name)
);
CREATE TABLE events (
  stream INTEGER NOT NULL,
  at INTEGER NOT NULL,
  number INTEGER NOT NULL,
  ingested INTEGER NOT NULL,
  message TEXT NOT NULL,
  PRIMARY KEY (stream, at, number)
) WITHOUT ROWID;
CREATE TABLE deliveries (
  instance TEXT PRIMARY KEY,
  number INTEGER NOT NULL
) WITHOUT ROWID;
";

/// Sums are kept as events come, so that no listing counts messages, and every
/// order that streams are read in has an index.
const GROUPS: &str = "
CREATE TABLE groups (
  name TEXT PRIMARY KEY,
  created INTEGER NOT NULL,
  bytes INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO groups SELECT log_group, min(created),
  (SELECT coalesce(sum(octet_length(message)), 0) FROM events
   WHERE stream IN (SELECT id FROM streams s WHERE s.log_group = g.log_group))
FROM streams g GROUP BY log_group;
CREATE INDEX streams_by_start ON streams (log_group, first_event);
CREATE INDEX streams_by_end ON streams (log_group, last_event, name);
";

/// How long groups keep events, and what each stream holds, so that a deleted one
/// need not be summed. A stream that is to be swept away is in the group without a
/// name, with its number for a name; the indexes let nobody else see it.
const RETENTION: &str = "
ALTER TABLE groups ADD COLUMN retention INTEGER;
ALTER TABLE streams ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
UPDATE streams SET bytes =
  (SELECT coalesce(sum(octet_length(message)), 0) FROM events WHERE stream = streams.id);
CREATE TABLE group_tags (
  log_group TEXT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (log_group, key)
) WITHOUT ROWID;
";

/// The group of streams that are to be swept away; no group is called so.
const DELETED: &str = "";
/// The first event of a stream without any: after all others.
const NO_EVENT: i64 = i64::MAX;

/// One log event on its way in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// When the line was written, epoch milliseconds.
    pub at: i64,
    /// The line.
    pub message: String,
}

/// A stable position in a stream: just after the event with this timestamp and
/// number. Positions order as events do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The timestamp, epoch milliseconds.
    pub at: i64,
    /// The number within the stream, from 1.
    pub number: i64,
}

impl Position {
    /// Before every event.
    pub const START: Self = Self {
        at: i64::MIN,
        number: 0,
    };
    /// After every event.
    pub const END: Self = Self {
        at: i64::MAX,
        number: i64::MAX,
    };
}

/// One stored event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEvent {
    /// The stream's name.
    pub stream: String,
    /// Where it stands.
    pub position: Position,
    /// When it was taken in, epoch milliseconds.
    pub ingested: i64,
    /// The line.
    pub message: String,
}

/// One stream, as a listing shows it. Times are epoch milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogStream {
    /// The name, unique in its group.
    pub name: String,
    /// When it was created.
    pub created: i64,
    /// The first event's timestamp; `None` for a stream that holds no event.
    pub first_event: Option<i64>,
    /// The last event's timestamp; 0 for a stream that never had one.
    pub last_event: i64,
    /// When the last event was taken in; when the stream was created, if never.
    pub last_ingestion: i64,
}

/// One log group, as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogGroup {
    /// The name.
    pub name: String,
    /// When it was created, or its first stream was, epoch milliseconds.
    pub created: i64,
    /// Bytes of messages.
    pub stored_bytes: i64,
    /// For how many days events are kept; `None` means for ever.
    pub retention: Option<u32>,
}

/// Which events of a stream, or of several, are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// At or after, epoch milliseconds.
    pub start: Option<i64>,
    /// Before, epoch milliseconds.
    pub end: Option<i64>,
    /// How many at most.
    pub limit: u32,
    /// Bytes of messages, more or less: reading ends with the event that goes
    /// beyond.
    pub bytes: usize,
}

/// Which way to read a stream from a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Towards newer events.
    Forward,
    /// Towards older events; the answer is still in ascending order.
    Backward,
}

/// The logs in one SQLite file.
#[derive(Debug, Clone)]
pub struct LogStore {
    database: Database,
}

impl LogStore {
    /// Opens or creates the logs' file.
    ///
    /// # Errors
    /// See [`Database::open`].
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self {
            database: Database::open(path, MIGRATIONS)?,
        })
    }

    /// Appends an instance's events numbered up to `last` to a stream, creating
    /// the stream with its first event. `events` carry their report numbers;
    /// those that an earlier delivery brought are left out.
    ///
    /// # Errors
    /// The database's failure.
    pub async fn deliver(
        &self,
        instance: &str,
        group: &'static str,
        stream: &str,
        events: Vec<(u64, NewEvent)>,
        now: i64,
    ) -> Result<(), StoreError> {
        let Some(last) = events.last().map(|(number, _)| *number) else {
            return Ok(());
        };
        let (instance, stream) = (instance.to_owned(), stream.to_owned());
        self.database
            .write(move |tx| {
                let before = deliveries::reached(tx, &instance)?;
                let fresh = events.into_iter().filter(|(number, _)| *number > before);
                append(tx, group, &stream, fresh.map(|(_, event)| event), now)?;
                deliveries::reach(tx, &instance, last)?;
                Ok(())
            })
            .await
    }

    /// The number of the last event of an instance that was taken; 0 before the first.
    ///
    /// # Errors
    /// The database's failure.
    pub fn delivered(&self, instance: &str) -> Result<u64, StoreError> {
        self.database
            .read(|connection| Ok(deliveries::reached(connection, instance)?))
    }

    /// Forgets how far an instance's deliveries came; its events stay.
    ///
    /// # Errors
    /// The database's failure.
    pub async fn forget_instance(&self, instance: &str) -> Result<(), StoreError> {
        let instance = instance.to_owned();
        self.database
            .write(move |tx| Ok(deliveries::forget(tx, &instance)?))
            .await
    }
}

/// Appends a job's events. A clock that steps back must not reorder what a job
/// wrote, nor put anything where a reader has been.
fn append(
    tx: &Transaction<'_>,
    group: &str,
    stream: &str,
    events: impl Iterator<Item = NewEvent>,
    now: i64,
) -> Result<(), rusqlite::Error> {
    let mut events = events.peekable();
    if events.peek().is_none() {
        return Ok(());
    }
    tx.prepare_cached(
        "INSERT INTO groups (name, created, bytes) VALUES (?1, ?2, 0) ON CONFLICT DO NOTHING",
    )?
    .execute(params![group, now])?;
    let stream = OpenStream::open(tx, group, stream, now)?;
    let mut last = stream.last;
    let ordered = events.map(|event| {
        last = last.max(event.at);
        NewEvent { at: last, ..event }
    });
    stream.insert(tx, ordered, now)
}

/// A stream that is being written to.
struct OpenStream<'a> {
    group: &'a str,
    id: i64,
    /// The last event's number and time.
    appended: i64,
    last: i64,
}

impl<'a> OpenStream<'a> {
    /// Finds a stream, or makes it.
    fn open(
        tx: &Transaction<'_>,
        group: &'a str,
        name: &str,
        now: i64,
    ) -> Result<Self, rusqlite::Error> {
        tx.prepare_cached(
            "INSERT INTO streams (log_group, name, created, first_event, last_event, last_ingestion)
             VALUES (?1, ?2, ?3, ?4, 0, ?3) ON CONFLICT DO NOTHING",
        )?
        .execute(params![group, name, now, NO_EVENT])?;
        tx.prepare_cached(
            "SELECT id, appended, last_event FROM streams WHERE log_group = ?1 AND name = ?2",
        )?
        .query_row([group, name], |row| {
            Ok(Self {
                group,
                id: row.get(0)?,
                appended: row.get(1)?,
                last: row.get(2)?,
            })
        })
    }

    /// Adds events, and counts them for the stream and its group.
    fn insert(
        self,
        tx: &Transaction<'_>,
        events: impl Iterator<Item = NewEvent>,
        now: i64,
    ) -> Result<(), rusqlite::Error> {
        let (mut number, mut bytes) = (self.appended, 0);
        let (mut first, mut last) = (NO_EVENT, self.last);
        let mut insert = tx.prepare_cached("INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5)")?;
        for event in events {
            first = first.min(event.at);
            last = last.max(event.at);
            number += 1;
            bytes += event.message.len() as i64;
            insert.execute(params![self.id, event.at, number, now, event.message])?;
        }
        tx.prepare_cached(
            "UPDATE streams SET appended = ?2, first_event = min(first_event, ?3), last_event = ?4,
               last_ingestion = ?5, bytes = bytes + ?6 WHERE id = ?1",
        )?
        .execute(params![self.id, number, first, last, now, bytes])?;
        tx.prepare_cached("UPDATE groups SET bytes = bytes + ?2 WHERE name = ?1")?
            .execute(params![self.group, bytes])?;
        Ok(())
    }
}

#[cfg(test)]
mod sweep_tests;
#[cfg(test)]
mod tests;
