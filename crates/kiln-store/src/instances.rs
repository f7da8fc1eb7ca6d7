//! Instances: one machine's part in one attempt of a job.
//!
//! An instance is written down before anything is started for it, so that a
//! server that dies in between finds it again. Its agent numbers what it
//! reports; the number that was last taken in is kept beside the job and
//! changes in the same transaction as the job, so a report that is delivered
//! twice counts once.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::jobs::{self, JobChange, StoredJob};
use crate::{Database, StoreError};

pub(crate) const SCHEMA: &str = "
CREATE TABLE instances (
  id TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  job TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  host TEXT NOT NULL,
  log_stream TEXT NOT NULL,
  delivered INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX instances_by_job ON instances (kind, job);
";

/// What an instance has of its machine was not written down at first.
pub(crate) const CLAIMS: &str = "
ALTER TABLE instances ADD COLUMN claim TEXT NOT NULL DEFAULT '';
";

/// One instance, as it was placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Unique for ever.
    pub id: String,
    /// The job's kind, such as `training-job`.
    pub kind: String,
    /// The job's name.
    pub job: String,
    /// Which attempt of the job this is, from 1.
    pub attempt: u32,
    /// Its name in the cluster, such as `algo-1`.
    pub host: String,
    /// The name of the log stream that its container writes.
    pub log_stream: String,
    /// What it has of its machine, as its engine writes it.
    pub claim: String,
    /// The number of the last report taken in.
    pub delivered: u64,
}

/// The instances in one SQLite file.
#[derive(Debug, Clone)]
pub struct InstanceStore {
    database: Database,
}

impl InstanceStore {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    /// Writes the instances of one attempt of a job down, with the change that
    /// their placement makes to the job; answers what `decide` found.
    ///
    /// # Errors
    /// What `decide` returns, or the database's failure.
    pub async fn place<T, E, F>(
        &self,
        (kind, name): (&'static str, &str),
        instances: Vec<Instance>,
        decide: F,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + From<rusqlite::Error> + Send + 'static,
        F: FnOnce(StoredJob) -> Result<(JobChange, T), E> + Send + 'static,
    {
        let name = name.to_owned();
        self.database
            .write(move |tx| place(tx, (kind, &name), instances, decide))
            .await
    }

    /// The instance with this id.
    ///
    /// # Errors
    /// The database's failure.
    pub fn find(&self, id: &str) -> Result<Option<Instance>, StoreError> {
        self.database.read(|connection| find(connection, id))
    }

    /// The instances of a job's attempts, those that have ended included until
    /// they are cleared away.
    ///
    /// # Errors
    /// The database's failure.
    pub fn of_job(&self, kind: &str, job: &str) -> Result<Vec<Instance>, StoreError> {
        self.database.read(|connection| {
            let mut query = connection.prepare_cached(&format!(
                "{SELECT} WHERE kind = ?1 AND job = ?2 ORDER BY attempt, id"
            ))?;
            let rows = query.query_map([kind, job], instance)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Every instance that is still written down: those of open jobs, and
    /// those whose last traces have not been cleared away.
    ///
    /// # Errors
    /// The database's failure.
    pub fn all(&self) -> Result<Vec<Instance>, StoreError> {
        self.database.read(|connection| {
            let mut query = connection.prepare_cached(&format!("{SELECT} ORDER BY id"))?;
            let rows = query.query_map([], instance)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Takes in reports up to number `last`. `decide` is told the number that
    /// was taken in before, and the job, and answers what the job becomes.
    ///
    /// # Errors
    /// [`StoreError::NoSuchResource`], what `decide` returns, or the database's failure.
    pub async fn deliver<T, E, F>(&self, id: &str, last: u64, decide: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + From<rusqlite::Error> + Send + 'static,
        F: FnOnce(u64, StoredJob) -> Result<(Option<JobChange>, T), E> + Send + 'static,
    {
        let id = id.to_owned();
        self.database
            .write(move |tx| {
                let instance = find(tx, &id)?.ok_or(StoreError::NoSuchResource)?;
                let job = jobs::find(tx, &instance.kind, &instance.job)?
                    .ok_or(StoreError::NoSuchResource)?;
                let (change, value) = decide(instance.delivered, job)?;
                if let Some(change) = change {
                    jobs::apply(tx, &instance.kind, &instance.job, &change)?;
                }
                tx.prepare_cached(
                    "UPDATE instances SET delivered = max(delivered, ?2) WHERE id = ?1",
                )?
                .execute(params![id, last as i64])?;
                Ok(value)
            })
            .await
    }

    /// Forgets an instance of which nothing is left.
    ///
    /// # Errors
    /// The database's failure.
    pub async fn forget(&self, id: &str) -> Result<(), StoreError> {
        let id = id.to_owned();
        self.database
            .write(move |tx| {
                tx.prepare_cached("DELETE FROM instances WHERE id = ?1")?
                    .execute([id])?;
                Ok(())
            })
            .await
    }
}

const SELECT: &str =
    "SELECT id, kind, job, attempt, host, log_stream, claim, delivered FROM instances";

/// See [`InstanceStore::place`].
pub(crate) fn place<T, E>(
    tx: &Transaction<'_>,
    (kind, name): (&str, &str),
    instances: Vec<Instance>,
    decide: impl FnOnce(StoredJob) -> Result<(JobChange, T), E>,
) -> Result<T, E>
where
    E: From<StoreError> + From<rusqlite::Error>,
{
    let job = jobs::find(tx, kind, name)?.ok_or(StoreError::NoSuchResource)?;
    let (change, found) = decide(job)?;
    jobs::apply(tx, kind, name, &change)?;
    let mut insert = tx.prepare_cached(
        "INSERT INTO instances (id, kind, job, attempt, host, log_stream, claim)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for instance in instances {
        insert.execute(params![
            instance.id,
            instance.kind,
            instance.job,
            instance.attempt,
            instance.host,
            instance.log_stream,
            instance.claim
        ])?;
    }
    Ok(found)
}

fn find(connection: &Connection, id: &str) -> Result<Option<Instance>, StoreError> {
    let mut query = connection.prepare_cached(&format!("{SELECT} WHERE id = ?1"))?;
    Ok(query.query_row([id], instance).optional()?)
}

fn instance(row: &rusqlite::Row<'_>) -> Result<Instance, rusqlite::Error> {
    let delivered: i64 = row.get(7)?;
    Ok(Instance {
        id: row.get(0)?,
        kind: row.get(1)?,
        job: row.get(2)?,
        attempt: row.get(3)?,
        host: row.get(4)?,
        log_stream: row.get(5)?,
        claim: row.get(6)?,
        delivered: delivered.unsigned_abs(),
    })
}
