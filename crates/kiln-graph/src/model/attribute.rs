//! What a node is told beside its inputs.

use super::{Graph, Tensor, Type};

/// An attribute of a node.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub enum Attribute {
    Float(f32),
    Int(i64),
    /// Text, which should be UTF-8.
    String(Vec<u8>),
    Tensor(Tensor),
    Graph(Box<Graph>),
    Floats(Vec<f32>),
    Ints(Vec<i64>),
    Strings(Vec<Vec<u8>>),
    Tensors(Vec<Tensor>),
    Graphs(Vec<Graph>),
    Type(Type),
    Types(Vec<Type>),
}

impl Attribute {
    /// What it holds, as a word for messages.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Float(_) => "number",
            Self::Int(_) => "whole number",
            Self::String(_) => "text",
            Self::Tensor(_) => "tensor",
            Self::Graph(_) => "graph",
            Self::Floats(_) => "list of numbers",
            Self::Ints(_) => "list of whole numbers",
            Self::Strings(_) => "list of texts",
            Self::Tensors(_) => "list of tensors",
            Self::Graphs(_) => "list of graphs",
            Self::Type(_) => "type",
            Self::Types(_) => "list of types",
        }
    }

    /// The graphs that it holds.
    pub fn graphs(&self) -> impl Iterator<Item = &Graph> {
        let graphs = match self {
            Self::Graph(graph) => std::slice::from_ref(&**graph),
            Self::Graphs(graphs) => graphs,
            _ => &[],
        };
        graphs.iter()
    }

    /// The graphs that it holds, to be changed.
    pub fn graphs_mut(&mut self) -> impl Iterator<Item = &mut Graph> {
        let graphs = match self {
            Self::Graph(graph) => std::slice::from_mut(&mut **graph),
            Self::Graphs(graphs) => graphs,
            _ => &mut [],
        };
        graphs.iter_mut()
    }
}

macro_rules! from {
    ($($type:ty => $variant:ident),* $(,)?) => {$(
        impl From<$type> for Attribute {
            fn from(value: $type) -> Self {
                Self::$variant(value)
            }
        }
    )*};
}

from!(
    f32 => Float,
    i64 => Int,
    Tensor => Tensor,
    Vec<f32> => Floats,
    Vec<i64> => Ints,
    Type => Type,
);

impl From<&str> for Attribute {
    fn from(text: &str) -> Self {
        Self::String(text.as_bytes().to_vec())
    }
}

impl From<Graph> for Attribute {
    fn from(graph: Graph) -> Self {
        Self::Graph(Box::new(graph))
    }
}
