//! The results of one page: where each stands, and how many there are in all.
//!
//! What the store can say by its own indexes is asked of the store. Everything else is
//! answered by the columns of the search index, block by block, while the first few of all
//! that match are kept; jobs that the index is behind with are read instead.

use std::collections::{BTreeSet, HashMap};
use std::thread;

use kiln_store::{JobDocument, ListQuery, Place, SearchBlock, SearchMark, SortKey, Visit};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::{KIND, TrainingJobs};
use super::columns::{Columns, EVERYBODY};
use super::indexing::{block, place, row};
use super::order::{Key, Leading, Standing};
use super::property::PropertyKind;
use super::scalar::Scalar;
use super::selection::Selection;
use super::{Search, record};
use crate::JobError;

/// Records that are held at a time.
const BATCH: usize = 250;
/// Matches are counted so far by the store; the index counts them all.
const COUNTED: u32 = 1000;

/// How far the pages before have come.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct PageEnd {
    pub(super) place: ResultPlace,
    pub(super) hits: Hits,
}

/// A place among results.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum ResultPlace {
    Column(Place),
    Property(Standing<String>),
}

impl ResultPlace {
    pub(super) fn row(&self) -> i64 {
        match self {
            Self::Column(place) => place.row,
            Self::Property(standing) => standing.row,
        }
    }
}

/// How many jobs match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Hits {
    pub(super) count: u64,
    /// Whether there are no more.
    pub(super) exact: bool,
}

/// The places of a page's results and of the one after, and how many there are in all.
pub(super) struct Found {
    pub(super) places: Vec<ResultPlace>,
    pub(super) hits: Hits,
}

impl TrainingJobs {
    /// Finds the results of a search's page.
    pub(super) fn find_page(&self, search: &Search) -> Result<Found, JobError> {
        match search.order.column {
            Some(sort) if search.exact => self.listed(search, sort),
            _ => self.leading(search),
        }
    }

    /// The page where the store can answer everything.
    fn listed(&self, search: &Search, sort: SortKey) -> Result<Found, JobError> {
        let jobs = &self.shared.plane.store.jobs;
        let query = ListQuery {
            sort,
            after: search.after(),
            limit: search.wanted() as u32,
            ..search.query.clone()
        };
        let found = jobs.list(KIND, &query)?;
        let hits = match &search.before {
            Some(before) => before.hits,
            None => {
                let limit = COUNTED;
                let counted = jobs.count(KIND, &ListQuery { limit, ..query })?;
                Hits {
                    count: counted.into(),
                    exact: counted < COUNTED,
                }
            }
        };
        let places = found.into_iter();
        Ok(Found {
            places: places.map(|job| ResultPlace::Column(job.place)).collect(),
            hits,
        })
    }

    /// The page in any order, of all jobs that meet the condition.
    fn leading(&self, search: &Search) -> Result<Found, JobError> {
        // The marks first: whatever changes from now on, the index has the jobs without one
        // as they are or were.
        let marks = self.shared.plane.store.search.marks(usize::MAX)?;
        let mut pass = self.pass_by_columns(search, &marks)?;
        self.pass_by_documents(&mut pass, &marks)?;
        let counted = Hits {
            count: pass.count,
            exact: true,
        };
        let places = pass.leading.settled().into_iter();
        Ok(Found {
            places: places.map(ResultPlace::Property).collect(),
            hits: search.before.as_ref().map_or(counted, |before| before.hits),
        })
    }

