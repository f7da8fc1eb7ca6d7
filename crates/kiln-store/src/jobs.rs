//! Jobs of every kind: what was asked, what became of it, and how to list it.
//!
//! A job is three documents and a few indexed columns. The *request* is what
//! the create call said, the *state* is the state machine's own document, and
//! the *description* is what a describe call answers, rendered whenever either
//! changes so that reading a job costs one look-up. Every change reads, decides
//! and writes inside the single writer's transaction, so two deciders never
//! race.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::job_list::{self, JobSummary, ListQuery};
use crate::{
    Database, NewAnnouncement, StoreError, WarmPoolEntry, announcements, tags, warm_pools,
};

/// A job as its decider sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredJob {
    /// The job's name, in the case it was created with.
    pub name: String,
    /// The create request, as JSON.
    pub request: String,
    /// The state machine's document, as JSON.
    pub state: String,
}

/// The columns that lists filter and sort by. Times are epoch milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobIndex {
    /// The kind's main status, such as `InProgress`.
    pub status: String,
    /// What tells jobs of a status apart: a kind's finer status, or what its jobs do; empty
    /// for kinds without either.
    pub secondary: String,
    /// When it was created.
    pub created: i64,
    /// When anything about it last changed.
    pub modified: i64,
    /// When it reached its last status.
    pub ended: Option<i64>,
}

/// A decider's answer: the job as it is from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobChange {
    /// The new request, for the few updates that alter it.
    pub request: Option<String>,
    /// The new state document.
    pub state: String,
    /// The new description.
    pub description: String,
    /// The new columns.
    pub index: JobIndex,
    /// What a listener outside is to be told of the change, in this order.
    pub announcements: Vec<NewAnnouncement>,
    /// What the job has to do with a warm pool, if anything.
    pub warm_pool: Option<WarmPoolEntry>,
}

/// A job about to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    /// The resource type in its ARN, such as `training-job`.
    pub kind: &'static str,
    /// The name as given.
    pub name: String,
    /// The ARN, which ignores the name's case and is unique.
    pub arn: String,
    /// The create request, as JSON.
    pub request: String,
    /// The first state and description.
    pub change: JobChange,
    /// Tags given with the request.
    pub tags: Vec<(String, String)>,
}

/// The jobs in one SQLite file.
#[derive(Debug, Clone)]
pub struct JobStore {
    pub(crate) database: Database,
}

/// The documents come last, the one that is read most first among them: SQLite
/// walks through a row to get at a column, over several pages where it is long.
pub(crate) const SCHEMA: &str = "
CREATE TABLE jobs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  arn TEXT NOT NULL UNIQUE,
  status TEXT NOT NULL,
  secondary TEXT NOT NULL,
  created INTEGER NOT NULL,
  modified INTEGER NOT NULL,
  ended INTEGER,
  description TEXT NOT NULL,
  request TEXT NOT NULL,
  state TEXT NOT NULL,
  UNIQUE (kind, name)
);
CREATE INDEX jobs_by_creation ON jobs (kind, created, id);
CREATE INDEX jobs_by_status ON jobs (kind, status, id);
CREATE INDEX jobs_open ON jobs (kind, id) WHERE ended IS NULL;
";

const COLUMNS: &str = "name, request, state";

impl JobStore {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    /// Creates a job, unless its ARN is taken.
    ///
    /// # Errors
    /// [`StoreError::NameTaken`], or the database's failure.
    pub async fn create(&self, job: NewJob) -> Result<(), StoreError> {
        self.database.write(move |tx| insert(tx, &job)).await
    }

    /// The description of a job, as it was last rendered.
    ///
    /// # Errors
    /// The database's failure.
    pub fn description(&self, kind: &str, name: &str) -> Result<Option<String>, StoreError> {
        self.database.read(|connection| {
            let mut query = connection
                .prepare_cached("SELECT description FROM jobs WHERE kind = ?1 AND name = ?2")?;
            Ok(query.query_row([kind, name], |row| row.get(0)).optional()?)
        })
    }

    /// A job's documents.
    ///
    /// # Errors
    /// The database's failure.
    pub fn find(&self, kind: &str, name: &str) -> Result<Option<StoredJob>, StoreError> {
        self.database
            .read(|connection| find(connection, kind, name))
    }

