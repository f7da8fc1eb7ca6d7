//! Announcements: what a listener outside is to be told of jobs, kept until it
//! has heard it.
//!
//! One is written in the transaction of the change that it tells of, so neither
//! is there without the other, and it stays until it is removed. Those about
//! one subject are told in the order of their numbers.

use rusqlite::{OptionalExtension, Transaction, params};
use tokio::sync::watch;

use crate::{Database, StoreError};

/// How many are looked at at once.
const PAGE: u32 = 1000;

pub(crate) const SCHEMA: &str = "
CREATE TABLE announcements (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL,
  subject TEXT NOT NULL,
  created INTEGER NOT NULL,
  body TEXT NOT NULL
);
CREATE INDEX announcements_by_subject ON announcements (subject, number);
";

/// Something to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAnnouncement {
    /// Its own, however often it is told.
    pub id: String,
    /// Whom it is about: a job's ARN.
    pub subject: String,
    /// When what it tells happened, in epoch milliseconds.
    pub created: i64,
    /// What is told, word for word.
    pub body: String,
}

/// An announcement that has its place in the order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// Its place.
    pub number: i64,
    /// Its own, however often it is told.
    pub id: String,
    /// When what it tells happened, in epoch milliseconds.
    pub created: i64,
    /// What is told, word for word.
    pub body: String,
}

/// The announcements in one SQLite file.
#[derive(Debug, Clone)]
pub struct AnnouncementStore {
    database: Database,
}

impl AnnouncementStore {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    /// Changes whenever something has been committed, which may have been
    /// announcements.
    #[must_use]
    pub fn commits(&self) -> watch::Receiver<()> {
        self.database.commits()
    }

    /// The next of those after a number: their numbers, which only grow, and
    /// whom they are about.
    ///
    /// # Errors
    /// The database's failure.
    pub fn subjects_after(&self, number: i64) -> Result<Vec<(i64, String)>, StoreError> {
        self.database.read(|connection| {
            let mut query = connection.prepare_cached(
                "SELECT number, subject FROM announcements WHERE number > ?1
                   ORDER BY number LIMIT ?2",
            )?;
            let rows =
                query.query_map(params![number, PAGE], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// What is to be told first about a subject.
    ///
    /// # Errors
    /// The database's failure.
    pub fn first(&self, subject: &str) -> Result<Option<Announcement>, StoreError> {
        self.database.read(|connection| {
            let mut query = connection.prepare_cached(
                "SELECT number, id, created, body FROM announcements WHERE subject = ?1
                   ORDER BY number LIMIT 1",
            )?;
            Ok(query.query_row([subject], announcement).optional()?)
        })
    }

    /// Forgets one that has been told, or never will be.
    ///
    /// # Errors
    /// The database's failure.
    pub async fn remove(&self, number: i64) -> Result<(), StoreError> {
        self.database
            .write(move |tx| {
                tx.prepare_cached("DELETE FROM announcements WHERE number = ?1")?
                    .execute([number])?;
                Ok(())
            })
            .await
    }
}

/// Writes announcements down, with the change that they tell of.
pub(crate) fn put(
    tx: &Transaction<'_>,
    announcements: &[NewAnnouncement],
) -> Result<(), rusqlite::Error> {
    for NewAnnouncement {
        id,
        subject,
        created,
        body,
    } in announcements
    {
        tx.prepare_cached(
            "INSERT INTO announcements (id, subject, created, body) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![id, subject, created, body])?;
    }
    Ok(())
}

fn announcement(row: &rusqlite::Row<'_>) -> Result<Announcement, rusqlite::Error> {
    Ok(Announcement {
        number: row.get(0)?,
        id: row.get(1)?,
        created: row.get(2)?,
        body: row.get(3)?,
    })
}

#[cfg(test)]
#[path = "announcements_tests.rs"]
mod tests;
