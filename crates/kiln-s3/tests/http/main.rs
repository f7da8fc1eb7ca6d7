//! The embedded S3 over real connections, driven by a client of its own.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod encryption;
mod multipart;
mod objects;
mod signatures;
mod support;
