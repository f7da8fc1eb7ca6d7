//! The index that searches look into: what jobs have of each property, as columns, in
//! blocks of jobs whose rows follow each other.
//!
//! What a column says is not known here. The index may lag behind the jobs, and says where:
//! a job is marked in the transaction that changes it, and until its block has been written
//! anew, what the index has of it does not count. The index has a file and a writer of its
//! own, so that writing a block holds up no change of a job.

mod binding;

use std::path::Path;

use rusqlite::fallible_streaming_iterator::FallibleStreamingIterator;
use rusqlite::{Rows, Statement, params};
use tokio::sync::watch;

use crate::database::Layout;
use crate::{Database, JobDocument, StoreError, job_list};

pub(crate) use binding::JOBS_SCHEMA as BINDING;

/// Jobs whose rows differ in their last bits only are in one block: small enough to be
/// written anew for a few changes, large enough that there are few of them.
pub const BLOCK_BITS: u32 = 10;

/// A column of different values is one page, and not ten. Searches read all of a column, and
/// copying it out of the system's cache would take as long as comparing its values.
const LAYOUT: Layout = Layout {
    page: 32 * 1024,
    mapped: 1 << 30,
};

/// In the file of the jobs. Only training jobs can be searched for. A mark is replaced by
/// hand, since a trigger resolves conflicts as the statement does that fires it.
pub(crate) const MARKS: &str = "
CREATE TABLE search_marks (
  change INTEGER PRIMARY KEY AUTOINCREMENT,
  job INTEGER NOT NULL UNIQUE
);
INSERT INTO search_marks (job) SELECT id FROM jobs WHERE kind = 'training-job' ORDER BY id;
CREATE TRIGGER search_job_new AFTER INSERT ON jobs WHEN new.kind = 'training-job' BEGIN
  DELETE FROM search_marks WHERE job = new.id;
  INSERT INTO search_marks (job) VALUES (new.id);
END;
CREATE TRIGGER search_job_changed AFTER UPDATE OF description ON jobs
WHEN new.kind = 'training-job' BEGIN
  DELETE FROM search_marks WHERE job = new.id;
  INSERT INTO search_marks (job) VALUES (new.id);
END;
CREATE TRIGGER search_job_gone AFTER DELETE ON jobs WHEN old.kind = 'training-job' BEGIN
  DELETE FROM search_marks WHERE job = old.id;
  INSERT INTO search_marks (job) VALUES (old.id);
END;
CREATE TRIGGER search_tag_new AFTER INSERT ON tags BEGIN
  DELETE FROM search_marks WHERE job IN
    (SELECT id FROM jobs WHERE arn = new.arn AND kind = 'training-job');
  INSERT INTO search_marks (job)
    SELECT id FROM jobs WHERE arn = new.arn AND kind = 'training-job';
END;
CREATE TRIGGER search_tag_changed AFTER UPDATE ON tags BEGIN
  DELETE FROM search_marks WHERE job IN
    (SELECT id FROM jobs WHERE arn = new.arn AND kind = 'training-job');
  INSERT INTO search_marks (job)
    SELECT id FROM jobs WHERE arn = new.arn AND kind = 'training-job';
END;
CREATE TRIGGER search_tag_gone AFTER DELETE ON tags BEGIN
  DELETE FROM search_marks WHERE job IN
    (SELECT id FROM jobs WHERE arn = old.arn AND kind = 'training-job');
  INSERT INTO search_marks (job)
    SELECT id FROM jobs WHERE arn = old.arn AND kind = 'training-job';
END;
";

const COLUMNS: &str = "
CREATE TABLE search_columns (
  id INTEGER PRIMARY KEY,
  property TEXT NOT NULL,
  block INTEGER NOT NULL,
  content BLOB NOT NULL
);
CREATE UNIQUE INDEX search_columns_by_property ON search_columns (property, block);
CREATE INDEX search_columns_by_block ON search_columns (block);
";

/// A job that has changed since the index was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SearchMark {
    /// The number of the change; each has another.
    pub change: i64,
    /// The job's row.
    pub row: i64,
}

/// The index, and the marks of the jobs that it is behind with.
#[derive(Debug, Clone)]
pub struct SearchIndex {
    jobs: Database,
    columns: Database,
}

/// Which of the blocks are visited, and in which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Visit {
    /// Against the order of their numbers.
    pub descending: bool,
    /// So many visits share the blocks.
    pub visits: i64,
    /// Which of these visits it is, from nought.
    pub number: i64,
}

/// One block of the index, while it is visited.
#[derive(Debug)]
pub struct SearchBlock<'a> {
    /// The number of the block.
    pub block: i64,
    cursors: &'a [Cursor<'a>],
}

impl SearchBlock<'_> {
    /// The column of the property that was asked for at this place, which is read now; `None`
    /// if no job of the block has the property.
    ///
    /// # Errors
    /// The database's failure.
    pub fn column(&self, place: usize) -> Result<Option<&[u8]>, StoreError> {
        match self.cursors.get(place) {
            Some(cursor) => cursor.column(self.block),
            None => Ok(None),
        }
    }
}

impl SearchIndex {
    /// Opens or creates the index of jobs.
    pub(crate) fn open(path: &Path, jobs: Database) -> Result<Self, StoreError> {
        Ok(Self {
            jobs,
            columns: Database::open_with(path, &[COLUMNS, binding::INDEX_SCHEMA], LAYOUT)?,
        })
    }

