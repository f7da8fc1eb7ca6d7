//! Neural networks: from a graph in ONNX's terms to native code.

pub mod import;
