//! Which jobs of a block meet a condition, by its columns alone.
//!
//! A condition is asked of those jobs only that what was asked before has left, and columns
//! are read when they are asked, so that a search which soon leaves few costs little.

use std::collections::BTreeSet;

use kiln_store::{BLOCK_BITS, StoreError};

use super::catalogue;
use super::column::Column;
use super::comparison::Test;
use super::expression::{Condition, Filter};
use super::objects::Objects;
use super::property::Property;
use super::selection::Selection;
use crate::JobError;

/// What every job has, and no property is called: its column says which jobs there are.
pub const EVERYBODY: &str = "*";
/// Jobs of a block.
const JOBS: usize = 1 << BLOCK_BITS;

/// Reads the column of the property at a place, if any job has it.
type Read<'a> = &'a dyn Fn(usize) -> Result<Option<&'a [u8]>, StoreError>;

/// The columns of a block that a search looks at.
pub struct Columns<'a> {
    properties: &'a [&'a str],
    read: Read<'a>,
}

impl<'a> Columns<'a> {
    /// Those of these properties: first that of everybody, then the others by name.
    pub fn new(properties: &'a [&'a str], read: Read<'a>) -> Self {
        Self { properties, read }
    }

    /// The column of a property, if any job has it.
    pub fn column(&self, property: &str) -> Result<Option<Column<'a>>, JobError> {
        let place = match self.properties {
            [EVERYBODY, ..] if property == EVERYBODY => Some(0),
            [_, others @ ..] => others.binary_search(&property).ok().map(|place| place + 1),
            [] => None,
        };
        let bytes = match place {
            Some(place) => (self.read)(place)?,
            None => None,
        };
        Ok(bytes.map(Column::read).transpose()?)
    }

    /// All jobs.
    pub fn everybody(&self) -> Result<Selection, JobError> {
        let column = self.column(EVERYBODY)?;
        Ok(column.map_or(Selection::NONE, |column| column.jobs().clone()))
    }

    /// Those of some jobs that meet a condition.
    pub fn meeting(&self, condition: &Condition, among: &Selection) -> Result<Selection, JobError> {
        match condition {
            Condition::All(conditions) => {
                let mut left = among.clone();
                for condition in conditions {
                    if left.is_empty() {
                        break;
                    }
                    left = self.meeting(condition, &left)?;
                }
                Ok(left)
            }
            Condition::Any(conditions) => {
                let mut left = among.clone();
                for condition in conditions {
                    if left.is_empty() {
                        break;
                    }
                    left = left.without(&self.meeting(condition, &left)?);
                }
                Ok(among.without(&left))
            }
            Condition::Filter(filter) => self.passing(&filter.property.name, &filter.test, among),
            Condition::Nested(outer, filters) => self.holding(outer, filters, among),
        }
    }

    /// Those whose values of a property pass a test.
    fn passing(
        &self,
        property: &str,
        test: &Test,
        among: &Selection,
    ) -> Result<Selection, JobError> {
        match self.column(property)? {
            Some(column) => Ok(column.passing(test, among)?),
            None if test.holds([]) => Ok(among.clone()),
            None => Ok(Selection::NONE),
        }
    }

    /// Those with an object that passes all filters.
    fn holding(
        &self,
        outer: &Property,
        filters: &[Filter],
        among: &Selection,
    ) -> Result<Selection, JobError> {
        let Some(outer_column) = self.column(&outer.name)? else {
            return Ok(Selection::NONE);
        };
        // What is in no list is one object, whatever lists there are in it.
        let listed = catalogue::is_listed(&outer.name);
        let mut holding = among.and(outer_column.jobs());
        let mut asked = Vec::new();
        for Filter { property, test } in filters {
            let (comparison, wanted) = test.parts();
            match self.column(&property.name)? {
                // One of a job's objects at least must pass, which is soon found out.
                Some(column) if wanted => {
                    holding = column.passing(test, &holding)?;
                    asked.push((column, comparison, wanted));
                }
                Some(column) => asked.push((column, comparison, wanted)),
                None if wanted => return Ok(Selection::NONE),
                None => {}
            }
            if holding.is_empty() {
                return Ok(holding);
            }
        }
        let mut left = vec![Objects::default(); JOBS];
        outer_column.each_objects(&holding, listed, None, |place, all| {
            left[usize::from(place)].clone_from(all);
        })?;
        for (column, comparison, wanted) in asked {
            let mut none = Selection::NONE;
            column.each_objects(&holding, listed, comparison, |place, met| {
                let left = &mut left[usize::from(place)];
                left.keep(met, wanted);
                if left.is_empty() {
                    none.insert(place);
                }
            })?;
            holding = holding.without(&none);
        }
        Ok(holding)
    }
}

impl Condition {
    /// The properties whose columns it looks at.
    pub fn properties<'a>(&'a self, found: &mut BTreeSet<&'a str>) {
        match self {
            Self::All(conditions) | Self::Any(conditions) => {
                conditions.iter().for_each(|one| one.properties(found));
            }
            Self::Filter(filter) => {
                found.insert(&filter.property.name);
            }
            Self::Nested(outer, filters) => {
                found.insert(&outer.name);
                found.extend(filters.iter().map(|filter| filter.property.name.as_str()));
            }
        }
    }
}
