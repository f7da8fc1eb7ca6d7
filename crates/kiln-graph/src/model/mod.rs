//! A neural network in memory: ONNX's terms, in a form that is pleasant to
//! change. Readers make it; what cleans it and what compiles it work on it.

mod attribute;
mod element;
mod graph;
mod tensor;
mod types;

use std::collections::BTreeMap;

pub use attribute::Attribute;
pub use element::Element;
pub use graph::{Graph, Node, Value};
pub use tensor::{Number, RANK_LIMIT, Tensor, TensorError};
pub use types::{Dim, TensorType, Type};

/// A network and the operator sets that it is written in.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// The version of ONNX's format.
    pub ir_version: i64,
    /// The version of each operator set by its domain; ONNX's own domain is "".
    pub opsets: BTreeMap<String, i64>,
    /// The program that wrote it.
    pub producer: String,
    /// That program's version.
    pub producer_version: String,
    /// The network.
    pub graph: Graph,
}

impl Model {
    /// A network in a version of ONNX's own operators.
    #[must_use]
    pub fn new(graph: Graph, opset: i64) -> Self {
        Self {
            // The format's version that came with the first opsets that matter here.
            ir_version: 8,
            opsets: BTreeMap::from([(String::new(), opset)]),
            producer: String::new(),
            producer_version: String::new(),
            graph,
        }
    }

    /// The version of ONNX's own operators; 0 if it uses none.
    #[must_use]
    pub fn opset(&self) -> i64 {
        self.opsets.get("").copied().unwrap_or(0)
    }
}
