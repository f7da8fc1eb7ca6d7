//! What leaves a machine, stored in the embedded S3 over real connections.

#![allow(clippy::unwrap_used)]

mod archives;
mod files;
#[path = "../material/mod.rs"]
mod material;
mod mirrors;
mod store;
mod trees;
