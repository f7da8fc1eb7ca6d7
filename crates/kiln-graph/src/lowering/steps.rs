//! The nodes that take the place of one.

use crate::model::{Element, Node, Number, Tensor};
use crate::versions::Place;

/// The nodes that take the place of one, in the order of computation.
pub(super) struct Steps<'a, 'b> {
    node: &'a Node,
    place: &'a mut Place<'b>,
    nodes: Vec<Node>,
}

impl<'a, 'b> Steps<'a, 'b> {
    pub(super) fn new(node: &'a Node, place: &'a mut Place<'b>) -> Self {
        let nodes = Vec::new();
        Self { node, place, nodes }
    }

    /// A node, whose output is returned.
    pub(super) fn step(&mut self, operator: &str, inputs: &[&str]) -> String {
        self.node(Node::new(operator, inputs, &[]))
    }

    /// A node with attributes and without an output, which is given it and returned.
    pub(super) fn node(&mut self, mut node: Node) -> String {
        let output = self.place.fresh(self.node, &node.operator.to_lowercase());
        node.outputs = vec![output.clone()];
        self.nodes.push(node);
        output
    }

    /// A constant.
    pub(super) fn constant(&mut self, tensor: Tensor) -> String {
        self.place.constant(self.node, "constant", tensor)
    }

    /// A constant list of sizes, axes or indices.
    pub(super) fn list<T: Number>(&mut self, values: &[T]) -> String {
        self.constant(Tensor::vector(values))
    }

    /// A constant number of this type, single or double.
    pub(super) fn number(&mut self, element: Element, value: f64) -> String {
        self.constant(match element {
            Element::F64 => Tensor::scalar(value),
            _ => Tensor::scalar(value as f32),
        })
    }

    /// `data` with every element of this type.
    pub(super) fn cast(&mut self, data: &str, to: Element) -> String {
        self.node(Node::new("Cast", &[data], &[]).with("to", to.to_onnx() as i64))
    }

    /// The nodes, of which one more gives what the one gave whose place they take.
    pub(super) fn finish(mut self, last: Node) -> Vec<Node> {
        self.nodes.push(Node {
            outputs: self.node.outputs.clone(),
            ..last
        });
        self.nodes
    }
}
