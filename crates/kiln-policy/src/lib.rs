//! IAM's policy language: documents in, a decision out. Nothing here knows who
//! calls, what is stored, or what a job is.
//!
//! A document is read once, and all that is wrong with it is found then, with its
//! place. What is left for a request is a pure look-up: an explicit deny wins, an
//! allow comes second, and whatever nothing speaks of is denied.
//!
//! `iam-rs` evaluates such documents too. It was left because it compares ARNs as
//! plain text, knows `ForAllValues` and `ForAnyValue` for few operators, and finds
//! what is wrong with a condition only when a request meets it, without a place.

mod comparison;
mod condition;
mod context;
mod decision;
mod document;
mod element;
mod error;
pub mod managed;
mod operator;
mod pattern;
mod policy;
mod principal;
mod statement;

pub use context::Context;
pub use decision::{Decision, Request, Verdict, decide};
pub use error::PolicyError;
pub use policy::{Kind, Policy};
pub use principal::Holder;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tables;
