//! Warm pools: what jobs leave behind for jobs like them, for a while.
//!
//! A job has at most one entry here, written in the transaction of each change
//! of the job that may alter it. While the entry names a pool, the job holds that
//! pool; no two jobs ever hold the same one, and the schema sees to it. Entries
//! without a pool stay for lists, until their job is deleted.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::instances::{self, Instance};
use crate::jobs::{self, JobChange, StoredJob};
use crate::{Database, StoreError};

pub(crate) const SCHEMA: &str = "
CREATE TABLE warm_pools (
  kind TEXT NOT NULL,
  job TEXT NOT NULL,
  status TEXT NOT NULL,
  document TEXT NOT NULL,
  pool TEXT,
  key TEXT,
  until INTEGER,
  PRIMARY KEY (kind, job)
) WITHOUT ROWID;
CREATE UNIQUE INDEX warm_pools_held ON warm_pools (pool) WHERE pool IS NOT NULL;
CREATE INDEX warm_pools_offered ON warm_pools (kind, key, until) WHERE key IS NOT NULL;
CREATE INDEX warm_pools_by_status ON warm_pools (status);
";

/// What a job has to do with a warm pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WarmPoolEntry {
    /// The status that lists filter by.
    pub status: String,
    /// What a list says of it, as JSON.
    pub document: String,
    /// The pool that the job holds.
    pub pool: Option<String>,
    /// For whom the pool is, if it can be had.
    pub offer: Option<Offer>,
}

/// For whom a pool is, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// What a job that may have it has in common with its holder.
    pub key: String,
    /// Until when, in epoch milliseconds.
    pub until: i64,
}

/// The warm pools in one SQLite file.
#[derive(Debug, Clone)]
pub struct WarmPoolStore {
    database: Database,
}

impl WarmPoolStore {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    /// The jobs of a kind that hold a pool, and their pools.
    ///
    /// # Errors
    /// The database's failure.
    pub fn holders(&self, kind: &str) -> Result<Vec<(String, String)>, StoreError> {
        self.database.read(|connection| {
            let mut query = connection.prepare_cached(
                "SELECT job, pool FROM warm_pools WHERE pool IS NOT NULL AND kind = ?1",
            )?;
            let rows = query.query_map([kind], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// The holder of a pool that a job with this key can have: of several the
    /// one that would end first.
    ///
    /// # Errors
    /// The database's failure.
    pub fn offered(&self, kind: &str, key: &str, now: i64) -> Result<Option<String>, StoreError> {
        self.database.read(|connection| {
            let mut query = connection.prepare_cached(
                "SELECT job FROM warm_pools WHERE kind = ?1 AND key = ?2 AND until > ?3
                 ORDER BY until LIMIT 1",
            )?;
            let found = query.query_row(params![kind, key, now], |row| row.get(0));
            Ok(found.optional()?)
        })
    }

    /// Writes down, all in one transaction, that a pool goes from the job that
    /// left it to another, and the instances that this one gets with it. `give`
    /// answers what becomes of the one, and `take` of the other; if either
    /// refuses, nothing has happened.
    ///
    /// # Errors
    /// [`StoreError::NoSuchResource`], what the deciders return, or the
    /// database's failure.
    pub async fn hand_over<T, E, G, F>(
        &self,
        kind: &'static str,
        (from, to): (&str, &str),
        instances: Vec<Instance>,
        give: G,
        take: F,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + From<rusqlite::Error> + Send + 'static,
        G: FnOnce(StoredJob) -> Result<JobChange, E> + Send + 'static,
        F: FnOnce(StoredJob) -> Result<(JobChange, T), E> + Send + 'static,
    {
        let (from, to) = (from.to_owned(), to.to_owned());
        self.database
            .write(move |tx| {
                let giver = jobs::find(tx, kind, &from)?.ok_or(StoreError::NoSuchResource)?;
                // The one lets go before the other takes hold.
                jobs::apply(tx, kind, &from, &give(giver)?)?;
                instances::place(tx, (kind, &to), instances, take)
            })
            .await
    }
}

pub(crate) fn put(
    tx: &Transaction<'_>,
    (kind, job): (&str, &str),
    entry: &WarmPoolEntry,
) -> Result<(), rusqlite::Error> {
    let offer = entry.offer.as_ref();
    tx.prepare_cached(
        "INSERT INTO warm_pools (kind, job, status, document, pool, key, until)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (kind, job) DO UPDATE SET status = excluded.status,
           document = excluded.document, pool = excluded.pool, key = excluded.key,
           until = excluded.until",
    )?
    .execute(params![
        kind,
        job,
        entry.status,
        entry.document,
        entry.pool,
        offer.map(|offer| &offer.key),
        offer.map(|offer| offer.until),
    ])?;
    Ok(())
}

/// Forgets what a job that is deleted had to do with a pool.
pub(crate) fn forget(connection: &Connection, kind: &str, job: &str) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM warm_pools WHERE kind = ?1 AND job = ?2")?
        .execute([kind, job])?;
    Ok(())
}

#[cfg(test)]
#[path = "warm_pools_tests.rs"]
mod tests;
