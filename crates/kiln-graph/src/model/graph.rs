//! Nodes in an order in which they can be computed, what goes in and what
//! comes out.

use std::collections::BTreeMap;

use super::{Attribute, Tensor, TensorType, Type};

/// Nodes in an order in which they can be computed. A graph within a node's
/// attribute also sees the values of the graphs around it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Graph {
    /// Its name.
    pub name: String,
    /// What goes in, in order. An initializer is no input.
    pub inputs: Vec<Value>,
    /// What comes out, in order.
    pub outputs: Vec<Value>,
    /// The nodes.
    pub nodes: Vec<Node>,
    /// Constants, by name.
    pub initializers: BTreeMap<String, Tensor>,
    /// What is known of the values in between, by name.
    pub types: BTreeMap<String, Type>,
}

/// A value that goes in or comes out.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    /// Its name.
    pub name: String,
    /// Its type, if it is known.
    pub ty: Option<Type>,
}

/// One operation.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Node {
    /// Its own name; many nodes have none.
    pub name: String,
    /// The operator's domain; empty for ONNX's own.
    pub domain: String,
    /// The operator.
    pub operator: String,
    /// The names of what it takes; empty for what is left out.
    pub inputs: Vec<String>,
    /// The names of what it gives; empty for what nobody wants.
    pub outputs: Vec<String>,
    /// Its attributes, by name.
    pub attributes: BTreeMap<String, Attribute>,
}

impl Value {
    /// A value of a known type.
    #[must_use]
    pub fn new(name: impl Into<String>, ty: impl Into<Type>) -> Self {
        Self {
            name: name.into(),
            ty: Some(ty.into()),
        }
    }
}

impl Graph {
    /// What is known of a value of this graph, whatever it is; nothing of the
    /// values of graphs around it.
    #[must_use]
    pub fn type_of(&self, name: &str) -> Option<Type> {
        if let Some(tensor) = self.initializers.get(name) {
            return Some(TensorType::of(tensor).into());
        }
        if let Some(ty) = self.types.get(name) {
            return Some(ty.clone());
        }
        let mut ends = self.inputs.iter().chain(&self.outputs);
        ends.find(|value| value.name == name)?.ty.clone()
    }
}

impl Node {
    /// An operation of ONNX's own, without attributes.
    #[must_use]
    pub fn new(operator: &str, inputs: &[&str], outputs: &[&str]) -> Self {
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            operator: operator.to_owned(),
            inputs: own(inputs),
            outputs: own(outputs),
            ..Self::default()
        }
    }

    /// The same node with an attribute more.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Attribute>) -> Self {
        self.attributes.insert(name.to_owned(), value.into());
        self
    }

    /// The name of an input, if it is not left out.
    #[must_use]
    pub fn input(&self, place: usize) -> Option<&str> {
        let name = self.inputs.get(place)?;
        (!name.is_empty()).then_some(name)
    }

    /// The name of an output, if it is wanted.
    #[must_use]
    pub fn output(&self, place: usize) -> Option<&str> {
        let name = self.outputs.get(place)?;
        (!name.is_empty()).then_some(name)
    }

    /// An attribute that is a number, if it is there.
    #[must_use]
    pub fn float(&self, name: &str) -> Option<f32> {
        match self.attributes.get(name)? {
            Attribute::Float(value) => Some(*value),
            _ => None,
        }
    }

    /// An attribute that is a whole number, if it is there.
    #[must_use]
    pub fn int(&self, name: &str) -> Option<i64> {
        match self.attributes.get(name)? {
            Attribute::Int(value) => Some(*value),
            _ => None,
        }
    }

    /// An attribute that is a list of whole numbers, if it is there.
    #[must_use]
    pub fn ints(&self, name: &str) -> Option<&[i64]> {
        match self.attributes.get(name)? {
            Attribute::Ints(values) => Some(values),
            _ => None,
        }
    }

    /// An attribute that is a list of numbers, if it is there.
    #[must_use]
    pub fn floats(&self, name: &str) -> Option<&[f32]> {
        match self.attributes.get(name)? {
            Attribute::Floats(values) => Some(values),
            _ => None,
        }
    }

    /// An attribute that is a text in UTF-8, if it is there.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.attributes.get(name)? {
            Attribute::String(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// An attribute that is a tensor, if it is there.
    #[must_use]
    pub fn tensor(&self, name: &str) -> Option<&Tensor> {
        match self.attributes.get(name)? {
            Attribute::Tensor(tensor) => Some(tensor),
            _ => None,
        }
    }

    /// An attribute that is a graph, if it is there.
    #[must_use]
    pub fn graph(&self, name: &str) -> Option<&Graph> {
        match self.attributes.get(name)? {
            Attribute::Graph(graph) => Some(graph),
            _ => None,
        }
    }

    /// Whether it is this operator of ONNX's own.
    #[must_use]
    pub fn is(&self, operator: &str) -> bool {
        self.domain.is_empty() && self.operator == operator
    }
}
