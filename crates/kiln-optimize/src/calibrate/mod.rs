//! Quantization that looks at what a model does with texts: one pass through it, layer by
//! layer, that never holds more than a few layers' weights.

mod data;
mod flow;
mod forward;
mod gptq;
mod inputs;
mod layer;
mod ledger;
mod linear;
mod made;
mod measure;
mod pass;
mod run;
mod scratch;
mod smoothing;
mod statistics;
mod store;
#[cfg(test)]
mod tests;
mod weights;

pub use data::Limits;
pub use made::{Figures, Linear, Made, Vector};
pub use measure::Fidelity;
pub use run::{Lost, Method, Prepared, Request, Sink, Summary, can_run, prepare};
