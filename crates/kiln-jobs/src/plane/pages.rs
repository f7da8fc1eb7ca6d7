//! One page of a list, and the token for the next.

use kiln_store::{JobDocument, JobSummary, ModelEntry, Place, StoreError};
use serde::Serialize;

use super::{Plane, page_token};
use crate::JobError;

/// Entries on a page when the request does not say.
const DEFAULT_SIZE: i32 = 10;

/// Which page is wanted.
pub(crate) struct Wanted<'a> {
    /// The operation that asks.
    pub(crate) operation: &'static str,
    /// The token of the page before.
    pub(crate) token: Option<&'a str>,
    /// How many entries at most.
    pub(crate) size: Option<i32>,
}

/// A page.
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    /// The token for what follows, if anything does.
    pub(crate) next: Option<String>,
}

/// An entry of a list that can be followed by another page.
pub(crate) trait Placed {
    /// Where it stands.
    fn place(&self) -> &Place;
}

impl Placed for JobSummary {
    fn place(&self) -> &Place {
        &self.place
    }
}

impl Placed for JobDocument {
    fn place(&self) -> &Place {
        &self.place
    }
}

impl Placed for ModelEntry {
    fn place(&self) -> &Place {
        &self.place
    }
}

impl Plane {
    /// Finds a page. The request comes without its token and the size of pages, as it
    /// is alike for all pages of a list; `find` answers so many entries at most from
    /// behind a place.
    pub(crate) fn page<R: Serialize, T: Placed>(
        &self,
        wanted: &Wanted<'_>,
        alike: &R,
        find: impl FnOnce(Option<Place>, u32) -> Result<Vec<T>, StoreError>,
    ) -> Result<Page<T>, JobError> {
        let fingerprint = page_token::fingerprint(wanted.operation, alike)?;
        let read = |token| page_token::read(&self.keys, &fingerprint, token);
        let after = wanted.token.map(read).transpose()?;
        let size = wanted.size.unwrap_or(DEFAULT_SIZE).unsigned_abs();
        let mut items = find(after, size + 1)?;
        let more = items.len() > size as usize;
        items.truncate(size as usize);
        let next = items
            .last()
            .filter(|_| more)
            .map(|last| page_token::write(&self.keys, &fingerprint, last.place()));
        Ok(Page {
            next: next.transpose()?,
            items,
        })
    }
}
