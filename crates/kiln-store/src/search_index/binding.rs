//! Whether an index is of these jobs, and of these properties.
//!
//! The index and the jobs are two files, which somebody may restore apart, and
//! another release of Kiln may know other properties. Both files hold the same
//! random name, and the numbers of changes tell which of them is older than the
//! other thinks: no change is taken off the jobs' marks before it is in the index,
//! and none is in the index that the jobs have not counted.

use rusqlite::{Connection, OptionalExtension, Transaction};

use super::SearchIndex;
use crate::StoreError;

/// In the file of the jobs: the index that their marks are of, and the last change
/// that was taken off them.
pub(crate) const JOBS_SCHEMA: &str = "
CREATE TABLE search_binding (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  name TEXT NOT NULL,
  unmarked INTEGER NOT NULL
);
INSERT INTO search_binding VALUES (1, '', 0);
";

/// In the file of the index: its name, the properties that it knows, and the last
/// change that is in it.
pub(super) const INDEX_SCHEMA: &str = "
CREATE TABLE search_binding (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  name TEXT NOT NULL,
  catalogue TEXT NOT NULL,
  written INTEGER NOT NULL
);
";

/// What marks all jobs, for an index that starts from nothing.
const MARK_ALL: &str = "
INSERT INTO search_marks (job) SELECT id FROM jobs WHERE kind = 'training-job'
  AND id NOT IN (SELECT job FROM search_marks) ORDER BY id;
";

/// What the index says of itself.
struct Index {
    name: String,
    catalogue: String,
    written: i64,
}

/// What the jobs say of their index.
struct Jobs {
    name: String,
    unmarked: i64,
    /// The last change that was counted.
    counted: i64,
}

fn fit(index: &Index, jobs: &Jobs, catalogue: &str) -> bool {
    index.name == jobs.name
        && index.catalogue == catalogue
        && (jobs.unmarked..=jobs.counted).contains(&index.written)
}

impl SearchIndex {
    /// Makes sure that the index is of these jobs and knows the properties that the
    /// catalogue names; one that is not is emptied, and all jobs are marked. Nobody
    /// searches before.
    ///
    /// # Errors
    /// The database's failure.
    pub async fn bind(&self, catalogue: &str) -> Result<(), StoreError> {
        let index = self.columns.read(read_index)?;
        let jobs = self.jobs.read(read_jobs)?;
        if index.is_some_and(|index| fit(&index, &jobs, catalogue)) {
            return Ok(());
        }
        let catalogue = catalogue.to_owned();
        // A crash before the second commit leaves names that differ, and it goes as now.
        let renew = move |tx: &Transaction<'_>| renew(tx, &catalogue, jobs.counted);
        let name = self.columns.write(renew).await?;
        self.jobs
            .write(move |tx| {
                tx.execute_batch(MARK_ALL)?;
                tx.execute("UPDATE search_binding SET name = ?1, unmarked = 0", [&name])?;
                Ok(())
            })
            .await
    }
}

/// Empties an index, and gives it a new name, which is answered.
fn renew(tx: &Transaction<'_>, catalogue: &str, counted: i64) -> Result<String, StoreError> {
    tx.execute("DELETE FROM search_columns", [])?;
    let name = tx.query_row(
        "INSERT OR REPLACE INTO search_binding VALUES (1, hex(randomblob(16)), ?1, ?2)
         RETURNING name",
        (catalogue, counted),
        |row| row.get(0),
    );
    Ok(name?)
}

/// Says that changes up to this one are in the index.
pub(super) fn written(tx: &Transaction<'_>, through: i64) -> Result<(), rusqlite::Error> {
    tx.prepare_cached("UPDATE search_binding SET written = max(written, ?1)")?
        .execute([through])
        .map(drop)
}

/// Says that this change is taken off the marks.
pub(super) fn unmarked(tx: &Transaction<'_>, change: i64) -> Result<(), rusqlite::Error> {
    tx.prepare_cached("UPDATE search_binding SET unmarked = max(unmarked, ?1)")?
        .execute([change])
        .map(drop)
}

fn read_index(connection: &Connection) -> Result<Option<Index>, StoreError> {
    let mut query =
        connection.prepare_cached("SELECT name, catalogue, written FROM search_binding")?;
    let read = query.query_row([], |row| {
        Ok(Index {
            name: row.get(0)?,
            catalogue: row.get(1)?,
            written: row.get(2)?,
        })
    });
    Ok(read.optional()?)
}

fn read_jobs(connection: &Connection) -> Result<Jobs, StoreError> {
    let mut query = connection.prepare_cached(
        "SELECT name, unmarked,
           coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'search_marks'), 0)
         FROM search_binding",
    )?;
    let read = query.query_row([], |row| {
        Ok(Jobs {
            name: row.get(0)?,
            unmarked: row.get(1)?,
            counted: row.get(2)?,
        })
    });
    Ok(read?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_index_of_these_very_jobs_and_properties_will_do() {
        let fits = |name: &str, catalogue: &str, written, unmarked, counted| {
            let index = Index {
                name: name.to_owned(),
                catalogue: catalogue.to_owned(),
                written,
            };
            let jobs = Jobs {
                name: "a".to_owned(),
                unmarked,
                counted,
            };
            fit(&index, &jobs, "c")
        };
        let cases = [
            (fits("a", "c", 5, 5, 5), true),
            // It was written, and the marks were not taken off: a crash.
            (fits("a", "c", 5, 3, 7), true),
            (fits("b", "c", 5, 5, 5), false),
            (fits("a", "d", 5, 5, 5), false),
            // The index was restored.
            (fits("a", "c", 4, 5, 7), false),
            // The jobs were.
            (fits("a", "c", 5, 3, 4), false),
        ];
        for (place, (fits, expected)) in cases.into_iter().enumerate() {
            assert_eq!(fits, expected, "case {place}");
        }
    }
}
