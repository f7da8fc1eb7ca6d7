//! The operations, one module for each group that shares its rules.

pub(crate) mod attributes;
pub(crate) mod buckets;
pub(crate) mod complete;
pub(crate) mod copy;
pub(crate) mod delete;
mod describe;
pub(crate) mod encryption;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod multipart;
pub(crate) mod parts;
pub(crate) mod put;
pub(crate) mod tagging;
