//! One instance's whole life, and the container runtimes it can use.

pub mod runtime;
