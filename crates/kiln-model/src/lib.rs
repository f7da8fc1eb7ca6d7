//! AWS shapes generated from the service model, constraint validation, and
//! parsed names such as ARNs. No I/O.
//!
//! A request is checked by [`validate`] first, which answers with AWS's own
//! words, and then read into its type of [`api`] with serde. What passed the
//! first step passes the second.

#[cfg(test)]
mod fuzz;
#[rustfmt::skip]
mod generated;
mod names;
mod pattern;
#[cfg(test)]
mod round_trip;
mod table;
mod text;
mod timestamp;
mod validate;
mod wire_enum;

pub use generated::api;
pub use names::{AccountId, Arn, JobKind, JobName, NameError, Region, S3Uri};
pub use table::{Operation, operation, operations};
pub use timestamp::{InvalidTimestamp, Timestamp};
pub use validate::{InvalidRequest, Mismatch, Violation, Violations, validate};
pub use wire_enum::UnknownValue;
