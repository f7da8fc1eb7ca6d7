//! Search expressions: what they may be, and which records meet them.

use std::collections::BTreeSet;

use kiln_model::api::{
    BooleanOperator, Filter as FilterRequest, NestedFilters, Operator, SearchExpression,
    VisibilityConditions,
};
use serde_json::Value;

use super::InvalidSearch;
use super::catalogue::Kind;
use super::comparison::{Comparison, Relation, Test};
use super::property::{Property, PropertyKind};
use super::scalar::Scalar;

/// Filters, nested filters and expressions within, all together.
const MOST_PARTS: usize = 50;
/// Uses of `Contains` in an expression.
const MOST_CONTAINS: usize = 1;

/// What a record must be like.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// It meets all of these.
    All(Vec<Condition>),
    /// It meets one of these.
    Any(Vec<Condition>),
    /// A property is as asked.
    Filter(Filter),
    /// One of a property's objects meets all of the filters, which begin there.
    Nested(Property, Vec<Filter>),
}

/// What is asked of one property.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    /// The property.
    pub property: Property,
    /// What is asked.
    pub test: Test,
}

impl Condition {
    /// The condition of a request's expression.
    pub fn of(expression: &SearchExpression) -> Result<Self, InvalidSearch> {
        let mut budget = Budget::default();
        let condition = compile(expression, &mut budget)?;
        if budget.contains > MOST_CONTAINS {
            return Err(InvalidSearch::ContainsLimit);
        }
        Ok(condition)
    }

    /// That a record without the key's tag, or with this value of it, is seen.
    pub fn visible(condition: &VisibilityConditions) -> Result<Self, InvalidSearch> {
        let (Some(key), Some(value)) = (&condition.key, &condition.value) else {
            return Err(InvalidSearch::Visibility);
        };
        let property = Property::named(key)?;
        if property.tag().is_none() {
            return Err(InvalidSearch::Visibility);
        }
        let same = Comparison::Text(value.clone());
        let filter = |test| {
            Self::Filter(Filter {
                property: property.clone(),
                test,
            })
        };
        Ok(Self::Any(vec![
            filter(Test::Absent),
            filter(Test::Is(same)),
        ]))
    }

    /// Whether a record meets it. The record has at least its [`Condition::members`].
    pub fn holds(&self, record: &Value) -> bool {
        match self {
            Self::All(conditions) => conditions.iter().all(|one| one.holds(record)),
            Self::Any(conditions) => conditions.iter().any(|one| one.holds(record)),
            Self::Filter(filter) => filter.holds(record),
            Self::Nested(outer, filters) => {
                let meets = |object: &&Value| filters.iter().all(|filter| filter.holds(object));
                outer.values(record).iter().any(meets)
            }
        }
    }

    /// The members of a record that it looks at.
    pub fn members(&self, found: &mut BTreeSet<String>) {
        match self {
            Self::All(conditions) | Self::Any(conditions) => {
                conditions.iter().for_each(|one| one.members(found));
            }
            Self::Filter(Filter { property, .. }) | Self::Nested(property, _) => {
                found.insert(property.member().to_owned());
            }
        }
    }

    /// The more of it, the longer it takes to ask it of many jobs.
    fn effort(&self) -> u8 {
        match self {
            Self::All(parts) | Self::Any(parts) => {
                parts.iter().map(Self::effort).max().unwrap_or_default()
            }
            Self::Filter(filter) => filter.test.effort(),
            Self::Nested(..) => 3,
        }
    }
}

impl Filter {
    fn of(request: &FilterRequest, budget: &mut Budget) -> Result<Self, InvalidSearch> {
        budget.take()?;
        if request.operator == Some(Operator::Contains) {
            budget.contains += 1;
        }
        let property = Property::named(&request.name)?;
        let test = Test::of(&property, request.operator, request.value.as_deref())?;
        Ok(Self { property, test })
    }

    fn holds(&self, record: &Value) -> bool {
        self.test.holds(Scalar::all(&self.property.values(record)))
    }

    /// The text that the property must be equal to.
    pub fn text(&self) -> Option<&str> {
        match &self.test {
            Test::Is(Comparison::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The text that the property must contain.
    pub fn part(&self) -> Option<&str> {
        match &self.test {
            Test::Is(Comparison::Contains(text)) => Some(text),
            _ => None,
        }
    }

    /// The first and the last millisecond that the property may be.
    pub fn range(&self) -> Option<(Option<i64>, Option<i64>)> {
        let Test::Is(Comparison::Time(relation, instant)) = &self.test else {
            return None;
        };
        let first = instant.millis;
        let last = first + instant.length - 1;
        Some(match relation {
            Relation::Equal => (Some(first), Some(last)),
            Relation::Greater => (Some(last + 1), None),
            Relation::GreaterOrEqual => (Some(first), None),
            Relation::Less => (None, Some(first - 1)),
            Relation::LessOrEqual => (None, Some(last)),
        })
    }
}

/// What an expression has used of what it may.
#[derive(Default)]
struct Budget {
    parts: usize,
    contains: usize,
}

impl Budget {
    fn take(&mut self) -> Result<(), InvalidSearch> {
        self.parts += 1;
        match self.parts > MOST_PARTS {
            true => Err(InvalidSearch::TooManyParts(MOST_PARTS)),
            false => Ok(()),
        }
    }
}

fn compile(expression: &SearchExpression, budget: &mut Budget) -> Result<Condition, InvalidSearch> {
    let mut parts = Vec::new();
    for filter in expression.filters.iter().flatten() {
        parts.push(Condition::Filter(Filter::of(filter, budget)?));
    }
    for nested in expression.nested_filters.iter().flatten() {
        parts.push(compile_nested(nested, budget)?);
    }
    for inner in expression.sub_expressions.iter().flatten() {
        budget.take()?;
        parts.push(compile(inner, budget)?);
    }
    if parts.is_empty() {
        return Err(InvalidSearch::EmptyExpression);
    }
    // What is soon found out may leave few jobs for the rest.
    parts.sort_by_key(Condition::effort);
    Ok(match expression.operator {
        Some(BooleanOperator::Or) => Condition::Any(parts),
        Some(BooleanOperator::And) | None => Condition::All(parts),
    })
}

fn compile_nested(nested: &NestedFilters, budget: &mut Budget) -> Result<Condition, InvalidSearch> {
    budget.take()?;
    let outer = Property::named(&nested.nested_property_name)?;
    if outer.kind != PropertyKind::Of(Kind::Group) {
        return Err(InvalidSearch::NotNested(outer.name));
    }
    let filters = nested.filters.iter().map(|request| {
        let filter = Filter::of(request, budget)?;
        let outside = || InvalidSearch::OutsideNested(request.name.clone(), outer.name.clone());
        let property = filter.property.seen_from(&outer).ok_or_else(outside)?;
        Ok(Filter { property, ..filter })
    });
    let filters = filters.collect::<Result<_, InvalidSearch>>()?;
    Ok(Condition::Nested(outer, filters))
}
