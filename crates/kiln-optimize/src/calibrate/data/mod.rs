//! What a model is calibrated with: samples of tokens, made of a directory of files.

mod records;
mod samples;
mod texts;

pub use samples::{Limits, Samples};
