//! Whole calibrations of tiny models.

mod answers;
mod tiny;
mod whole;
