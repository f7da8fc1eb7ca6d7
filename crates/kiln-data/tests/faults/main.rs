//! The data plane against a store that fails in every way: what is read and
//! written is right, or the failure is clear.

#![allow(clippy::unwrap_used)]

mod downloading;
mod impostor;
mod local;
mod reading;
mod store;
mod uploading;
