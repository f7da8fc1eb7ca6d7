//! Operators that a model defines itself: each node that calls one gives way to the
//! nodes of its definition.

use std::collections::HashMap;

use super::OnnxError;
use super::read::domain;
use crate::proto::{AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto};

/// How deep functions may call functions.
const DEPTH_LIMIT: usize = 64;
/// How many nodes may come of it all.
const NODE_LIMIT: usize = 1_000_000;

/// Puts the nodes of every function in the places where it is called.
pub(super) fn inline(model: &mut ModelProto) -> Result<(), OnnxError> {
    let functions = std::mem::take(&mut model.functions);
    let Some(graph) = model.graph.as_mut().filter(|_| !functions.is_empty()) else {
        return Ok(());
    };
    let table = functions.iter().map(|function| {
        let key = (
            domain(&function.domain),
            function.name.as_str(),
            function.overload.as_str(),
        );
        (key, function)
    });
    let mut inliner = Inliner {
        table: table.collect(),
        used: Vec::new(),
        calls: 0,
        nodes: 0,
    };
    inliner.graph(graph, 0)?;
    let used = inliner.used;
    used.into_iter()
        .try_for_each(|function| adopt_opsets(model, function))
}

/// A function's nodes are of the operator sets that it says, which must be the model's too.
fn adopt_opsets(model: &mut ModelProto, function: &FunctionProto) -> Result<(), OnnxError> {
    for set in &function.opset_import {
        let mut known = model.opset_import.iter();
        match known.find(|own| domain(&own.domain) == domain(&set.domain)) {
            None => model.opset_import.push(set.clone()),
            Some(own) if own.version == set.version => {}
            Some(own) => {
                return Err(OnnxError::Unsupported(format!(
                    "the function '{}' with version {} of an operator set of which the model itself uses version {}",
                    function.name, set.version, own.version
                )));
            }
        }
    }
    Ok(())
}

type Key<'f> = (&'f str, &'f str, &'f str);

struct Inliner<'f> {
    table: HashMap<Key<'f>, &'f FunctionProto>,
    used: Vec<&'f FunctionProto>,
    calls: usize,
    nodes: usize,
}

impl<'f> Inliner<'f> {
    fn graph(&mut self, graph: &mut GraphProto, depth: usize) -> Result<(), OnnxError> {
        let nodes = std::mem::take(&mut graph.node);
        graph.node = self.expanded(nodes, depth)?;
        Ok(())
    }

    fn expanded(
        &mut self,
        nodes: Vec<NodeProto>,
        depth: usize,
    ) -> Result<Vec<NodeProto>, OnnxError> {
        if depth > DEPTH_LIMIT {
            return Err(too_much("functions that call each other without end"));
        }
        let mut expanded = Vec::with_capacity(nodes.len());
        for mut node in nodes {
            let key = (
                domain(&node.domain),
                node.op_type.as_str(),
                node.overload.as_str(),
            );
            if let Some(function) = self.table.get(&key).copied() {
                let body = self.called(function, &node)?;
                expanded.extend(self.expanded(body, depth + 1)?);
                continue;
            }
            for attribute in &mut node.attribute {
                let graphs = attribute.g.iter_mut().chain(&mut attribute.graphs);
                for graph in graphs {
                    self.graph(graph, depth)?;
                }
            }
            expanded.push(node);
        }
        Ok(expanded)
    }

    /// The nodes of a function as one call of it has them.
    fn called(
        &mut self,
        function: &'f FunctionProto,
        call: &NodeProto,
    ) -> Result<Vec<NodeProto>, OnnxError> {
        self.calls += 1;
        self.nodes += function.node.len();
        if self.nodes > NODE_LIMIT {
            return Err(too_much("functions of more than a million nodes in all"));
        }
        if !self.used.iter().any(|used| std::ptr::eq(*used, function)) {
            self.used.push(function);
        }
        let binding = Binding::new(function, call, self.calls);
        let mut nodes: Vec<_> = function
            .node
            .iter()
            .map(|node| binding.node(node))
            .collect();
        nodes.extend(binding.passed_through(function, call));
        Ok(nodes)
    }
}

