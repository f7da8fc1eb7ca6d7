//! CloudWatch's errors, by the codes that its oldest protocol has for them. The
//! others say the same in longer names; see [`shape`].

use kiln_store::StoreError;

use crate::reply::Fault;

pub(super) fn failed(error: StoreError) -> Fault {
    Fault::internal(&error)
}

pub(super) fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("InvalidParameterValue", message)
}

/// A value that is none of those that a parameter may have.
pub(super) fn invalid_value(value: impl std::fmt::Display, parameter: &str) -> Fault {
    invalid(format!(
        "The value {value} for parameter {parameter} is invalid."
    ))
}

pub(super) fn combination(message: impl Into<String>) -> Fault {
    Fault::new("InvalidParameterCombination", message)
}

pub(super) fn missing(parameter: &str) -> Fault {
    Fault::new(
        "MissingParameter",
        format!("The parameter {parameter} is required."),
    )
}

pub(super) fn validation(message: impl Into<String>) -> Fault {
    Fault::new("ValidationError", message)
}

pub(super) fn bad_token() -> Fault {
    Fault::new("InvalidNextToken", "The next token specified is invalid.")
}

pub(super) fn unknown_operation(name: &str) -> Fault {
    Fault::new(
        "InvalidAction",
        format!("Could not find operation {name} for version 2010-08-01"),
    )
}

/// The name that an error has in the protocols other than the oldest.
pub(super) fn shape(code: &'static str) -> &'static str {
    match code {
        "InvalidParameterValue" => "InvalidParameterValueException",
        "InvalidParameterCombination" => "InvalidParameterCombinationException",
        "MissingParameter" => "MissingRequiredParameterException",
        "InternalFailure" => "InternalServiceFault",
        "InvalidAction" => "UnknownOperationException",
        other => other,
    }
}
