//! One page of a list of jobs, and the token for the next.

use kiln_store::{JobSummary, ListQuery};
use serde::Serialize;

use super::{Plane, page_token};
use crate::JobError;

/// Jobs on a page when the request does not say.
const DEFAULT_SIZE: i32 = 10;

/// Which page is wanted.
pub(crate) struct Wanted<'a> {
    /// The kind of the jobs.
    pub(crate) kind: &'static str,
    /// The operation that asks.
    pub(crate) operation: &'static str,
    /// The token of the page before.
    pub(crate) token: Option<&'a str>,
    /// How many jobs at most.
    pub(crate) size: Option<i32>,
}

/// A page.
pub(crate) struct Page {
    pub(crate) jobs: Vec<JobSummary>,
    /// The token for what follows, if anything does.
    pub(crate) next: Option<String>,
}

impl Plane {
    /// Finds a page. The request comes without its token and the size of pages, as it
    /// is alike for all pages of a list.
    pub(crate) fn page<R: Serialize>(
        &self,
        wanted: &Wanted<'_>,
        alike: &R,
        query: ListQuery,
    ) -> Result<Page, JobError> {
        let fingerprint = page_token::fingerprint(wanted.operation, alike)?;
        let read = |token| page_token::read(&self.keys, &fingerprint, token);
        let after = wanted.token.map(read).transpose()?;
        let size = wanted.size.unwrap_or(DEFAULT_SIZE).unsigned_abs();
        let query = ListQuery {
            after,
            limit: size + 1,
            ..query
        };
        let mut jobs = self.store.jobs.list(wanted.kind, &query)?;
        let more = jobs.len() > size as usize;
        jobs.truncate(size as usize);
        let next = jobs
            .last()
            .filter(|_| more)
            .map(|last| page_token::write(&self.keys, &fingerprint, &last.place));
        Ok(Page {
            next: next.transpose()?,
            jobs,
        })
    }
}
