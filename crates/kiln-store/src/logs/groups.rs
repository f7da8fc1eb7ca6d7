//! What users do with groups and streams: make them, write to them, say how long
//! their events are kept, and delete them.

use rusqlite::{Transaction, params};

use super::{DELETED, LogStore, NO_EVENT, NewEvent, OpenStream};
use crate::StoreError;

impl LogStore {
    /// Makes a group; whether there was none.
    ///
    /// # Errors
    /// The database's failure.
    pub async fn create_group(&self, group: &str, now: i64) -> Result<bool, StoreError> {
        let group = group.to_owned();
        self.database
            .write(move |tx| {
                let made = tx.execute(
                    "INSERT INTO groups (name, created, bytes) VALUES (?1, ?2, 0)
                     ON CONFLICT DO NOTHING",
                    params![group, now],
                )?;
                Ok(made > 0)
            })
            .await
    }

    /// Makes a stream without events; whether there was none.
    ///
    /// # Errors
    /// [`StoreError::NoSuchResource`] without the group, or the database's failure.
    pub async fn create_stream(
        &self,
        group: &str,
        stream: &str,
        now: i64,
    ) -> Result<bool, StoreError> {
        let (group, stream) = (group.to_owned(), stream.to_owned());
        self.database
            .write(move |tx| {
                require_group(tx, &group)?;
                let made = tx.execute(
                    "INSERT INTO streams
                       (log_group, name, created, first_event, last_event, last_ingestion)
                     VALUES (?1, ?2, ?3, ?4, 0, ?3) ON CONFLICT DO NOTHING",
                    params![group, stream, now, NO_EVENT],
                )?;
                Ok(made > 0)
            })
            .await
    }

    /// Writes events to a stream that exists, at their own times; whether it does.
    ///
    /// # Errors
    /// The database's failure.
    pub async fn put(
        &self,
        group: &str,
        stream: &str,
        events: Vec<NewEvent>,
        now: i64,
    ) -> Result<bool, StoreError> {
        let (group, stream) = (group.to_owned(), stream.to_owned());
        self.database
            .write(move |tx| {
                if !stream_exists(tx, &group, &stream)? {
                    return Ok(false);
                }
                let open = OpenStream::open(tx, &group, &stream, now)?;
                open.insert(tx, events.into_iter(), now)?;
                Ok(true)
            })
            .await
    }

    /// Says for how many days a group keeps events; `None` is for ever. Whether
    /// there is such a group.
    ///
    /// # Errors
    /// The database's failure.
    pub async fn keep_for(&self, group: &str, days: Option<u32>) -> Result<bool, StoreError> {
        let group = group.to_owned();
        self.database
            .write(move |tx| {
                let changed = tx.execute(
                    "UPDATE groups SET retention = ?2 WHERE name = ?1",
                    params![group, days],
                )?;
                Ok(changed > 0)
            })
            .await
    }

    /// Deletes a group with all its streams; whether there was one.
    ///
    /// # Errors
    /// The database's failure.
    pub async fn delete_group(&self, group: &str) -> Result<bool, StoreError> {
        let group = group.to_owned();
        self.database
            .write(move |tx| {
                tx.execute("DELETE FROM group_tags WHERE log_group = ?1", [&group])?;
                tx.execute(
                    "UPDATE streams SET log_group = ?2, name = id WHERE log_group = ?1",
                    [&group, DELETED],
                )?;
                let deleted = tx.execute("DELETE FROM groups WHERE name = ?1", [&group])?;
                Ok(deleted > 0)
            })
            .await
    }

    /// Deletes a stream; whether there was one.
    ///
    /// # Errors
    /// The database's failure.
    pub async fn delete_stream(&self, group: &str, stream: &str) -> Result<bool, StoreError> {
        let (group, stream) = (group.to_owned(), stream.to_owned());
        self.database
            .write(move |tx| {
                tx.execute(
                    "UPDATE groups SET bytes = bytes - coalesce(
                       (SELECT bytes FROM streams WHERE log_group = ?1 AND name = ?2), 0)
                     WHERE name = ?1",
                    [&group, &stream],
                )?;
                let deleted = tx.execute(
                    "UPDATE streams SET log_group = ?3, name = id
                     WHERE log_group = ?1 AND name = ?2",
                    [&group, &stream, DELETED],
                )?;
                Ok(deleted > 0)
            })
            .await
    }
}

/// Fails when there is no such group.
pub(super) fn require_group(tx: &Transaction<'_>, group: &str) -> Result<(), StoreError> {
    let mut query = tx.prepare_cached("SELECT 1 FROM groups WHERE name = ?1")?;
    if query.exists([group])? {
        Ok(())
    } else {
        Err(StoreError::NoSuchResource)
    }
}

fn stream_exists(tx: &Transaction<'_>, group: &str, stream: &str) -> Result<bool, rusqlite::Error> {
    tx.prepare_cached("SELECT 1 FROM streams WHERE log_group = ?1 AND name = ?2")?
        .exists([group, stream])
}
