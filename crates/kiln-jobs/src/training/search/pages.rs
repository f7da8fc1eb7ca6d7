//! The results of one page: where each stands, and how many there are in all.
//!
//! However many jobs there are, few are held at a time. What the store can say by its
//! indexes is asked of the store. Otherwise the jobs' records pass by in batches, and an
//! order that the store has no index of is found by keeping the first few of all.

use kiln_store::{JobDocument, ListQuery, Place, SortKey};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::{KIND, TrainingJobs};
use super::expression::Condition;
use super::order::{Key, Leading, Order, Standing};
use super::property::Property;
use super::{Search, record};
use crate::JobError;

/// Records that are held at a time.
const BATCH: u32 = 250;
/// Matches are counted so far by the store. Where records must be looked at, so many more
/// are when a page is full.
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
    Property(Standing),
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
        match &search.order {
            Order::Property(property) => self.leading(search, property),
            Order::Column(sort) if search.condition.is_none() => self.listed(search, *sort),
            Order::Column(sort) => self.filtered(search, *sort),
        }
    }

    /// The page where the store can answer everything.
    fn listed(&self, search: &Search, sort: SortKey) -> Result<Found, JobError> {
        let jobs = &self.shared.store.jobs;
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

    /// The page in a column's order, of jobs whose records match.
    fn filtered(&self, search: &Search, sort: SortKey) -> Result<Found, JobError> {
        let (mut places, mut count, mut beyond) = (Vec::new(), 0_u64, 0_u32);
        let mut after = search.after();
        let exact = loop {
            let batch = self.batch(search, sort, after)?;
            for document in &batch {
                if search.matches(document)? {
                    count += 1;
                    if places.len() < search.wanted() {
                        places.push(ResultPlace::Column(document.place.clone()));
                    }
                }
            }
            if batch.len() < BATCH as usize {
                break true;
            }
            if places.len() == search.wanted() {
                beyond += BATCH;
            }
            if beyond > 0 && (beyond >= COUNTED || search.before.is_some()) {
                break false;
            }
            after = batch.last().map(|document| document.place.clone());
        };
        let counted = Hits { count, exact };
        let hits = search.before.as_ref().map_or(counted, |before| before.hits);
        Ok(Found { places, hits })
    }

    /// The page in the order of any property, which takes a look at all jobs.
    fn leading(&self, search: &Search, property: &Property) -> Result<Found, JobError> {
        let before = match &search.before {
            Some(PageEnd {
                place: ResultPlace::Property(standing),
                ..
            }) => Some(standing.clone()),
            _ => None,
        };
        let mut leading = Leading::new(search.query.descending, before, search.wanted());
        let (mut count, mut after) = (0, None);
        loop {
            let batch = self.batch(search, SortKey::Created, after)?;
            for document in &batch {
                let record = search.record(document)?;
                if search.meets(&record) {
                    count += 1;
                    leading.offer(Standing {
                        key: Key::of(property, &record),
                        row: document.place.row,
                    });
                }
            }
            if batch.len() < BATCH as usize {
                break;
            }
            after = batch.last().map(|document| document.place.clone());
        }
        let places = leading.settled().into_iter();
        Ok(Found {
            places: places.map(ResultPlace::Property).collect(),
            hits: Hits { count, exact: true },
        })
    }

    fn batch(
        &self,
        search: &Search,
        sort: SortKey,
        after: Option<Place>,
    ) -> Result<Vec<JobDocument>, JobError> {
        let query = ListQuery {
            sort,
            after,
            limit: BATCH,
            ..search.query.clone()
        };
        let tagged = search.members.contains("Tags");
        Ok(self.shared.store.jobs.documents(KIND, &query, tagged)?)
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

    fn record(&self, document: &JobDocument) -> Result<Value, JobError> {
        Ok(record::partial(document, &self.members)?)
    }

    fn meets(&self, record: &Value) -> bool {
        let holds = |condition: &Condition| condition.holds(record);
        self.condition.as_ref().is_none_or(holds)
    }

    fn matches(&self, document: &JobDocument) -> Result<bool, JobError> {
        Ok(self.meets(&self.record(document)?))
    }
}
