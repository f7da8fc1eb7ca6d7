//! Why searches are refused, in the cloud's words where they are known.

use super::column::Damaged;
use crate::JobError;

/// Why a search is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSearch {
    /// A name is none of a property.
    #[error("'{0}' is not a property of the resource TrainingJob.")]
    UnknownProperty(String),
    /// The operator does not apply to what the property holds.
    #[error("The operator {0} is not supported for the property '{1}'.")]
    Operator(String, String),
    /// The operator compares, and there is nothing to compare with.
    #[error("The operator {0} on the property '{1}' needs a Value.")]
    MissingValue(String, String),
    /// The operator does not compare.
    #[error("The operator {0} on the property '{1}' takes no Value.")]
    NeedlessValue(String, String),
    /// The value is not of the property's kind.
    #[error("The Value '{0}' for the property '{1}' is not {2}.")]
    Value(String, String, &'static str),
    /// The operator is used too often.
    #[error("'CONTAINS' operator usage limit of 1 exceeded.")]
    ContainsLimit,
    /// The expression is too large.
    #[error("A SearchExpression has at most {0} Filters, NestedFilters and SubExpressions in all.")]
    TooManyParts(usize),
    /// The expression says nothing.
    #[error(
        "A SearchExpression must have at least one of Filters, NestedFilters and SubExpressions."
    )]
    EmptyExpression,
    /// Nested filters are about the objects of a property, and it has none.
    #[error("The NestedPropertyName '{0}' is not a property with properties of its own.")]
    NotNested(String),
    /// A nested filter is about something else.
    #[error("The nested filter on '{0}' is not about a property of '{1}'.")]
    OutsideNested(String, String),
    /// Objects have no order.
    #[error("Results cannot be sorted by the property '{0}'.")]
    Unsortable(String),
    /// A visibility condition is not about a tag.
    #[error("VisibilityConditions need a Key of the form Tags.<key>, and a Value.")]
    Visibility,
}

impl From<InvalidSearch> for JobError {
    fn from(invalid: InvalidSearch) -> Self {
        Self::Validation(invalid.to_string())
    }
}

impl From<Damaged> for JobError {
    fn from(error: Damaged) -> Self {
        Self::Internal(error.to_string())
    }
}
