//! One SQLite file: many readers, one writer that commits in groups.
//!
//! A caller hands the writer a closure and waits; the writer thread runs every
//! closure that is waiting inside one transaction, each in its own savepoint,
//! commits once with `synchronous=FULL`, and only then answers them all. One
//! disk flush thus serves as many callers as arrive while the last one ran, and
//! an answer always means that the change is durable.
//!
//! A change that fails or panics is undone alone. Where that cannot be done,
//! because SQLite itself has undone the transaction (a full disk, a failing
//! one), the whole group fails with it: those that ran before are not durable,
//! and those that did not run yet must not run outside the transaction.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use tokio::sync::{oneshot, watch};

use crate::StoreError;

/// How many changes one commit carries at most; bounds the latency of the first.
const GROUP_LIMIT: usize = 256;
/// Bytes that were written and are copied into the file together, about.
const CHECKPOINT: u32 = 4 << 20;
/// Idle read connections kept open for reuse.
const IDLE_READERS: usize = 16;
/// What a read connection keeps of the file, in KiB. There may be many, and the
/// system keeps the file's pages for all of them.
const READER_CACHE: i64 = 512;
/// Prepared statements each connection keeps; more than the queries Kiln has.
const STATEMENT_CACHE: usize = 64;

/// How a file is laid out, and read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Bytes of a page.
    pub page: u32,
    /// So many bytes of the file are read where the system has them, and not copied first.
    pub mapped: i64,
}

impl Default for Layout {
    fn default() -> Self {
        Self {
            page: 4096,
            mapped: 0,
        }
    }
}

