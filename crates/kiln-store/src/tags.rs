//! Tags of any resource, by ARN, in the order they were first given.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::{Database, StoreError};

pub(crate) const SCHEMA: &str = "
CREATE TABLE tags (
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  arn TEXT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  UNIQUE (arn, key)
);
";

/// AWS's limit on the tags of one resource.
pub const TAG_LIMIT: usize = 50;

/// One tag: its key and its value.
pub type Tag = (String, String);

/// The tags in one SQLite file.
#[derive(Debug, Clone)]
pub struct TagStore {
    database: Database,
}

impl TagStore {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    /// Adds tags to a job or a model, replacing the values of keys it has, and answers
    /// all of its tags.
    ///
    /// # Errors
    /// [`StoreError::NoSuchResource`], [`StoreError::TooManyTags`] (and then
    /// nothing is added), or the database's failure.
    pub async fn add(&self, arn: &str, tags: Vec<Tag>) -> Result<Vec<Tag>, StoreError> {
        let arn = arn.to_owned();
        self.database
            .write(move |tx| {
                require(tx, &arn)?;
                for (key, value) in &tags {
                    put(tx, &arn, key, value)?;
                }
                let all = of(tx, &arn)?;
                if all.len() > TAG_LIMIT {
                    Err(StoreError::TooManyTags)
                } else {
                    Ok(all)
                }
            })
            .await
    }

    /// The tags of a job or a model.
    ///
    /// # Errors
    /// [`StoreError::NoSuchResource`], or the database's failure.
    pub fn list(&self, arn: &str) -> Result<Vec<Tag>, StoreError> {
        self.database.read(|connection| {
            require(connection, arn)?;
            of(connection, arn)
        })
    }

    /// Removes tags by key; keys that the resource lacks are ignored.
    ///
    /// # Errors
    /// [`StoreError::NoSuchResource`], or the database's failure.
    pub async fn delete(&self, arn: &str, keys: Vec<String>) -> Result<(), StoreError> {
        let arn = arn.to_owned();
        self.database
            .write(move |tx| {
                require(tx, &arn)?;
                let mut delete =
                    tx.prepare_cached("DELETE FROM tags WHERE arn = ?1 AND key = ?2")?;
                for key in keys {
                    delete.execute(params![arn, key])?;
                }
                Ok(())
            })
            .await
    }
}

fn require(connection: &Connection, arn: &str) -> Result<(), StoreError> {
    let mut query = connection.prepare_cached(
        "SELECT 1 FROM jobs WHERE arn = ?1 UNION ALL SELECT 1 FROM models WHERE arn = ?1",
    )?;
    let found: Option<i64> = query.query_row([arn], |row| row.get(0)).optional()?;
    found.map(drop).ok_or(StoreError::NoSuchResource)
}

fn of(connection: &Connection, arn: &str) -> Result<Vec<Tag>, StoreError> {
    let mut query = connection
        .prepare_cached("SELECT key, value FROM tags WHERE arn = ?1 ORDER BY position")?;
    let rows = query.query_map([arn], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(crate) fn put(
    tx: &Transaction<'_>,
    arn: &str,
    key: &str,
    value: &str,
) -> Result<(), rusqlite::Error> {
    tx.prepare_cached(
        "INSERT INTO tags (arn, key, value) VALUES (?1, ?2, ?3)
         ON CONFLICT (arn, key) DO UPDATE SET value = excluded.value",
    )?
    .execute([arn, key, value])?;
    Ok(())
}

pub(crate) fn forget(tx: &Transaction<'_>, arn: &str) -> Result<(), rusqlite::Error> {
    tx.prepare_cached("DELETE FROM tags WHERE arn = ?1")?
        .execute([arn])?;
    Ok(())
}
