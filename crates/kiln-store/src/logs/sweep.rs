//! The sweep: deletes what has expired or was deleted, a little at a time.

use rusqlite::{OptionalExtension, Transaction, params};

use super::{DELETED, LogStore, NO_EVENT, Position};
use crate::StoreError;

/// Events that one transaction deletes at most: jobs' lines wait for it.
const BATCH: u32 = 1000;
/// Bytes of their messages, more or less.
const BATCH_BYTES: i64 = 4 << 20;
/// A day in milliseconds.
const DAY: i64 = 86_400_000;

/// The time that events must be older than to have expired, when they are kept
/// for so many days.
#[must_use]
pub fn expiry(days: u32, now: i64) -> i64 {
    now - i64::from(days) * DAY
}

/// Events that are to be deleted: those of a stream before a time.
struct Doomed {
    stream: i64,
    before: i64,
    /// The group that counts them, if it is still there.
    group: Option<String>,
}

impl LogStore {
    /// Deletes some of what has expired or was deleted; whether there may be more.
    ///
    /// # Errors
    /// The database's failure.
    pub async fn sweep(&self, now: i64) -> Result<bool, StoreError> {
        // Most of the time there is nothing, and nothing should be written then.
        let found = self.database.read(|connection| {
            Ok::<_, StoreError>(match deleted(connection)? {
                Some(doomed) => Some(doomed),
                None => expired(connection, now)?,
            })
        })?;
        let Some(doomed) = found else {
            return Ok(false);
        };
        self.database
            .write(move |tx| {
                doomed.delete_some(tx)?;
                Ok::<_, StoreError>(())
            })
            .await?;
        Ok(true)
    }
}

fn deleted(connection: &rusqlite::Connection) -> Result<Option<Doomed>, rusqlite::Error> {
    connection
        .prepare_cached("SELECT id FROM streams WHERE log_group = ?1 LIMIT 1")?
        .query_row([DELETED], |row| {
            Ok(Doomed {
                stream: row.get(0)?,
                before: i64::MAX,
                group: None,
            })
        })
        .optional()
}

fn expired(connection: &rusqlite::Connection, now: i64) -> Result<Option<Doomed>, rusqlite::Error> {
    connection
        .prepare_cached(
            "SELECT s.id, ?1 - g.retention * ?2, g.name FROM groups g JOIN streams s
             ON s.log_group = g.name AND s.first_event < ?1 - g.retention * ?2
             WHERE g.retention IS NOT NULL LIMIT 1",
        )?
        .query_row([now, DAY], |row| {
            Ok(Doomed {
                stream: row.get(0)?,
                before: row.get(1)?,
                group: row.get(2)?,
            })
        })
        .optional()
}

impl Doomed {
    fn delete_some(&self, tx: &Transaction<'_>) -> Result<(), rusqlite::Error> {
        let (last, bytes) = self.first_batch(tx)?;
        tx.prepare_cached(
            "DELETE FROM events WHERE stream = ?1 AND (at, number) <= (?2, ?3) AND at < ?4",
        )?
        .execute(params![self.stream, last.at, last.number, self.before])?;
        let first: Option<i64> = tx
            .prepare_cached("SELECT at FROM events WHERE stream = ?1 ORDER BY at, number LIMIT 1")?
            .query_row([self.stream], |row| row.get(0))
            .optional()?;
        match &self.group {
            Some(group) => self.settle(tx, group, bytes, first),
            None if first.is_some() => Ok(()),
            None => tx
                .prepare_cached("DELETE FROM streams WHERE id = ?1")?
                .execute([self.stream])
                .map(drop),
        }
    }

    /// The last event of the first that go, and the bytes of them all.
    fn first_batch(&self, tx: &Transaction<'_>) -> Result<(Position, i64), rusqlite::Error> {
        let mut query = tx.prepare_cached(
            "SELECT at, number, octet_length(message) FROM events
             WHERE stream = ?1 AND at < ?2 ORDER BY at, number LIMIT ?3",
        )?;
        let mut rows = query.query(params![self.stream, self.before, BATCH])?;
        let (mut last, mut bytes) = (Position::START, 0);
        while bytes < BATCH_BYTES
            && let Some(row) = rows.next()?
        {
            last = Position {
                at: row.get(0)?,
                number: row.get(1)?,
            };
            bytes += row.get::<_, i64>(2)?;
        }
        Ok((last, bytes))
    }

    /// Writes down what the stream and its group still hold.
    fn settle(
        &self,
        tx: &Transaction<'_>,
        group: &str,
        bytes: i64,
        first: Option<i64>,
    ) -> Result<(), rusqlite::Error> {
        tx.prepare_cached("UPDATE streams SET bytes = bytes - ?2, first_event = ?3 WHERE id = ?1")?
            .execute(params![self.stream, bytes, first.unwrap_or(NO_EVENT)])?;
        tx.prepare_cached("UPDATE groups SET bytes = bytes - ?2 WHERE name = ?1")?
            .execute(params![group, bytes])?;
        Ok(())
    }
}
