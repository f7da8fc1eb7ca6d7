//! Log groups, streams and events.
//!
//! Events of one stream are kept in one order for ever: by timestamp, then by
//! the number they were appended with. A place in that order is what the log
//! API's tokens name. The number of the last report that was appended is kept
//! per instance in the same transaction as the events, so a delivery that is
//! repeated adds nothing.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::{Database, StoreError};

const MIGRATIONS: &[&str] = &["
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
"];

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

    /// Every group whose name starts with `prefix`, by name.
    ///
    /// # Errors
    /// The database's failure.
    pub fn groups(&self, prefix: &str) -> Result<Vec<LogGroup>, StoreError> {
        self.database.read(|connection| {
            let mut query = connection.prepare_cached(
                "SELECT log_group, min(created),
                   (SELECT coalesce(sum(length(CAST(message AS BLOB))), 0) FROM events
                    WHERE stream IN (SELECT id FROM streams s WHERE s.log_group = g.log_group))
                 FROM streams g WHERE substr(log_group, 1, length(?1)) = ?1
                 GROUP BY log_group ORDER BY log_group",
            )?;
            let rows = query.query_map([prefix], |row| {
                Ok(LogGroup {
                    name: row.get(0)?,
                    created: row.get(1)?,
                    stored_bytes: row.get(2)?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Whether the group exists.
    ///
    /// # Errors
    /// The database's failure.
    pub fn group_exists(&self, group: &str) -> Result<bool, StoreError> {
        self.database.read(|connection| {
            let mut query =
                connection.prepare_cached("SELECT 1 FROM streams WHERE log_group = ?1 LIMIT 1")?;
            Ok(query.exists([group])?)
        })
    }

    /// The group's streams whose names start with `prefix`, by name, beyond the
    /// name `after`.
    ///
    /// # Errors
    /// The database's failure.
    pub fn streams(
        &self,
        group: &str,
        prefix: &str,
        after: Option<&str>,
        descending: bool,
        limit: u32,
    ) -> Result<Vec<LogStream>, StoreError> {
        let (beyond, order) = if descending {
            ('<', "DESC")
        } else {
            ('>', "ASC")
        };
        self.database.read(|connection| {
            let mut query = connection.prepare_cached(&format!(
                "SELECT name, created, first_event, last_event, last_ingestion FROM streams
                 WHERE log_group = ?1 AND name >= ?2 AND substr(name, 1, length(?2)) = ?2
                   AND (?3 IS NULL OR name {beyond} ?3) ORDER BY name {order} LIMIT ?4"
            ))?;
            let rows = query.query_map(params![group, prefix, after, limit], stream)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// All of the group's streams, latest event first unless `ascending`.
    ///
    /// # Errors
    /// The database's failure.
    pub fn streams_by_time(
        &self,
        group: &str,
        ascending: bool,
        offset: u32,
        limit: u32,
    ) -> Result<Vec<LogStream>, StoreError> {
        let order = if ascending { "ASC" } else { "DESC" };
        self.database.read(|connection| {
            let mut query = connection.prepare_cached(&format!(
                "SELECT name, created, first_event, last_event, last_ingestion FROM streams
                 WHERE log_group = ?1 ORDER BY last_event {order}, name {order} LIMIT ?2 OFFSET ?3"
            ))?;
            let rows = query.query_map(params![group, limit, offset], stream)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Events of one stream from a position on, in ascending order; `None` when
    /// there is no such stream.
    ///
    /// # Errors
    /// The database's failure.
    pub fn events(
        &self,
        group: &str,
        stream: &str,
        from: Position,
        direction: Direction,
        window: Window,
    ) -> Result<Option<Vec<LogEvent>>, StoreError> {
        self.database.read(|connection| {
            let Some(id) = stream_id(connection, group, stream)? else {
                return Ok(None);
            };
            let (beyond, order) = match direction {
                Direction::Forward => ('>', "ASC"),
                Direction::Backward => ('<', "DESC"),
            };
            let mut query = connection.prepare_cached(&format!(
                "SELECT at, number, ingested, message FROM events
                 WHERE stream = ?1 AND (at, number) {beyond} (?2, ?3) AND at >= ?4 AND at < ?5
                 ORDER BY at {order}, number {order} LIMIT ?6"
            ))?;
            let (start, end) = bounds(window);
            let values = params![id, from.at, from.number, start, end, window.limit];
            let rows = query.query_map(values, |row| event(row, stream))?;
            let mut events: Vec<_> = rows.collect::<Result<_, _>>()?;
            if direction == Direction::Backward {
                events.reverse();
            }
            Ok(Some(events))
        })
    }

    /// Events of several streams, merged in order of time, then of stream name,
    /// after the given event of the given stream.
    ///
    /// # Errors
    /// The database's failure.
    pub fn merged(
        &self,
        group: &str,
        streams: &[String],
        after: Option<(&str, Position)>,
        window: Window,
    ) -> Result<Vec<LogEvent>, StoreError> {
        let mut merged = Vec::new();
        for name in streams {
            let from = match after {
                None => Position::START,
                Some((last, position)) => resume(name, last, position),
            };
            let events = self.events(group, name, from, Direction::Forward, window)?;
            merged.extend(events.into_iter().flatten());
        }
        merged.sort_by(|a, b| {
            let key = |e: &LogEvent| (e.position.at, e.stream.clone(), e.position.number);
            key(a).cmp(&key(b))
        });
        merged.truncate(window.limit as usize);
        Ok(merged)
    }
}

/// Where a merged read goes on in stream `name`, given the last event that was
/// shown: order is by time, then stream, then number.
fn resume(name: &str, last: &str, position: Position) -> Position {
    match name.cmp(last) {
        std::cmp::Ordering::Less => Position {
            at: position.at,
            number: i64::MAX,
        },
        std::cmp::Ordering::Equal => position,
        std::cmp::Ordering::Greater => Position {
            at: position.at,
            number: 0,
        },
    }
}

fn bounds(window: Window) -> (i64, i64) {
    (
        window.start.unwrap_or(i64::MIN),
        window.end.unwrap_or(i64::MAX),
    )
}

fn delivered(tx: &Transaction<'_>, instance: &str) -> Result<u64, rusqlite::Error> {
    let number: Option<i64> = tx
        .prepare_cached("SELECT number FROM deliveries WHERE instance = ?1")?
        .query_row([instance], |row| row.get(0))
        .optional()?;
    Ok(number.unwrap_or(0).unsigned_abs())
}

fn stream_id(
    connection: &Connection,
    group: &str,
    name: &str,
) -> Result<Option<i64>, rusqlite::Error> {
    connection
        .prepare_cached("SELECT id FROM streams WHERE log_group = ?1 AND name = ?2")?
        .query_row([group, name], |row| row.get(0))
        .optional()
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
    let mut insert = tx.prepare_cached("INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for event in events {
        // A clock that steps back must not reorder a stream.
        last = last.max(event.at);
        number += 1;
        insert.execute(params![id, last, number, now, event.message])?;
    }
    tx.prepare_cached(
        "UPDATE streams SET appended = ?2, last_event = ?3, last_ingestion = ?4 WHERE id = ?1",
    )?
    .execute(params![id, number, last, now])?;
    Ok(())
}

fn stream(row: &rusqlite::Row<'_>) -> Result<LogStream, rusqlite::Error> {
    Ok(LogStream {
        name: row.get(0)?,
        created: row.get(1)?,
        first_event: row.get(2)?,
        last_event: row.get(3)?,
        last_ingestion: row.get(4)?,
    })
}

fn event(row: &rusqlite::Row<'_>, stream: &str) -> Result<LogEvent, rusqlite::Error> {
    Ok(LogEvent {
        stream: stream.to_owned(),
        position: Position {
            at: row.get(0)?,
            number: row.get(1)?,
        },
        ingested: row.get(2)?,
        message: row.get(3)?,
    })
}

#[cfg(test)]
#[path = "logs_tests.rs"]
mod tests;
