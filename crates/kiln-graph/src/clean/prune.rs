//! What nobody needs goes, and what is needed of constants and types is written
//! down in the graph.

use std::collections::BTreeSet;

use super::scope::Scopes;
use crate::model::{Attribute, Graph, Node};

/// Takes out nodes that give nothing that is wanted, and puts in the constants
/// and types of those that remain.
pub(super) fn unused(graph: &mut Graph, scopes: &Scopes) {
    let mut wanted: BTreeSet<String> = graph
        .outputs
        .iter()
        .map(|value| value.name.clone())
        .collect();
    let mut kept = Vec::with_capacity(graph.nodes.len());
    for mut node in std::mem::take(&mut graph.nodes).into_iter().rev() {
        if !node.outputs.iter().any(|name| wanted.contains(name)) {
            continue;
        }
        leave_out_outputs(&mut node, &wanted);
        wanted.extend(node.inputs.iter().filter(|name| !name.is_empty()).cloned());
        for within in node.attributes.values().flat_map(Attribute::graphs) {
            names_within(within, &mut wanted);
        }
        kept.push(node);
    }
    kept.reverse();
    graph.nodes = kept;
    for name in &wanted {
        if let Some(tensor) = scopes.own(name).and_then(|fact| fact.constant.clone()) {
            graph.initializers.insert(name.clone(), tensor);
        }
    }
    for name in graph.nodes.iter().flat_map(|node| &node.outputs) {
        if let Some(ty) = scopes.own(name).and_then(|fact| fact.to_type()) {
            graph.types.insert(name.clone(), ty);
        }
    }
}

/// Outputs that operators may leave out and nobody wants.
fn leave_out_outputs(node: &mut Node, wanted: &BTreeSet<String>) {
    let optional = [
        "MaxPool",
        "Dropout",
        "BatchNormalization",
        "LayerNormalization",
    ];
    if !optional.iter().any(|operator| node.is(operator)) {
        return;
    }
    while node.outputs.len() > 1
        && node
            .outputs
            .last()
            .is_some_and(|name| !wanted.contains(name))
    {
        node.outputs.pop();
    }
}

/// All names that a graph within a node may take from outside.
fn names_within(graph: &Graph, names: &mut BTreeSet<String>) {
    names.extend(graph.outputs.iter().map(|value| value.name.clone()));
    for node in &graph.nodes {
        names.extend(node.inputs.iter().filter(|name| !name.is_empty()).cloned());
        for within in node.attributes.values().flat_map(Attribute::graphs) {
            names_within(within, names);
        }
    }
}

/// Makes nodes, and those in graphs within them, take another value.
pub(super) fn rename_inputs(nodes: &mut [Node], from: &str, to: &str) {
    for node in nodes {
        for name in node.inputs.iter_mut().filter(|name| *name == from) {
            to.clone_into(name);
        }
        for within in node.attributes.values_mut().flat_map(Attribute::graphs_mut) {
            if !defines(within, from) {
                rename_within(within, from, to);
            }
        }
    }
}

fn rename_within(graph: &mut Graph, from: &str, to: &str) {
    rename_inputs(&mut graph.nodes, from, to);
    for value in graph.outputs.iter_mut().filter(|value| value.name == from) {
        to.clone_into(&mut value.name);
    }
}

/// Whether a graph has a value of its own of this name.
fn defines(graph: &Graph, name: &str) -> bool {
    graph.initializers.contains_key(name)
        || graph.inputs.iter().any(|value| value.name == name)
        || graph
            .nodes
            .iter()
            .any(|node| node.outputs.iter().any(|output| output == name))
}
