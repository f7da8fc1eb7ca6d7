//! What is told of an optimization: lines while it goes on, and a report beside the
//! result.

mod digest;
mod document;
mod page;
mod process;
mod progress;

pub(crate) use digest::Digester;
pub use digest::digest;
pub use document::{
    EndToEnd, FileReport, REPORT, REPORT_PAGE, Report, TensorReport, Total, bits, share,
};
pub use process::{Usage, instructions};
pub use progress::{Progress, size};
