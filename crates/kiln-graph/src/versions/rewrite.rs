//! What rewriting a node may need of the model around it: names that nobody
//! has, constants, and types.

use std::collections::{BTreeMap, BTreeSet};

use crate::folding::numbers::to_real;
use crate::model::{Attribute, Element, Graph, Node, Tensor};
use crate::shapes::Fact;

/// The names of a model's values, to find new ones.
pub(crate) struct Names(BTreeSet<String>);

impl Names {
    /// All that a graph and the graphs within it name.
    pub(crate) fn of(graph: &Graph) -> Self {
        let mut names = Self(BTreeSet::new());
        names.collect(graph);
        names
    }

    fn collect(&mut self, graph: &Graph) {
        let ends = graph
            .inputs
            .iter()
            .chain(&graph.outputs)
            .map(|value| &value.name);
        self.0
            .extend(ends.chain(graph.initializers.keys()).cloned());
        for node in &graph.nodes {
            self.0
                .extend(node.inputs.iter().chain(&node.outputs).cloned());
            for within in node.attributes.values().flat_map(Attribute::graphs) {
                self.collect(within);
            }
        }
    }

    /// A name that nobody has, which tells where it comes from.
    pub(crate) fn fresh(&mut self, base: &str, purpose: &str) -> String {
        let plain = format!("{base}.{purpose}");
        let mut name = plain.clone();
        let mut number = 2;
        while !self.0.insert(name.clone()) {
            name = format!("{plain}.{number}");
            number += 1;
        }
        name
    }
}

/// The place in which a node is rewritten.
pub(crate) struct Place<'a> {
    pub(crate) names: &'a mut Names,
    /// The constants that were made.
    pub(crate) constants: &'a mut BTreeMap<String, Tensor>,
    /// What is known of a value.
    pub(crate) facts: &'a dyn Fn(&str) -> Option<Fact>,
}

impl Place<'_> {
    /// A constant with a new name.
    pub(crate) fn constant(&mut self, node: &Node, purpose: &str, tensor: Tensor) -> String {
        let name = self.fresh(node, purpose);
        self.constants.insert(name.clone(), tensor);
        name
    }

    /// A new name for something that belongs to a node.
    pub(crate) fn fresh(&mut self, node: &Node, purpose: &str) -> String {
        let base = node.outputs.iter().find(|name| !name.is_empty());
        self.names
            .fresh(base.map_or(node.operator.as_str(), String::as_str), purpose)
    }

    /// The rank of a value, if it is known.
    pub(super) fn rank(&self, name: &str) -> Option<usize> {
        Some((self.facts)(name)?.dims()?.len())
    }

    /// The element type of a value; 32 bits where nothing is known, as nearly all are.
    pub(super) fn element(&self, name: &str) -> Element {
        (self.facts)(name)
            .and_then(|fact| fact.element())
            .unwrap_or(Element::F32)
    }

    /// The real numbers that a value holds, if it is a constant.
    pub(super) fn numbers(&self, name: &str) -> Option<Vec<f64>> {
        to_real((self.facts)(name)?.constant.as_ref()?)
    }
}

/// Makes an input of a node be this value, and leaves out those before it that it
/// does not have.
pub(super) fn set_input(node: &mut Node, place: usize, name: String) {
    if node.inputs.len() <= place {
        node.inputs.resize(place + 1, String::new());
    }
    node.inputs[place] = name;
}
