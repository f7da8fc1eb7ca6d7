//! Whole calibrations of tiny models.

mod answers;
pub mod tiny;
mod whole;