/// Runs in the group's transaction, or learns why it does not run.
type Change = Box<dyn FnOnce(Result<&Transaction<'_>, StoreError>) -> Ran + Send>;
/// Called after the commit with the commit's outcome.
type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// A change that had its turn.
struct Ran {
    answer: Answer,
    /// Whether the transaction is as it was, but for this change.
    intact: bool,
}

/// A handle to one SQLite file. Clones share the writer and the readers.
#[derive(Clone)]
pub struct Database {
    shared: Arc<Shared>,
}

struct Shared {
    path: PathBuf,
    layout: Layout,
    /// `None` only while the last handle is being dropped.
    changes: Option<mpsc::Sender<Change>>,
    readers: Mutex<Vec<Connection>>,
    /// Changes with every commit.
    commits: watch::Sender<()>,
    writer: Option<JoinHandle<()>>,
}

impl Database {
    /// Opens or creates the file and brings its schema up to date.
    ///
    /// `migrations` is append-only: the file's `user_version` counts how many
    /// of them it already holds, and the rest run now, each in a transaction.
    ///
    /// # Errors
    /// When the file cannot be opened, is not a database, or was written by a
    /// newer version than `migrations` describes.
    pub fn open(path: &Path, migrations: &[&str]) -> Result<Self, StoreError> {
        Self::open_with(path, migrations, Layout::default())
    }

    /// Opens or creates a file as [`Database::open`] does, with a layout of its own.
    ///
    /// # Errors
    /// See [`Database::open`].
    pub(crate) fn open_with(
        path: &Path,
        migrations: &[&str],
        layout: Layout,
    ) -> Result<Self, StoreError> {
        let mut connection = Connection::open(path)?;
        configure(&connection)?;
        // A file that has its tables keeps its pages.
        connection.pragma_update(None, "page_size", layout.page)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT / layout.page)?;
        migrate(&mut connection, migrations)?;
        let (changes, waiting) = mpsc::channel();
        let commits = watch::Sender::new(());
        let committed = commits.clone();
        let writer = std::thread::Builder::new()
            .name("kiln-store-writer".to_owned())
            .spawn(move || write_loop(&mut connection, &waiting, &committed))?;
        Ok(Self {
            shared: Arc::new(Shared {
                path: path.to_owned(),
                layout,
                changes: Some(changes),
                readers: Mutex::new(Vec::new()),
                commits,
                writer: Some(writer),
            }),
        })
    }

    /// Runs `change` in the writer's next transaction and returns its value once
    /// that transaction is on disk. An `Err` from `change` undoes what it did
    /// and nothing else.
    ///
    /// # Errors
    /// What `change` returns, or the commit's own failure.
    pub async fn write<T, E, F>(&self, change: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + From<rusqlite::Error> + Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let change: Change = Box::new(move |group| {
            let (outcome, intact) = match group {
                Ok(group) => in_savepoint(group, change),
                Err(reason) => (Err(E::from(reason)), false),
            };
            let answer = move |committed| {
                let settled = match (outcome, committed) {
                    (Ok(value), Ok(())) => Ok(value),
                    (Err(error), _) => Err(error),
                    (Ok(_), Err(error)) => Err(E::from(error)),
                };
                // The caller may have gone away; the change stands regardless.
                let _ = reply.send(settled);
            };
            Ran {
                answer: Box::new(answer),
                intact,
            }
        });
        let sent = self
            .shared
            .changes
            .as_ref()
            .map(|changes| changes.send(change));
        match sent {
            Some(Ok(())) => answer
                .await
                .unwrap_or_else(|_| Err(E::from(StoreError::WriterGone))),
            _ => Err(E::from(StoreError::WriterGone)),
        }
    }

    /// Runs `query` on a read connection, on the calling thread. Meant for the
    /// short indexed look-ups that Kiln makes; a reader never waits for the writer.
    ///
    /// # Errors
    /// What `query` returns, or a failure to open a connection.
    pub fn read<T, E>(&self, query: impl FnOnce(&Connection) -> Result<T, E>) -> Result<T, E>
    where
        E: From<StoreError>,
    {
        let connection = self.reader().map_err(E::from)?;
        let outcome = query(&connection);
        let mut idle = self
            .shared
            .readers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_READERS {
            idle.push(connection);
        }
        outcome
    }

    /// Changes whenever something has been committed.
    pub(crate) fn commits(&self) -> watch::Receiver<()> {
        self.shared.commits.subscribe()
    }

    fn reader(&self) -> Result<Connection, StoreError> {
        let idle = self
            .shared
            .readers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        if let Some(connection) = idle {
            return Ok(connection);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.shared.path, flags)?;
        configure(&connection)?;
        // Negative numbers are sizes, others would be numbers of pages.
        connection.pragma_update(None, "cache_size", -READER_CACHE)?;
        connection.pragma_update(None, "mmap_size", self.shared.layout.mapped)?;
        Ok(connection)
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database")
            .field("path", &self.shared.path)
            .finish_non_exhaustive()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // Closing the channel ends the writer's loop after what is queued.
        drop(self.changes.take());
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

fn configure(connection: &Connection) -> Result<(), StoreError> {
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    // Otherwise the planner looks at bound values, and plans a cached statement
    // anew for each set of them, which takes longer than our queries.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

fn migrate(connection: &mut Connection, migrations: &[&str]) -> Result<(), StoreError> {
    let done: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let done = done as usize;
    if done > migrations.len() {
        return Err(StoreError::NewerSchema {
            found: done,
            known: migrations.len(),
        });
    }
    for (index, sql) in migrations.iter().enumerate().skip(done) {
        let step = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        step.execute_batch(sql)?;
        step.pragma_update(None, "user_version", (index + 1) as u32)?;
        step.commit()?;
    }
    Ok(())
}

fn write_loop(
    connection: &mut Connection,
    waiting: &mpsc::Receiver<Change>,
    committed: &watch::Sender<()>,
) {
    while let Ok(first) = waiting.recv() {
        let mut group = vec![first];
        while group.len() < GROUP_LIMIT {
            let Ok(next) = waiting.try_recv() else { break };
            group.push(next);
        }
        commit_group(connection, group);
        committed.send_replace(());
    }
}

fn commit_group(connection: &mut Connection, group: Vec<Change>) {
    let mut group = group.into_iter();
    let mut answers = Vec::with_capacity(group.len());
    let failure = run_group(connection, &mut group, &mut answers).err();
    let failed = |reason: &String| StoreError::Commit(reason.clone());
    if let Some(reason) = &failure {
        let unrun = group.map(|change| change(Err(failed(reason))).answer);
        answers.extend(unrun);
    }
    for answer in answers {
        answer(
            failure
                .as_ref()
                .map_or(Ok(()), |reason| Err(failed(reason))),
        );
    }
}

/// Runs the changes and commits them. After an error none of them has happened,
/// and those that are left in `group` have not run.
fn run_group(
    connection: &mut Connection,
    group: &mut impl Iterator<Item = Change>,
    answers: &mut Vec<Answer>,
) -> Result<(), String> {
    let said = |error: rusqlite::Error| error.to_string();
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(said)?;
    for change in group {
        let Ran { answer, intact } = change(Ok(&transaction));
        answers.push(answer);
        if !intact {
            return Err("the transaction was undone with a change that failed".to_owned());
        }
    }
    transaction.commit().map_err(said)
}

/// Runs a change in a savepoint of its own; an error or a panic undoes it.
/// Answers besides whether the transaction around it is intact.
fn in_savepoint<T, E>(
    group: &Transaction<'_>,
    change: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
) -> (Result<T, E>, bool)
where
    E: From<StoreError> + From<rusqlite::Error>,
{
    if let Err(error) = group.execute_batch("SAVEPOINT change") {
        return (Err(E::from(error)), false);
    }
    // What the change owned is gone after a panic, and what it did to the
    // database is undone below: nobody sees it half done.
    let outcome = catch_unwind(AssertUnwindSafe(|| change(group)))
        .unwrap_or_else(|_| Err(E::from(StoreError::Panicked)));
    let (outcome, settled) = match outcome {
        Ok(value) => match group.execute_batch("RELEASE change") {
            Ok(()) => (Ok(value), true),
            Err(error) => (Err(E::from(error)), false),
        },
        Err(error) => {
            let undone = group.execute_batch("ROLLBACK TO change; RELEASE change");
            (Err(error), undone.is_ok())
        }
    };
    (outcome, settled && !group.is_autocommit())
}

#[cfg(test)]
#[path = "database_tests.rs"]
mod tests;
