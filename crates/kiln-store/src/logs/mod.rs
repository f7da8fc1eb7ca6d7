//! Log groups, streams and events.
//!
//! Events of one stream are kept in one order for ever: by timestamp, then by
//! the number they were appended with. A place in that order is what the log
//! API's tokens name. The number of the last report that was appended is kept
//! per instance in the same transaction as the events, so a delivery that is
//! repeated adds nothing.

mod listing;
mod reading;

use std::path::Path;

use rusqlite::{OptionalExtension, Transaction, params};

use crate::{Database, StoreError};

pub use reading::Sources;

/// Append-only; see [`Database::open`].
const MIGRATIONS: &[&str] = &[STREAMS, GROUPS];

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
    /// The first event's timestamp.
    pub first_event: i64,
    /// The last event's timestamp.
    pub last_event: i64,
    /// When the last event was taken in.
    pub last_ingestion: i64,
}

/// One log group, as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogGroup {
    /// The name.
    pub name: String,
    /// When its first stream was created, epoch milliseconds.
    pub created: i64,
    /// Bytes of messages.
    pub stored_bytes: i64,
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
                let before = delivered(tx, &instance)?;
                let fresh = events.into_iter().filter(|(number, _)| *number > before);
                append(tx, group, &stream, fresh.map(|(_, event)| event), now)?;
                tx.prepare_cached(
                    "INSERT INTO deliveries VALUES (?1, ?2)
                     ON CONFLICT (instance) DO UPDATE SET number = max(number, excluded.number)",
                )?
                .execute(params![instance, last as i64])?;
                Ok(())
            })
            .await
    }

    /// Forgets how far an instance's deliveries came; its events stay.
    ///
    /// # Errors
    /// The database's failure.
    pub async fn forget_instance(&self, instance: &str) -> Result<(), StoreError> {
        let instance = instance.to_owned();
        self.database
            .write(move |tx| {
                tx.prepare_cached("DELETE FROM deliveries WHERE instance = ?1")?
                    .execute([instance])?;
                Ok(())
            })
            .await
    }
}

fn delivered(tx: &Transaction<'_>, instance: &str) -> Result<u64, rusqlite::Error> {
    let number: Option<i64> = tx
        .prepare_cached("SELECT number FROM deliveries WHERE instance = ?1")?
        .query_row([instance], |row| row.get(0))
        .optional()?;
    Ok(number.unwrap_or(0).unsigned_abs())
}

fn append(
    tx: &Transaction<'_>,
    group: &str,
    stream: &str,
    events: impl Iterator<Item = NewEvent>,
    now: i64,
) -> Result<(), rusqlite::Error> {
    let mut events = events.peekable();
    let Some(first) = events.peek().map(|event| event.at) else {
        return Ok(());
    };
    tx.prepare_cached(
        "INSERT INTO streams (log_group, name, created, first_event, last_event, last_ingestion)
         VALUES (?1, ?2, ?3, ?4, ?4, ?3) ON CONFLICT DO NOTHING",
    )?
    .execute(params![group, stream, now, first])?;
    let (id, mut number, mut last): (i64, i64, i64) = tx
        .prepare_cached(
            "SELECT id, appended, last_event FROM streams WHERE log_group = ?1 AND name = ?2",
        )?
        .query_row([group, stream], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
    let mut bytes: i64 = 0;
    let mut insert = tx.prepare_cached("INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for event in events {
        // A clock that steps back must not reorder a stream.
        last = last.max(event.at);
        number += 1;
        bytes += event.message.len() as i64;
        insert.execute(params![id, last, number, now, event.message])?;
    }
    tx.prepare_cached(
        "UPDATE streams SET appended = ?2, last_event = ?3, last_ingestion = ?4 WHERE id = ?1",
    )?
    .execute(params![id, number, last, now])?;
    tx.prepare_cached(
        "INSERT INTO groups VALUES (?1, ?2, ?3)
         ON CONFLICT (name) DO UPDATE SET bytes = bytes + excluded.bytes",
    )?
    .execute(params![group, now, bytes])?;
    Ok(())
}

#[cfg(test)]
mod tests;