    /// Changes whenever a change of jobs has been committed.
    #[must_use]
    pub fn commits(&self) -> watch::Receiver<()> {
        self.jobs.commits()
    }

    /// The marks of so many jobs at most, by row.
    ///
    /// # Errors
    /// The database's failure.
    pub fn marks(&self, limit: usize) -> Result<Vec<SearchMark>, StoreError> {
        self.jobs.read(|connection| {
            let mut query = connection
                .prepare_cached("SELECT change, job FROM search_marks ORDER BY job LIMIT ?1")?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let marks = query.query_map([limit], |row| {
                Ok(SearchMark {
                    change: row.get(0)?,
                    row: row.get(1)?,
                })
            })?;
            Ok(marks.collect::<Result<_, _>>()?)
        })
    }

    /// Takes marks off, of jobs that have not changed again.
    ///
    /// # Errors
    /// The database's failure.
    pub async fn unmark(&self, marks: Vec<SearchMark>) -> Result<(), StoreError> {
        self.jobs
            .write(move |tx| {
                let mut delete = tx.prepare_cached("DELETE FROM search_marks WHERE change = ?1")?;
                for mark in &marks {
                    delete.execute([mark.change])?;
                }
                let last = marks.iter().map(|mark| mark.change).max();
                binding::unmarked(tx, last.unwrap_or_default())?;
                Ok(())
            })
            .await
    }

    /// The descriptions and tags of the jobs in a block, by row.
    ///
    /// # Errors
    /// The database's failure.
    pub fn documents(&self, kind: &str, block: i64) -> Result<Vec<JobDocument>, StoreError> {
        let first = block << BLOCK_BITS;
        let last = first + (1 << BLOCK_BITS) - 1;
        self.jobs
            .read(|connection| job_list::documents_between(connection, kind, (first, last)))
    }

    /// Writes a block anew: its columns by property, as they are after all changes up
    /// to a number.
    ///
    /// # Errors
    /// The database's failure.
    pub async fn write(
        &self,
        block: i64,
        columns: Vec<(String, Vec<u8>)>,
        through: i64,
    ) -> Result<(), StoreError> {
        self.columns
            .write(move |tx| {
                tx.prepare_cached("DELETE FROM search_columns WHERE block = ?1")?
                    .execute([block])?;
                let mut insert = tx.prepare_cached(
                    "INSERT INTO search_columns (property, block, content) VALUES (?1, ?2, ?3)",
                )?;
                for (property, content) in columns {
                    insert.execute(params![property, block, content])?;
                }
                binding::written(tx, through)?;
                Ok(())
            })
            .await
    }

    /// Visits its share of the blocks, as they are at one moment. The first of the properties
    /// must be one that all jobs have.
    ///
    /// # Errors
    /// What the visit returns, or the database's failure.
    pub fn visit<E: From<StoreError> + From<rusqlite::Error>>(
        &self,
        properties: &[&str],
        visit: Visit,
        mut each: impl FnMut(&SearchBlock<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let order = if visit.descending { "DESC" } else { "ASC" };
        let sql = format!(
            "SELECT block, content FROM search_columns
             WHERE property = ?1 AND block % ?2 = ?3 ORDER BY block {order}"
        );
        self.columns.read(|connection| {
            let snapshot = connection.unchecked_transaction()?;
            let statements = properties.iter().map(|_| snapshot.prepare_cached(&sql));
            let mut statements = statements.collect::<Result<Vec<_>, _>>()?;
            let opened = statements.iter_mut().zip(properties);
            let opened =
                opened.map(|(statement, property)| Cursor::open(statement, property, visit));
            let mut cursors = opened.collect::<Result<Vec<_>, _>>()?;
            while let Some(block) = cursors.first().and_then(|cursor| cursor.block) {
                each(&SearchBlock {
                    block,
                    cursors: &cursors,
                })?;
                for cursor in &mut cursors {
                    cursor.leave(block)?;
                }
            }
            Ok(())
        })
    }
}

/// Where a visit is in the blocks of one property.
struct Cursor<'a> {
    rows: Rows<'a>,
    block: Option<i64>,
}

impl<'a> Cursor<'a> {
    fn open(
        statement: &'a mut Statement<'_>,
        property: &str,
        visit: Visit,
    ) -> Result<Self, rusqlite::Error> {
        let mut cursor = Self {
            rows: statement.query(params![property, visit.visits, visit.number])?,
            block: None,
        };
        cursor.advance()?;
        Ok(cursor)
    }

    fn advance(&mut self) -> Result<(), rusqlite::Error> {
        self.rows.advance()?;
        self.block = self.rows.get().map(|row| row.get(0)).transpose()?;
        Ok(())
    }

    fn leave(&mut self, block: i64) -> Result<(), rusqlite::Error> {
        match self.block == Some(block) {
            true => self.advance(),
            false => Ok(()),
        }
    }

    fn column(&self, block: i64) -> Result<Option<&[u8]>, StoreError> {
        let row = self.rows.get().filter(|_| self.block == Some(block));
        let content = row.map(|row| row.get_ref(1)).transpose()?;
        let blob = content.map(|content| content.as_blob()).transpose();
        Ok(blob.map_err(rusqlite::Error::from)?)
    }
}

impl std::fmt::Debug for Cursor<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cursor")
            .field("block", &self.block)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "search_index_tests.rs"]
mod tests;
