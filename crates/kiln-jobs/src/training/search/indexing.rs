//! Keeps the index of searches close behind the jobs.

use std::collections::BTreeMap;
use std::time::Duration;

use kiln_store::{BLOCK_BITS, SearchMark};

use super::super::{KIND, TrainingJobs};
use super::catalogue::CATALOGUE;
use super::flattening::BlockWriter;
use super::record;
use crate::JobError;

/// How columns are written; another number where that changes.
const FORM: u32 = 4;
/// A search reads so many changed jobs without delay, so that there is no need to write
/// whole blocks for fewer.
const BEHIND: usize = 100;
/// Marks that are dealt with together.
const MOST_MARKS: usize = 20_000;
/// While jobs keep changing, the index is looked after so often.
const PAUSE: Duration = Duration::from_secs(2);

impl TrainingJobs {
    /// Makes sure that the index is of these jobs and of what can be searched for.
    pub(in super::super) async fn bind_index(&self) -> Result<(), JobError> {
        let properties = CATALOGUE
            .iter()
            .map(|(path, kind)| format!("{path} {kind:?}\n"));
        let properties: String = properties.collect();
        let catalogue = format!("{FORM}\n{properties}");
        Ok(self.shared.plane.store.search.bind(&catalogue).await?)
    }

    /// Writes the index, whenever it has fallen behind. Never ends.
    pub(crate) async fn keep_indexed(self) {
        let mut commits = self.shared.plane.store.search.commits();
        loop {
            if let Err(error) = self.catch_up().await {
                tracing::error!(%error, "the index of searches could not be written");
            }
            // A server that is left alone sleeps.
            if commits.changed().await.is_err() {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn catch_up(&self) -> Result<(), JobError> {
        loop {
            let index = self.shared.plane.store.search.clone();
            let marks = off_the_loop(move || Ok(index.marks(MOST_MARKS)?)).await?;
            if marks.len() <= BEHIND {
                return Ok(());
            }
            for (block, marks) in by_block(marks) {
                self.index_block(block, marks).await?;
            }
        }
    }

    /// Writes a block anew, for the jobs in it that have changed.
    pub(super) async fn index_block(
        &self,
        block: i64,
        marks: Vec<SearchMark>,
    ) -> Result<(), JobError> {
        let index = self.shared.plane.store.search.clone();
        let read = index.clone();
        let columns = off_the_loop(move || {
            let mut columns = BlockWriter::default();
            for document in read.documents(KIND, block)? {
                columns.add(place(document.place.row), &record::whole(&document)?);
            }
            Ok(columns.finish())
        });
        let last = marks.iter().map(|mark| mark.change).max();
        index
            .write(block, columns.await?, last.unwrap_or_default())
            .await?;
        Ok(index.unmark(marks).await?)
    }
}

/// The block that a row is in.
pub fn block(row: i64) -> i64 {
    row >> BLOCK_BITS
}

/// Where in its block a row is.
pub fn place(row: i64) -> u16 {
    (row & ((1 << BLOCK_BITS) - 1)) as u16
}

/// The row at a place of a block.
pub fn row(block: i64, place: u16) -> i64 {
    (block << BLOCK_BITS) | i64::from(place)
}

pub(super) fn by_block(marks: Vec<SearchMark>) -> BTreeMap<i64, Vec<SearchMark>> {
    let mut blocks: BTreeMap<i64, Vec<SearchMark>> = BTreeMap::new();
    for mark in marks {
        blocks.entry(block(mark.row)).or_default().push(mark);
    }
    blocks
}

/// Runs what takes milliseconds where nobody waits for it.
async fn off_the_loop<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, JobError> + Send + 'static,
) -> Result<T, JobError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(JobError::Internal(error.to_string())))
}
