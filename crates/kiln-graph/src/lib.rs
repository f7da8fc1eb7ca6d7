//! A neural network as a graph in ONNX's terms: read from the files of several
//! frameworks, and made plain for a compiler. Bytes come in, which may come from
//! anyone; nothing here runs a network.

pub mod clean;
pub mod darknet;
mod folding;
mod foreign;
mod lowering;
pub mod model;
pub mod mxnet;
pub mod onnx;
pub mod proto;
mod shapes;
pub mod tflite;
mod versions;

pub use foreign::ForeignError;
