//! Whether a model hangs together: every name is defined once, and before it is used.

use std::collections::HashSet;

use super::OnnxError;
use crate::model::{Graph, Model, Node};

pub(super) fn model(model: &Model) -> Result<(), OnnxError> {
    if model.graph.outputs.is_empty() {
        return Err(OnnxError::Malformed("its graph has no outputs".to_owned()));
    }
    let domains = model.opsets.keys().map(String::as_str).collect();
    Scope {
        names: HashSet::new(),
        around: None,
        domains: &domains,
    }
    .check(&model.graph)
}

/// The names that a graph's nodes see.
struct Scope<'m> {
    names: HashSet<&'m str>,
    around: Option<&'m Scope<'m>>,
    domains: &'m HashSet<&'m str>,
}

impl<'m> Scope<'m> {
    fn check(mut self, graph: &'m Graph) -> Result<(), OnnxError> {
        let inputs = graph.inputs.iter().map(|input| &input.name);
        for name in inputs.chain(graph.initializers.keys()) {
            if name.is_empty() {
                return Err(OnnxError::value(
                    name,
                    "an input or initializer needs a name",
                ));
            }
            if !self.names.insert(name) {
                return Err(OnnxError::value(name, "it is defined twice"));
            }
        }
        for (index, node) in graph.nodes.iter().enumerate() {
            self.uses(node)
                .map_err(|reason| OnnxError::node(index, node, reason))?;
            self.inside(node)?;
            self.defines(node)
                .map_err(|reason| OnnxError::node(index, node, reason))?;
        }
        match graph.outputs.iter().find(|output| !self.sees(&output.name)) {
            Some(output) => Err(OnnxError::value(
                &output.name,
                "it is an output that no node gives",
            )),
            None => Ok(()),
        }
    }

    fn sees(&self, name: &str) -> bool {
        self.names.contains(name) || self.around.is_some_and(|around| around.sees(name))
    }

    /// That what a node uses is there; what is not, as the end of a sentence.
    fn uses(&self, node: &Node) -> Result<(), String> {
        if node.operator.is_empty() {
            return Err("it names no operator".to_owned());
        }
        if !self.domains.contains(node.domain.as_str()) {
            return Err(format!(
                "the model has no version of the operator set '{}'",
                node.domain
            ));
        }
        let mut named = node.inputs.iter().filter(|name| !name.is_empty());
        match named.find(|name| !self.sees(name)) {
            Some(name) => Err(format!("its input '{name}' is not defined before it")),
            None => Ok(()),
        }
    }

    fn inside(&self, node: &'m Node) -> Result<(), OnnxError> {
        for graph in node
            .attributes
            .values()
            .flat_map(|attribute| attribute.graphs())
        {
            let domains = self.domains;
            Scope {
                names: HashSet::new(),
                around: Some(self),
                domains,
            }
            .check(graph)?;
        }
        Ok(())
    }

    fn defines(&mut self, node: &'m Node) -> Result<(), String> {
        for name in node.outputs.iter().filter(|name| !name.is_empty()) {
            if !self.names.insert(name) {
                return Err(format!("its output '{name}' is defined already"));
            }
        }
        Ok(())
    }
}