    /// Reads a job, lets `decide` say what it becomes, and writes that, all in
    /// one transaction. `decide` sees `None` when there is no such job, and
    /// changes nothing by answering no change.
    ///
    /// # Errors
    /// What `decide` returns, or the database's failure.
    pub async fn change<T, E, F>(&self, kind: &'static str, name: &str, decide: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + From<rusqlite::Error> + Send + 'static,
        F: FnOnce(Option<StoredJob>) -> Result<(Option<JobChange>, T), E> + Send + 'static,
    {
        let name = name.to_owned();
        self.database
            .write(move |tx| {
                let (change, value) = decide(find(tx, kind, &name)?)?;
                if let Some(change) = change {
                    apply(tx, kind, &name, &change)?;
                }
                Ok(value)
            })
            .await
    }

    /// Every job that has not ended, oldest first.
    ///
    /// # Errors
    /// The database's failure.
    pub fn open_jobs(&self, kind: &str) -> Result<Vec<StoredJob>, StoreError> {
        self.database.read(|connection| {
            let mut query = connection.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM jobs WHERE kind = ?1 AND ended IS NULL ORDER BY id"
            ))?;
            let rows = query.query_map([kind], stored)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Forgets an ended job, its tags and its instances. Answers whether there was one.
    ///
    /// # Errors
    /// The database's failure.
    pub async fn delete(&self, kind: &'static str, name: &str) -> Result<bool, StoreError> {
        let name = name.to_owned();
        self.database
            .write(move |tx| {
                let arn: Option<String> = tx
                    .prepare_cached(
                        "DELETE FROM jobs WHERE kind = ?1 AND name = ?2 AND ended IS NOT NULL
                           RETURNING arn",
                    )?
                    .query_row(params![kind, name], |row| row.get(0))
                    .optional()?;
                if let Some(arn) = &arn {
                    tags::forget(tx, arn)?;
                    warm_pools::forget(tx, kind, &name)?;
                    // A later job of this name must not inherit them.
                    tx.prepare_cached("DELETE FROM instances WHERE kind = ?1 AND job = ?2")?
                        .execute(params![kind, name])?;
                }
                Ok(arn.is_some())
            })
            .await
    }

    /// One page of jobs.
    ///
    /// # Errors
    /// The database's failure.
    pub fn list(&self, kind: &str, query: &ListQuery) -> Result<Vec<JobSummary>, StoreError> {
        self.database
            .read(|connection| job_list::list(connection, kind, query))
    }
}

fn insert(tx: &Transaction<'_>, job: &NewJob) -> Result<(), StoreError> {
    let NewJob {
        kind,
        name,
        arn,
        request,
        change,
        tags,
    } = job;
    let index = &change.index;
    let inserted = tx
        .prepare_cached(
            "INSERT INTO jobs (kind, name, arn, request, state, description,
               status, secondary, created, modified, ended)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            kind,
            name,
            arn,
            request,
            change.state,
            change.description,
            index.status,
            index.secondary,
            index.created,
            index.modified,
            index.ended
        ])?;
    if inserted == 0 {
        return Err(StoreError::NameTaken);
    }
    for (key, value) in tags {
        tags::put(tx, arn, key, value)?;
    }
    announcements::put(tx, &change.announcements)?;
    Ok(())
}

pub(crate) fn find(
    connection: &Connection,
    kind: &str,
    name: &str,
) -> Result<Option<StoredJob>, StoreError> {
    let mut query = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM jobs WHERE kind = ?1 AND name = ?2"
    ))?;
    Ok(query.query_row([kind, name], stored).optional()?)
}

pub(crate) fn apply(
    tx: &Transaction<'_>,
    kind: &str,
    name: &str,
    change: &JobChange,
) -> Result<(), rusqlite::Error> {
    let JobChange {
        request,
        state,
        description,
        index,
        announcements,
        warm_pool,
    } = change;
    tx.prepare_cached(
        "UPDATE jobs SET request = coalesce(?3, request), state = ?4, description = ?5,
           status = ?6, secondary = ?7, modified = ?8, ended = ?9
         WHERE kind = ?1 AND name = ?2",
    )?
    .execute(params![
        kind,
        name,
        request,
        state,
        description,
        index.status,
        index.secondary,
        index.modified,
        index.ended
    ])?;
    if let Some(entry) = warm_pool {
        warm_pools::put(tx, (kind, name), entry)?;
    }
    announcements::put(tx, announcements)
}

fn stored(row: &rusqlite::Row<'_>) -> Result<StoredJob, rusqlite::Error> {
    Ok(StoredJob {
        name: row.get(0)?,
        request: row.get(1)?,
        state: row.get(2)?,
    })
}

#[cfg(test)]
#[path = "jobs_tests.rs"]
mod tests;
