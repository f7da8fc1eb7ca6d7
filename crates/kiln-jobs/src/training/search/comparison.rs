//! What an operator and a value ask of a property.

use kiln_model::Timestamp;
use kiln_model::api::Operator;
use memchr::memmem;

use super::InvalidSearch;
use super::catalogue::Kind;
use super::interval::Interval;
use super::property::{Property, PropertyKind};
use super::scalar::{Scalar, read_number};

/// What is asked of the values of a property.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// That there is one.
    Exists,
    /// That there is none.
    Absent,
    /// That one of them compares so.
    Is(Comparison),
    /// That none of them does.
    IsNot(Comparison),
}

/// How one value compares.
#[derive(Debug, Clone, PartialEq)]
pub enum Comparison {
    /// It is this text.
    Text(String),
    /// It is one of these texts.
    OneOf(Vec<String>),
    /// It is a text with this within.
    Contains(String),
    /// It is this.
    Boolean(bool),
    /// It stands so to a number.
    Number(Relation, f64),
    /// It stands so to a number, both in single precision.
    Float(Relation, f32),
    /// It stands so to an instant.
    Time(Relation, Instant),
    /// It is a text that stands so to a number, as a number.
    Numeral(Relation, Numeral),
}

/// How a value stands to the one that a filter gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// The same.
    Equal,
    /// More.
    Greater,
    /// As much or more.
    GreaterOrEqual,
    /// Less.
    Less,
    /// As much or less.
    LessOrEqual,
}

/// An instant as exactly as it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instant {
    /// When it begins, in epoch milliseconds.
    pub millis: i64,
    /// How long it is: a second, or a millisecond for one with a fraction.
    pub length: i64,
}

/// A number as a person wrote it.
#[derive(Debug, Clone, PartialEq)]
pub struct Numeral {
    text: String,
    value: f64,
    whole: bool,
}

impl Relation {
    /// The numbers that stand so to those which count as equal.
    fn to(self, equal: Interval) -> Interval {
        match self {
            Self::Equal => equal,
            Self::Greater => equal.above(),
            Self::GreaterOrEqual => equal.and_above(),
            Self::Less => equal.below(),
            Self::LessOrEqual => equal.and_below(),
        }
    }
}

impl Test {
    /// What an operator and a value ask of a property. Without an operator, a value is to
    /// be equal, and no value is to be there.
    pub fn of(
        property: &Property,
        operator: Option<Operator>,
        value: Option<&str>,
    ) -> Result<Self, InvalidSearch> {
        let operator = operator.unwrap_or(match value {
            Some(_) => Operator::Equals,
            None => Operator::Exists,
        });
        let presence = match operator {
            Operator::Exists => Some(Self::Exists),
            Operator::NotExists => Some(Self::Absent),
            _ => None,
        };
        match (presence, value) {
            (Some(test), None) => Ok(test),
            (None, Some(value)) => Self::comparing(property, operator, value),
            (Some(_), Some(_)) => Err(InvalidSearch::NeedlessValue(
                operator.to_string(),
                property.name.clone(),
            )),
            (None, None) => Err(InvalidSearch::MissingValue(
                operator.to_string(),
                property.name.clone(),
            )),
        }
    }

    fn comparing(
        property: &Property,
        operator: Operator,
        value: &str,
    ) -> Result<Self, InvalidSearch> {
        let unsupported = || InvalidSearch::Operator(operator.to_string(), property.name.clone());
        let comparison = match (operator, is_text(property.kind)) {
            (Operator::Contains, true) => Comparison::Contains(value.to_owned()),
            (Operator::In, true) => {
                Comparison::OneOf(value.split(',').map(str::to_owned).collect())
            }
            _ => {
                let relation = relation(operator).ok_or_else(unsupported)?;
                Comparison::relating(property, relation, value)?.ok_or_else(unsupported)?
            }
        };
        Ok(match operator {
            Operator::NotEquals => Self::IsNot(comparison),
            _ => Self::Is(comparison),
        })
    }

    /// Whether the values of a property are as asked.
    pub fn holds<'a>(&self, values: impl IntoIterator<Item = Scalar<'a>>) -> bool {
        let (comparison, wanted) = self.parts();
        let mut values = values.into_iter();
        values.any(|value| comparison.is_none_or(|one| one.holds(value))) == wanted
    }

    /// How a value must compare, if not any will do, and whether there is to be one that does.
    pub fn parts(&self) -> (Option<&Comparison>, bool) {
        match self {
            Self::Exists => (None, true),
            Self::Absent => (None, false),
            Self::Is(comparison) => (Some(comparison), true),
            Self::IsNot(comparison) => (Some(comparison), false),
        }
    }

    /// The more of it, the longer it takes to ask it of many values.
    pub fn effort(&self) -> u8 {
        match self.parts() {
            (Some(Comparison::Contains(_)), _) => 2,
            (Some(Comparison::Text(_) | Comparison::OneOf(_)), _) => 1,
            _ => 0,
        }
    }
}

fn is_text(kind: PropertyKind) -> bool {
    matches!(
        kind,
        PropertyKind::Of(Kind::Text) | PropertyKind::HyperParameter
    )
}

