//! What searches read: documents of jobs batch by batch, counts, and the keys of tags.

use rusqlite::OptionalExtension;

use crate::jobs::JobStore;
use crate::{JobDocument, ListQuery, StoreError, job_list};

impl JobStore {
    /// One page of jobs, with their descriptions, and with their tags if these are asked
    /// for.
    ///
    /// # Errors
    /// The database's failure.
    pub fn documents(
        &self,
        kind: &str,
        query: &ListQuery,
        tagged: bool,
    ) -> Result<Vec<JobDocument>, StoreError> {
        self.database
            .read(|connection| job_list::documents(connection, kind, query, tagged))
    }

    /// The descriptions and tags of some jobs, by row and in that order. Jobs that are
    /// gone are left out.
    ///
    /// # Errors
    /// The database's failure.
    pub fn documents_at(&self, kind: &str, rows: &[i64]) -> Result<Vec<JobDocument>, StoreError> {
        self.database
            .read(|connection| job_list::documents_at(connection, kind, rows))
    }

    /// How many jobs a list has on all pages together, counted no further than its limit.
    ///
    /// # Errors
    /// The database's failure.
    pub fn count(&self, kind: &str, query: &ListQuery) -> Result<u32, StoreError> {
        self.database
            .read(|connection| job_list::count(connection, kind, query))
    }

    /// The keys of tags of jobs of a kind that start with a text, in alphabetical order.
    ///
    /// # Errors
    /// The database's failure.
    pub fn tag_keys(
        &self,
        kind: &str,
        start: &str,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        self.database.read(|connection| {
            // From key to key of the index, not from tag to tag.
            let mut next = connection.prepare_cached(
                "SELECT key FROM tags WHERE key >= ?1 AND EXISTS
                   (SELECT 1 FROM jobs WHERE jobs.arn = tags.arn AND jobs.kind = ?2)
                 ORDER BY key LIMIT 1",
            )?;
            let mut keys = Vec::new();
            let mut from = start.to_owned();
            while keys.len() < limit {
                let key: Option<String> =
                    next.query_row([&from, kind], |row| row.get(0)).optional()?;
                let Some(key) = key.filter(|key| key.starts_with(start)) else {
                    break;
                };
                // The smallest text that comes after it.
                from = format!("{key}\0");
                keys.push(key);
            }
            Ok(keys)
        })
    }
}
