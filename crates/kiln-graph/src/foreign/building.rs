//! A graph under construction, node by node.

use std::collections::HashMap;

use crate::model::{Attribute, Element, Graph, Model, Node, Number, Tensor, Value};
use crate::model::{Dim, TensorType};

/// The version of ONNX's operators that the readers write in: the last one in
/// which reductions name their axes by an attribute.
const OPSET: i64 = 17;

/// Attributes of a node: names and what they hold.
pub(crate) type Attributes<'a> = &'a [(&'a str, Attribute)];

/// A graph under construction. Values are named after the place in the source
/// that is being converted, so that later errors speak of what users know.
#[derive(Default)]
pub(crate) struct Building {
    graph: Graph,
    place: String,
    taken: HashMap<String, usize>,
}

impl Building {
    /// From here on, nodes belong to this place in the source.
    pub(crate) fn enter(&mut self, place: impl Into<String>) {
        self.place = place.into();
    }

    /// An input of the graph.
    pub(crate) fn input(&mut self, name: &str, element: Element, dims: Vec<Dim>) -> String {
        let name = self.fresh(name);
        let dims = Some(dims);
        let value = Value::new(&name, TensorType { element, dims });
        self.graph.inputs.push(value);
        name
    }

    /// A constant.
    pub(crate) fn constant(&mut self, name: &str, tensor: Tensor) -> String {
        let name = self.fresh(name);
        self.graph.initializers.insert(name.clone(), tensor);
        name
    }

    /// A constant list of sizes, axes, indices or numbers.
    pub(crate) fn list<T: Number>(&mut self, values: &[T]) -> String {
        self.constant(&format!("{}/list", self.place), Tensor::vector(values))
    }

    /// A constant number.
    pub(crate) fn scalar<T: Number>(&mut self, value: T) -> String {
        self.constant(&format!("{}/scalar", self.place), Tensor::scalar(value))
    }

    /// A node with one output, whose name is returned.
    pub(crate) fn node(&mut self, operator: &str, inputs: &[&str], with: Attributes) -> String {
        self.node_of_many(operator, inputs, with, 1).remove(0)
    }

    /// A node with several outputs, whose names are returned.
    pub(crate) fn node_of_many(
        &mut self,
        operator: &str,
        inputs: &[&str],
        with: Attributes,
        outputs: usize,
    ) -> Vec<String> {
        let name = format!("{}/{operator}", self.place);
        let names: Vec<String> = (0..outputs).map(|_| self.fresh(&name)).collect();
        let with = with.iter().cloned();
        self.graph.nodes.push(Node {
            name: names.first().cloned().unwrap_or_default(),
            outputs: names.clone(),
            attributes: with.map(|(name, value)| (name.to_owned(), value)).collect(),
            ..Node::new(operator, inputs, &[])
        });
        names
    }

    /// `data` with the sizes `dims`, of which one may be -1.
    pub(crate) fn reshape(&mut self, data: &str, dims: &[i64]) -> String {
        let dims = self.list(dims);
        self.node("Reshape", &[data, &dims], &[])
    }

    /// `data` with its dimensions in another order.
    pub(crate) fn transpose(&mut self, data: &str, order: &[i64]) -> String {
        self.node("Transpose", &[data], &[("perm", order.to_vec().into())])
    }

    /// `data` with every element of this type.
    pub(crate) fn cast(&mut self, data: &str, to: Element) -> String {
        let to = to.to_onnx() as i64;
        self.node("Cast", &[data], &[("to", to.into())])
    }

    /// What lies from `start` up to `end` along one axis.
    pub(crate) fn slice(&mut self, data: &str, axis: i64, start: i64, end: i64) -> String {
        let [start, end, axis] = [start, end, axis].map(|value| self.list(&[value]));
        self.node("Slice", &[data, &start, &end, &axis], &[])
    }

    /// `data` held between two bounds.
    pub(crate) fn clip(&mut self, data: &str, low: f32, high: f32) -> String {
        let [low, high] = [low, high].map(|bound| self.scalar(bound));
        self.node("Clip", &[data, &low, &high], &[])
    }

    /// `data` and a number, through an operator of two operands.
    pub(crate) fn with_scalar(&mut self, operator: &str, data: &str, value: f32) -> String {
        let value = self.scalar(value);
        self.node(operator, &[data, &value], &[])
    }

    /// The Gaussian error linear unit, or its approximation by tanh, which came to
    /// ONNX's operators later.
    pub(crate) fn gelu(&mut self, data: &str, is_approximate: bool) -> String {
        let half = self.with_scalar("Mul", data, 0.5);
        let curve = if is_approximate {
            let cube = self.node("Mul", &[data, data], &[]);
            let cube = self.node("Mul", &[&cube, data], &[]);
            let cube = self.with_scalar("Mul", &cube, 0.044_715);
            let sum = self.node("Add", &[data, &cube], &[]);
            let scaled = self.with_scalar(
                "Mul",
                &sum,
                std::f32::consts::FRAC_2_SQRT_PI * std::f32::consts::FRAC_1_SQRT_2,
            );
            self.node("Tanh", &[&scaled], &[])
        } else {
            let scaled = self.with_scalar("Mul", data, std::f32::consts::FRAC_1_SQRT_2);
            self.node("Erf", &[&scaled], &[])
        };
        let curve = self.with_scalar("Add", &curve, 1.0);
        self.node("Mul", &[&half, &curve], &[])
    }

    /// Makes a value an output of the graph, under the name that users know.
    pub(crate) fn output(&mut self, name: &str, value: &str, ty: Option<TensorType>) {
        let name = self.fresh(name);
        let mut node = Node::new("Identity", &[value], &[&name]);
        node.name.clone_from(&name);
        self.graph.nodes.push(node);
        let ty = ty.map(Into::into);
        self.graph.outputs.push(Value { name, ty });
    }

    /// The graph as a model.
    pub(crate) fn finish(mut self, name: &str) -> Model {
        self.graph.name = name.to_owned();
        Model {
            producer: "kiln".to_owned(),
            ..Model::new(self.graph, OPSET)
        }
    }

    /// A name that nothing else has: this one if it is free. An empty name
    /// would mean that a value is left out.
    fn fresh(&mut self, name: &str) -> String {
        let name = if name.is_empty() { "unnamed" } else { name };
        let mut candidate = name.to_owned();
        while self.taken.contains_key(&candidate) {
            let uses = self.taken.entry(name.to_owned()).or_insert(1);
            *uses += 1;
            candidate = format!("{name}_{uses}");
        }
        self.taken.insert(candidate.clone(), 1);
        candidate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_never_given_twice() {
        let mut building = Building::default();
        let names = ["a", "a", "a_2", "a", "", ""].map(|name| building.fresh(name));
        assert_eq!(names, ["a", "a_2", "a_2_2", "a_3", "unnamed", "unnamed_2"]);
    }
}