/// The relation that an operator stands for; that of its opposite for `NotEquals`.
fn relation(operator: Operator) -> Option<Relation> {
    Some(match operator {
        Operator::Equals | Operator::NotEquals => Relation::Equal,
        Operator::GreaterThan => Relation::Greater,
        Operator::GreaterThanOrEqualTo => Relation::GreaterOrEqual,
        Operator::LessThan => Relation::Less,
        Operator::LessThanOrEqualTo => Relation::LessOrEqual,
        Operator::Contains | Operator::Exists | Operator::NotExists | Operator::In => return None,
    })
}

impl Comparison {
    /// Reads the value as the property's kind has it. `None` where values of that kind do
    /// not stand to each other so.
    fn relating(
        property: &Property,
        relation: Relation,
        value: &str,
    ) -> Result<Option<Self>, InvalidSearch> {
        let not = |what| InvalidSearch::Value(value.to_owned(), property.name.clone(), what);
        let equality = relation == Relation::Equal;
        let PropertyKind::Of(kind) = property.kind else {
            return match Numeral::read(value) {
                Some(numeral) => Ok(Some(Self::Numeral(relation, numeral))),
                None if equality => Ok(Some(Self::Text(value.to_owned()))),
                None => Err(not("a number")),
            };
        };
        Ok(match kind {
            Kind::Text => equality.then(|| Self::Text(value.to_owned())),
            Kind::Number => {
                let number = read_number(value).ok_or_else(|| not("a number"))?;
                Some(Self::Number(relation, number))
            }
            Kind::Float => {
                let number = read_number(value).ok_or_else(|| not("a number"))?;
                Some(Self::Float(relation, number as f32))
            }
            Kind::Time => {
                let instant = Instant::read(value);
                let instant = instant.ok_or_else(|| not("a time such as 2026-01-31T12:00:00"))?;
                Some(Self::Time(relation, instant))
            }
            Kind::Boolean if equality => {
                let value = value.to_ascii_lowercase().parse();
                Some(Self::Boolean(value.map_err(|_| not("true or false"))?))
            }
            Kind::Boolean | Kind::Group | Kind::Map => None,
        })
    }

    /// The numbers that compare so, where numbers are compared.
    pub fn numbers(&self) -> Option<Interval> {
        Some(match self {
            Self::Number(relation, asked) => relation.to(Interval::between(*asked, *asked)),
            Self::Float(relation, asked) => {
                let asked = f64::from(*asked);
                relation.to(Interval::between(asked, asked).of_singles())
            }
            Self::Time(relation, asked) => relation.to(asked.seconds()),
            _ => return None,
        })
    }

    /// The numbers that compare so, where texts are compared as numbers.
    pub fn numerals(&self) -> Option<Interval> {
        match self {
            Self::Numeral(relation, asked) => Some(relation.to(asked.equal())),
            _ => None,
        }
    }

    /// Whether a text that is no number compares so.
    pub fn holds_of_word(&self, word: &[u8]) -> bool {
        match self {
            Self::Text(text) => word == text.as_bytes(),
            Self::OneOf(texts) => texts.iter().any(|text| word == text.as_bytes()),
            Self::Contains(text) => memmem::find(word, text.as_bytes()).is_some(),
            // It may still be the very one that was given.
            Self::Numeral(Relation::Equal, asked) => word == asked.text.as_bytes(),
            _ => false,
        }
    }

    /// Whether a value compares so.
    pub fn holds(&self, value: Scalar<'_>) -> bool {
        let of_number = match self {
            Self::Boolean(asked) => return value.boolean() == Some(*asked),
            Self::Numeral(..) => self.numerals().zip(value.numeral()),
            _ => self.numbers().zip(value.number()),
        };
        match of_number {
            Some((numbers, number)) => numbers.has(number),
            None => value
                .text()
                .is_some_and(|text| self.holds_of_word(text.as_bytes())),
        }
    }
}

impl Instant {
    /// ISO 8601, in UTC where it does not say otherwise.
    fn read(text: &str) -> Option<Self> {
        let read = text.parse::<Timestamp>();
        let read = read.or_else(|_| format!("{text}Z").parse::<Timestamp>());
        let length = if text.contains('.') { 1 } else { 1000 };
        Some(Self {
            millis: read.ok()?.millis(),
            length,
        })
    }

    /// The times in seconds that are within.
    fn seconds(self) -> Interval {
        let last = self.millis.saturating_add(self.length - 1);
        Interval::rounded(self.millis, last).of_multiples(1000.0)
    }
}

impl Numeral {
    fn read(text: &str) -> Option<Self> {
        Some(Self {
            text: text.to_owned(),
            value: read_number(text)?,
            whole: text.parse::<i64>().is_ok(),
        })
    }

    /// The values of a hyperparameter that count as equal. As the cloud has it, decimals
    /// count as whole numbers where they are compared with one.
    fn equal(&self) -> Interval {
        match self.whole {
            true => Interval::truncated(self.value),
            false => Interval::between(self.value, self.value),
        }
    }
}
