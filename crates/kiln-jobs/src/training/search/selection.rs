//! Which jobs of a block meet a condition, by its columns alone.

use std::collections::{BTreeSet, HashMap};

use kiln_store::{BLOCK_BITS, SearchBlock};
use serde_json::{Map, Value};

use super::column::{Column, Damaged};
use super::comparison::Test;
use super::expression::Condition;

/// The property that every job has, whose column thus says which jobs there are.
pub const EVERYBODY: &str = "TrainingJobName";
/// Jobs in a block.
const JOBS: usize = 1 << BLOCK_BITS;

/// Some jobs of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection([u64; JOBS / 64]);

impl Selection {
    /// No job.
    pub const NONE: Self = Self([0; JOBS / 64]);

    /// Takes the job at a place in or out.
    pub fn set(&mut self, place: u16, within: bool) {
        let place = usize::from(place) % JOBS;
        let bit = 1 << (place % 64);
        match within {
            true => self.0[place / 64] |= bit,
            false => self.0[place / 64] &= !bit,
        }
    }

    /// Whether the job at a place is in.
    pub fn has(&self, place: u16) -> bool {
        let place = usize::from(place) % JOBS;
        self.0[place / 64] & (1 << (place % 64)) != 0
    }

    /// How many jobs are in.
    pub fn count(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    /// Leaves those that are in both.
    pub fn keep(&mut self, other: &Self) {
        for (word, other) in self.0.iter_mut().zip(other.0) {
            *word &= other;
        }
    }

    /// Takes out those that are in the other.
    pub fn remove(&mut self, other: &Self) {
        for (word, other) in self.0.iter_mut().zip(other.0) {
            *word &= !other;
        }
    }

    /// Whether no job is in.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// The places of those that are in, in order.
    pub fn places(&self) -> impl Iterator<Item = u16> + '_ {
        (0..JOBS as u16).filter(|place| self.has(*place))
    }

    fn add(&mut self, other: &Self) {
        for (word, other) in self.0.iter_mut().zip(other.0) {
            *word |= other;
        }
    }
}

/// The columns of a block that a search looks at.
#[derive(Debug)]
pub struct Columns<'a> {
    by_name: HashMap<&'a str, Column<'a>>,
    everybody: Selection,
}

impl<'a> Columns<'a> {
    /// Reads the outlines of the columns of these properties.
    pub fn read(properties: &[&'a str], block: &'a SearchBlock) -> Result<Self, Damaged> {
        let mut by_name = HashMap::new();
        for (name, column) in properties.iter().zip(&block.columns) {
            if let Some(bytes) = column {
                by_name.insert(*name, Column::read(bytes)?);
            }
        }
        let mut everybody = Selection::NONE;
        if let Some(names) = by_name.get(EVERYBODY) {
            names
                .jobs()
                .for_each(|(place, _)| everybody.set(place, true));
        }
        Ok(Self { by_name, everybody })
    }

    /// The column of a property, if any job has it.
    pub fn column(&self, property: &str) -> Option<Column<'a>> {
        self.by_name.get(property).copied()
    }

    /// The jobs that meet a condition.
    pub fn meeting(&self, condition: &Condition) -> Result<Selection, Damaged> {
        match condition {
            Condition::All(conditions) => {
                let mut all = self.everybody.clone();
                for condition in conditions {
                    all.keep(&self.meeting(condition)?);
                }
                Ok(all)
            }
            Condition::Any(conditions) => {
                let mut any = Selection::NONE;
                for condition in conditions {
                    any.add(&self.meeting(condition)?);
                }
                Ok(any)
            }
            Condition::Filter(filter) => self.passing(&filter.property.name, &filter.test),
            Condition::Nested(outer, _) => self.holding(outer.member(), condition),
        }
    }

    /// The jobs whose values of a property pass a test.
    fn passing(&self, property: &str, test: &Test) -> Result<Selection, Damaged> {
        let mut passing = match test.holds(&[]) {
            true => self.everybody.clone(),
            false => Selection::NONE,
        };
        if let Some(column) = self.column(property) {
            let verdicts = column.map(|values| test.holds(values))?;
            decide(&mut passing, column, &verdicts)?;
        }
        Ok(passing)
    }

    /// The jobs whose objects in a member, which the column has whole, meet a condition.
    fn holding(&self, member: &str, condition: &Condition) -> Result<Selection, Damaged> {
        let mut holding = Selection::NONE;
        if let Some(column) = self.column(member) {
            let verdicts = column.map(|values| {
                let whole = values.first().and_then(|value| value.text());
                let whole = serde_json::from_str::<Value>(whole.ok_or(Damaged)?);
                let whole = whole.map_err(|_| Damaged)?;
                let record = Map::from_iter([(member.to_owned(), whole)]);
                Ok(condition.holds(&Value::Object(record)))
            })?;
            let verdicts = verdicts.into_iter().collect::<Result<Vec<_>, _>>()?;
            decide(&mut holding, column, &verdicts)?;
        }
        Ok(holding)
    }
}

fn decide(selection: &mut Selection, column: Column<'_>, verdicts: &[bool]) -> Result<(), Damaged> {
    for (place, value) in column.jobs() {
        selection.set(place, *verdicts.get(value).ok_or(Damaged)?);
    }
    Ok(())
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
            Self::Nested(outer, _) => {
                found.insert(outer.member());
            }
        }
    }
}
