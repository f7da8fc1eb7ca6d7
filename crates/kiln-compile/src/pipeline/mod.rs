//! From an archive to a proved artifact.
//!
//! ```text
//! open → read → check and derive shapes → build → verify → package
//! ```

mod comparison;
mod generation;
mod package;
mod report;
mod verification;

pub use report::{Evidence, Latency, Port, REPORT, Report, StageTime, Verification};
