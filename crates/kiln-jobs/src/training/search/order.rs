//! The order of results: by any property, whose first results are picked out of all while
//! these pass by. By some, the store has the jobs in order.

use std::cmp::Ordering;

use kiln_store::SortKey;
use serde::{Deserialize, Serialize};

use super::InvalidSearch;
use super::catalogue::Kind;
use super::interval::Interval;
use super::property::{Property, PropertyKind};
use super::scalar::Scalar;

/// What results are ordered by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The property.
    pub property: Property,
    /// The store's name for the order, if it has the jobs in it.
    pub column: Option<SortKey>,
}

impl Order {
    /// The order of a request.
    pub fn of(name: Option<&str>) -> Result<Self, InvalidSearch> {
        let property = Property::named(name.unwrap_or("LastModifiedTime"))?;
        if matches!(property.kind, PropertyKind::Of(Kind::Group | Kind::Map)) {
            return Err(InvalidSearch::Unsortable(property.name));
        }
        let column = match property.name.as_str() {
            "LastModifiedTime" => Some(SortKey::Modified),
            "CreationTime" => Some(SortKey::Created),
            "TrainingJobName" => Some(SortKey::Name),
            "TrainingJobStatus" => Some(SortKey::Status),
            _ => None,
        };
        Ok(Self { property, column })
    }
}

/// A property's value as it is sorted: numbers come before texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Key<T> {
    /// A number, as an integer of the same order.
    Number(i64),
    /// A text.
    Text(T),
}

impl<'a> Key<&'a str> {
    /// The key of a record by the first of its values of a property, if it has one.
    pub fn of(property: &Property, value: Option<Scalar<'a>>) -> Option<Self> {
        let value = value?;
        let number = match (value, property.kind) {
            (Scalar::Boolean(value), _) => Some(f64::from(u8::from(value))),
            (value, PropertyKind::HyperParameter) => value.numeral(),
            (value, _) => value.number(),
        };
        number
            .filter(|number| number.is_finite())
            .map(|number| Self::Number(ordinal(number)))
            .or_else(|| value.text().map(Self::Text))
    }

    /// The key with a text of its own.
    pub fn owned(self) -> Key<String> {
        match self {
            Self::Number(number) => Key::Number(number),
            Self::Text(text) => Key::Text(text.to_owned()),
        }
    }
}

impl Key<String> {
    fn view(&self) -> Key<&str> {
        match self {
            Self::Number(number) => Key::Number(*number),
            Self::Text(text) => Key::Text(text),
        }
    }
}

/// Maps numbers to integers in the same order, so that they can be kept exactly.
fn ordinal(number: f64) -> i64 {
    // Minus nought is nought.
    turned((number + 0.0).to_bits().cast_signed())
}

/// The number of an integer.
fn number(ordinal: i64) -> f64 {
    f64::from_bits(turned(ordinal).cast_unsigned())
}

/// The other way round below nought.
fn turned(bits: i64) -> i64 {
    match bits < 0 {
        true => bits ^ i64::MAX,
        false => bits,
    }
}

/// Where a record stands in the order of a property. What has no value comes last, in
/// either direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing<T> {
    /// The value.
    pub key: Option<Key<T>>,
    /// The job's row, which breaks ties.
    pub row: i64,
}

impl Standing<&str> {
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

    fn owned(self) -> Standing<String> {
        Standing {
            key: self.key.map(Key::owned),
            row: self.row,
        }
    }
}

impl Standing<String> {
    /// The standing, for comparison.
    pub fn view(&self) -> Standing<&str> {
        Standing {
            key: self.key.as_ref().map(Key::view),
            row: self.row,
        }
    }
}

/// The first few of all that pass by, beyond a place.
#[derive(Debug)]
pub struct Leading {
    descending: bool,
    after: Option<Standing<String>>,
    most: usize,
    found: Vec<Standing<String>>,
    /// The last of the first ones, once there are enough; what comes after it is none.
    last: Option<Standing<String>>,
}

impl Leading {
    /// None yet.
    pub fn new(descending: bool, after: Option<Standing<String>>, most: usize) -> Self {
        Self {
            descending,
            after,
            most,
            found: Vec::new(),
            last: None,
        }
    }

    /// The numbers that may still be among the first ones; `None` as long as anything may.
    pub fn reach(&self) -> Option<Interval> {
        match self.last.as_ref()?.key {
            Some(Key::Number(last)) => {
                let last = Interval::between(number(last), number(last));
                Some(match self.descending {
                    true => last.and_above(),
                    false => last.and_below(),
                })
            }
            _ => None,
        }
    }

    /// Another passes by.
    pub fn offer(&mut self, standing: Standing<&str>) {
        let compare = |other: &Standing<String>| standing.compare(&other.view(), self.descending);
        let beyond = self
            .after
            .as_ref()
            .is_none_or(|after| compare(after).is_gt());
        if !beyond || self.last.as_ref().is_some_and(|last| compare(last).is_gt()) {
            return;
        }
        self.found.push(standing.owned());
        // Seldom enough that sorting costs little for each.
        if self.found.len() >= 4 * self.most {
            self.settle();
        }
    }

    /// The first ones, in order.
    pub fn settled(mut self) -> Vec<Standing<String>> {
        self.settle();
        self.found
    }

    fn settle(&mut self) {
        let descending = self.descending;
        self.found
            .sort_by(|one, other| one.view().compare(&other.view(), descending));
        self.found.truncate(self.most);
        if self.found.len() == self.most {
            self.last = self.found.last().cloned();
        }
    }
}
