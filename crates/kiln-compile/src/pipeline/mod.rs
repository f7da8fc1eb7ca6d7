//! From an archive to a proved artifact.
//!
//! ```text
//! open → read → check and derive shapes → build → verify → package
//! ```

mod brought;
mod comparison;
mod core_ml;
mod course;
mod error;
mod forest;
mod generation;
mod interface;
mod loaded;
mod network;
mod package;
mod reference;
mod report;
mod run;
mod samples;
mod source;
mod tree_rows;
mod trees;
mod verification;
mod workshop;

pub(crate) use brought::image_of;
pub(crate) use loaded::{arrays, tensors};

pub use brought::Brought;
pub use error::CompileError;
pub use generation::{GenerationError, example};
pub use report::{Attempt, Evidence, Latency, Port, REPORT, Report, StageTime, Verification};
pub use run::run;
pub use workshop::{Compiled, Tools, Workshop};
