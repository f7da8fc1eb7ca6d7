//! Whole calibrations of tiny models.

mod answers;
mod case;
mod measured;
pub mod tiny;
mod whole;