fn too_much(what: &str) -> OnnxError {
    OnnxError::Unsupported(what.to_owned())
}

/// What a function's names and attributes are in one call of it.
struct Binding<'c> {
    names: HashMap<&'c str, &'c str>,
    attributes: HashMap<&'c str, &'c AttributeProto>,
    /// What distinguishes the function's other names in this call.
    prefix: String,
}

impl<'c> Binding<'c> {
    fn new(function: &'c FunctionProto, call: &'c NodeProto, number: usize) -> Self {
        let absent = std::iter::repeat("");
        let given = call.input.iter().map(String::as_str).chain(absent);
        let inputs = function.input.iter().map(String::as_str).zip(given);
        let wanted = function
            .output
            .iter()
            .zip(&call.output)
            .filter(|(_, to)| !to.is_empty());
        let mut names = HashMap::new();
        // What is an input and an output at once stays the input.
        for (own, outer) in inputs.chain(wanted.map(|(own, to)| (own.as_str(), to.as_str()))) {
            names.entry(own).or_insert(outer);
        }
        let defaults = function.attribute_proto.iter().chain(&call.attribute);
        Self {
            names,
            attributes: defaults
                .map(|attribute| (attribute.name.as_str(), attribute))
                .collect(),
            prefix: format!("{}.{number}.", function.name),
        }
    }

    fn name(&self, own: &str) -> String {
        match self.names.get(own) {
            _ if own.is_empty() => String::new(),
            Some(outer) => (*outer).to_owned(),
            None => format!("{}{own}", self.prefix),
        }
    }

    fn node(&self, node: &NodeProto) -> NodeProto {
        let attributes = node.attribute.iter();
        NodeProto {
            input: node.input.iter().map(|name| self.name(name)).collect(),
            output: node.output.iter().map(|name| self.name(name)).collect(),
            name: format!("{}{}", self.prefix, node.name),
            attribute: attributes
                .filter_map(|attribute| self.attribute(attribute))
                .collect(),
            ..node.clone()
        }
    }

    /// The attribute in this call; none if it refers to one that the call leaves out.
    fn attribute(&self, attribute: &AttributeProto) -> Option<AttributeProto> {
        if !attribute.ref_attr_name.is_empty() {
            let given = *self.attributes.get(attribute.ref_attr_name.as_str())?;
            let name = attribute.name.clone();
            return Some(AttributeProto {
                name,
                ..given.clone()
            });
        }
        let mut bound = attribute.clone();
        bound.g = bound.g.map(|graph| self.graph(graph));
        bound.graphs = bound
            .graphs
            .into_iter()
            .map(|graph| self.graph(graph))
            .collect();
        Some(bound)
    }

    fn graph(&self, mut graph: GraphProto) -> GraphProto {
        graph.node = graph.node.iter().map(|node| self.node(node)).collect();
        let values = graph
            .input
            .iter_mut()
            .chain(&mut graph.output)
            .chain(&mut graph.value_info);
        values.for_each(|value| value.name = self.name(&value.name));
        for constant in &mut graph.initializer {
            constant.name = self.name(&constant.name);
        }
        graph
    }

    /// Nodes for the outputs that are another output, or an input, under another name.
    fn passed_through(&self, function: &FunctionProto, call: &NodeProto) -> Vec<NodeProto> {
        let outputs = function.output.iter().zip(&call.output);
        let aliases = outputs.filter(|(own, outer)| !outer.is_empty() && self.name(own) != **outer);
        let nodes = aliases.map(|(own, outer)| NodeProto {
            op_type: "Identity".to_owned(),
            input: vec![self.name(own)],
            output: vec![outer.clone()],
            ..NodeProto::default()
        });
        nodes.collect()
    }
}
