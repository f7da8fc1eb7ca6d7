//! The order of results: by a column of the store, or by any property, whose first results
//! are picked out of all while these pass by.

use std::cmp::Ordering;

use kiln_store::SortKey;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::InvalidSearch;
use super::catalogue::Kind;
use super::property::{Property, PropertyKind};

/// What results are ordered by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// A column that the store has an index of.
    Column(SortKey),
    /// Any property.
    Property(Property),
}

impl Order {
    /// The order of a request.
    pub fn of(name: Option<&str>) -> Result<Self, InvalidSearch> {
        let property = Property::named(name.unwrap_or("LastModifiedTime"))?;
        Ok(match property.name.as_str() {
            "LastModifiedTime" => Self::Column(SortKey::Modified),
            "CreationTime" => Self::Column(SortKey::Created),
            "TrainingJobName" => Self::Column(SortKey::Name),
            "TrainingJobStatus" => Self::Column(SortKey::Status),
            _ if matches!(property.kind, PropertyKind::Of(Kind::Group | Kind::Map)) => {
                return Err(InvalidSearch::Unsortable(property.name));
            }
            _ => Self::Property(property),
        })
    }
}

/// A property's value as it is sorted: numbers come before texts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Key {
    /// A number, as an integer of the same order.
    Number(i64),
    /// A text.
    Text(String),
}

impl Key {
    /// The key of a record's first value of a property, if it has one.
    pub fn of(property: &Property, record: &Value) -> Option<Self> {
        let value = *property.values(record).first()?;
        let number = match (value, property.kind) {
            (Value::Bool(value), _) => Some(f64::from(u8::from(*value))),
            (Value::String(text), PropertyKind::HyperParameter) => text.parse().ok(),
            (value, _) => value.as_f64(),
        };
        let text = || value.as_str().map(|text| Self::Text(text.to_owned()));
        number
            .filter(|number| number.is_finite())
            .map(|number| Self::Number(ordinal(number)))
            .or_else(text)
    }
}

/// Maps numbers to integers in the same order, so that they can be kept exactly.
fn ordinal(number: f64) -> i64 {
    // Minus nought is nought.
    let bits = (number + 0.0).to_bits().cast_signed();
    match bits < 0 {
        true => bits ^ i64::MAX,
        false => bits,
    }
}

/// Where a record stands in the order of a property. What has no value comes last, in
/// either direction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The value.
    pub key: Option<Key>,
    /// The job's row, which breaks ties.
    pub row: i64,
}

impl Standing {
    fn compare(&self, other: &Self, descending: bool) -> Ordering {
        let directed = |ordering: Ordering| match descending {
            true => ordering.reverse(),
            false => ordering,
        };
        let by_key = match (&self.key, &other.key) {
            (Some(one), Some(other)) => directed(one.cmp(other)),
            (one, other) => one.is_none().cmp(&other.is_none()),
        };
        by_key.then_with(|| directed(self.row.cmp(&other.row)))
    }
}

/// The first few of all that pass by, beyond a place.
#[derive(Debug)]
pub struct Leading {
    descending: bool,
    after: Option<Standing>,
    most: usize,
    found: Vec<Standing>,
}

impl Leading {
    /// None yet.
    pub fn new(descending: bool, after: Option<Standing>, most: usize) -> Self {
        Self {
            descending,
            after,
            most,
            found: Vec::new(),
        }
    }

    /// Another passes by.
    pub fn offer(&mut self, standing: Standing) {
        let beyond = |after: &Standing| standing.compare(after, self.descending).is_gt();
        if self.after.as_ref().is_none_or(beyond) {
            self.found.push(standing);
        }
        // Seldom enough that sorting costs little for each.
        if self.found.len() >= 4 * self.most {
            self.settle();
        }
    }

    /// The first ones, in order.
    pub fn settled(mut self) -> Vec<Standing> {
        self.settle();
        self.found
    }

    fn settle(&mut self) {
        let descending = self.descending;
        self.found
            .sort_by(|one, other| one.compare(other, descending));
        self.found.truncate(self.most);
    }
}