    /// The jobs in the index pass by, half of the blocks at the same time as the others.
    fn pass_by_columns<'a>(
        &self,
        search: &'a Search,
        marks: &[SearchMark],
    ) -> Result<Pass<'a>, JobError> {
        let mut behind: HashMap<i64, Selection> = HashMap::new();
        for mark in marks {
            let changed = behind.entry(block(mark.row)).or_insert(Selection::NONE);
            changed.insert(place(mark.row));
        }
        let properties = search.properties();
        let half = |number| {
            let visit = Visit {
                descending: search.query.descending,
                visits: 2,
                number,
            };
            let mut pass = Pass::new(search);
            let index = &self.shared.plane.store.search;
            index.visit(&properties, visit, |visited| {
                pass.block(&properties, visited, behind.get(&visited.block))
            })?;
            Ok::<_, JobError>(pass)
        };
        thread::scope(|scope| {
            let other = thread::Builder::new().spawn_scoped(scope, || half(1));
            let mut pass = half(0)?;
            let other = match other {
                Ok(other) => other
                    .join()
                    .unwrap_or_else(|_| Err(JobError::Internal("a search panicked".to_owned()))),
                // There are as many threads as there may be.
                Err(_) => half(1),
            };
            pass.join(other?);
            Ok(pass)
        })
    }

    fn pass_by_documents(&self, pass: &mut Pass<'_>, marks: &[SearchMark]) -> Result<(), JobError> {
        for marks in marks.chunks(BATCH) {
            let rows: Vec<i64> = marks.iter().map(|mark| mark.row).collect();
            for document in self.shared.plane.store.jobs.documents_at(KIND, &rows)? {
                pass.document(&document)?;
            }
        }
        Ok(())
    }
}

/// The jobs pass by: those that match are counted, and the first few kept.
struct Pass<'a> {
    search: &'a Search,
    leading: Leading,
    count: u64,
}

impl<'a> Pass<'a> {
    fn new(search: &'a Search) -> Self {
        let before = match &search.before {
            Some(PageEnd {
                place: ResultPlace::Property(standing),
                ..
            }) => Some(standing.clone()),
            _ => None,
        };
        Self {
            search,
            leading: Leading::new(search.query.descending, before, search.wanted()),
            count: 0,
        }
    }

    /// The jobs of a block, without those that have changed.
    fn block(
        &mut self,
        properties: &[&str],
        visited: &SearchBlock<'_>,
        changed: Option<&Selection>,
    ) -> Result<(), JobError> {
        let read = |place| visited.column(place);
        let columns = Columns::new(properties, &read);
        let mut among = columns.everybody()?;
        if let Some(changed) = changed {
            among = among.without(changed);
        }
        let matching = columns.meeting(&self.search.condition, &among)?;
        if matching.is_empty() {
            return Ok(());
        }
        self.count += matching.count() as u64;
        let (property, leading) = (&self.search.order.property, &mut self.leading);
        let reach = leading.reach();
        let mut offer = |place: u16, key: Option<Key<&str>>| {
            let row = row(visited.block, place);
            leading.offer(Standing { key, row });
        };
        let mut rest = matching;
        if let Some(column) = columns.column(&property.name)? {
            let numerals = property.kind == PropertyKind::HyperParameter;
            let leading = match reach {
                Some(reach) => column.perhaps_within(reach, numerals, &rest),
                None => rest.clone(),
            };
            column.each(
                &leading,
                |items| Key::of(property, items.first().map(|one| one.scalar)),
                |place, key| offer(place, *key),
            )?;
            rest = rest.without(column.jobs());
        }
        if reach.is_none() {
            rest.places().for_each(|place| offer(place, None));
        }
        Ok(())
    }

    /// What has passed by elsewhere.
    fn join(&mut self, other: Self) {
        self.count += other.count;
        for standing in other.leading.settled() {
            self.leading.offer(standing.view());
        }
    }

    /// A job by its documents.
    fn document(&mut self, document: &JobDocument) -> Result<(), JobError> {
        let record: Value = record::partial(document, &self.search.members)?;
        if self.search.condition.holds(&record) {
            self.count += 1;
            let property = &self.search.order.property;
            let values = Scalar::all(&property.values(&record));
            self.leading.offer(Standing {
                key: Key::of(property, values.first().copied()),
                row: document.place.row,
            });
        }
        Ok(())
    }
}

impl Search {
    /// How many results are looked for: one more than fit, to know whether there is one.
    fn wanted(&self) -> usize {
        self.size + 1
    }

    fn after(&self) -> Option<Place> {
        match &self.before {
            Some(PageEnd {
                place: ResultPlace::Column(place),
                ..
            }) => Some(place.clone()),
            _ => None,
        }
    }

    /// The properties whose columns are looked at; first that of everybody.
    fn properties(&self) -> Vec<&str> {
        let mut properties = BTreeSet::from([self.order.property.name.as_str()]);
        self.condition.properties(&mut properties);
        std::iter::once(EVERYBODY).chain(properties).collect()
    }
}
