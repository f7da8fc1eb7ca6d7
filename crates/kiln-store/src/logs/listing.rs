//! What groups and streams there are.

use rusqlite::{OptionalExtension, params};

use super::{LogGroup, LogStore, LogStream, NO_EVENT};
use crate::StoreError;

impl LogStore {
    /// The groups whose names start with `prefix` and hold `part`, by name, beyond
    /// the name `after`.
    ///
    /// # Errors
    /// The database's failure.
    pub fn groups(
        &self,
        prefix: &str,
        part: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<LogGroup>, StoreError> {
        self.database.read(|connection| {
            let mut query = connection.prepare_cached(
                "SELECT name, created, bytes, retention FROM groups
                 WHERE name >= ?1 AND name < ?2 AND name > ?3 AND instr(name, ?4) > 0
                 ORDER BY name LIMIT ?5",
            )?;
            let values = params![prefix, end_of(prefix), after, part, limit];
            let rows = query.query_map(values, group)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// The group of this name, if there is one.
    ///
    /// # Errors
    /// The database's failure.
    pub fn group(&self, name: &str) -> Result<Option<LogGroup>, StoreError> {
        self.database.read(|connection| {
            let mut query = connection.prepare_cached(
                "SELECT name, created, bytes, retention FROM groups WHERE name = ?1",
            )?;
            Ok(query.query_row([name], group).optional()?)
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
                 WHERE log_group = ?1 AND name >= ?2 AND name < ?3 AND name {beyond} ?4
                 ORDER BY name {order} LIMIT ?5"
            ))?;
            let end = end_of(prefix);
            let after = after.unwrap_or(if descending { &end } else { "" });
            let rows = query.query_map(params![group, prefix, end, after, limit], stream)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// The group's streams, latest event first unless `ascending`, beyond the one
    /// with the last event and the name `after`. (A stream that is written to
    /// meanwhile moves; none that stays where it is is left out for that.)
    ///
    /// # Errors
    /// The database's failure.
    pub fn streams_by_time(
        &self,
        group: &str,
        ascending: bool,
        after: Option<(i64, &str)>,
        limit: u32,
    ) -> Result<Vec<LogStream>, StoreError> {
        let (beyond, order) = if ascending {
            ('>', "ASC")
        } else {
            ('<', "DESC")
        };
        let end = if ascending { i64::MIN } else { i64::MAX };
        let (at, name) = after.unwrap_or((end, ""));
        self.database.read(|connection| {
            let mut query = connection.prepare_cached(&format!(
                "SELECT name, created, first_event, last_event, last_ingestion FROM streams
                 WHERE log_group = ?1 AND (last_event, name) {beyond} (?2, ?3)
                 ORDER BY last_event {order}, name {order} LIMIT ?4"
            ))?;
            let rows = query.query_map(params![group, at, name, limit], stream)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}

/// What every name that starts with `prefix` is less than. (Names hold no
/// character as great as the last one of all.)
pub(super) fn end_of(prefix: &str) -> String {
    format!("{prefix}{}", char::MAX)
}

fn group(row: &rusqlite::Row<'_>) -> Result<LogGroup, rusqlite::Error> {
    Ok(LogGroup {
        name: row.get(0)?,
        created: row.get(1)?,
        stored_bytes: row.get(2)?,
        retention: row.get(3)?,
    })
}

fn stream(row: &rusqlite::Row<'_>) -> Result<LogStream, rusqlite::Error> {
    Ok(LogStream {
        name: row.get(0)?,
        created: row.get(1)?,
        first_event: Some(row.get(2)?).filter(|first| *first != NO_EVENT),
        last_event: row.get(3)?,
        last_ingestion: row.get(4)?,
    })
}
