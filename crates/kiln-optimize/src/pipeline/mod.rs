//! From one end to the other: a task is checked, done and reported.
//!
//! Nothing is written before all has been checked that can be checked without reading
//! the weights. A task that fails leaves nothing behind.

mod calibration;
mod config;
mod conversion;
mod course;
mod draft;
mod finish;
mod fused;
mod pieces;
mod quantization;
mod run;
mod selection;
mod sharding;
mod shares;
mod space;
mod stream;

pub use run::run;
