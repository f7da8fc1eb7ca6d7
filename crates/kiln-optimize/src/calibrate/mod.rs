//! Quantization that looks at what a model does with texts: one pass through it, layer by
//! layer, that never holds more than a few layers' weights.

mod data;
mod flow;
mod forward;
mod layer;
pub mod linear;
mod statistics;
mod store;
mod weights;
