//! The `*-symbol.json` file: nodes, each after those that it takes its inputs from.

use std::collections::HashMap;

use serde::Deserialize;

use super::FORMAT;
use super::attributes::Attributes;
use crate::foreign::ForeignError;

/// The operator of nodes that are inputs or parameters.
pub(super) const VARIABLE: &str = "null";

/// A network's nodes and which of their outputs are its own.
pub(super) struct Symbol {
    pub(super) nodes: Vec<Node>,
    pub(super) heads: Vec<Entry>,
}

/// One operation, input or parameter.
pub(super) struct Node {
    pub(super) operator: String,
    pub(super) name: String,
    pub(super) attributes: Attributes,
    pub(super) inputs: Vec<Entry>,
}

/// One output of a node.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Entry {
    pub(super) node: usize,
    pub(super) output: usize,
}

#[derive(Deserialize)]
struct SymbolText {
    nodes: Vec<NodeText>,
    heads: Vec<Vec<i64>>,
}

#[derive(Deserialize)]
struct NodeText {
    op: String,
    name: String,
    inputs: Vec<Vec<i64>>,
    // What today is in `attrs` was in `param`, and then in `attr`.
    #[serde(default)]
    attrs: HashMap<String, String>,
    #[serde(default)]
    attr: HashMap<String, String>,
    #[serde(default)]
    param: HashMap<String, String>,
}

impl Symbol {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, ForeignError> {
        let text: SymbolText = serde_json::from_slice(bytes).map_err(|error| {
            ForeignError::malformed(FORMAT, format!("its symbol file: {error}"))
        })?;
        let nodes = text.nodes.into_iter().enumerate().map(|(place, node)| {
            let inputs = node.inputs.iter().map(|entry| self::entry(entry, place));
            let inputs = inputs.collect::<Option<Vec<Entry>>>().ok_or_else(|| {
                let reason = format!("the node `{}` takes what does not precede it", node.name);
                ForeignError::malformed(FORMAT, reason)
            })?;
            let all = [node.param, node.attr, node.attrs].into_iter().flatten();
            Ok(Node {
                operator: node.op,
                name: node.name,
                attributes: Attributes::new(all.collect()),
                inputs,
            })
        });
        let nodes = nodes.collect::<Result<Vec<Node>, ForeignError>>()?;
        let heads = text.heads.iter().map(|head| entry(head, nodes.len()));
        let heads = heads.collect::<Option<Vec<Entry>>>();
        let heads = heads.filter(|heads| !heads.is_empty()).ok_or_else(|| {
            ForeignError::malformed(FORMAT, "its symbol file names no sound outputs")
        })?;
        Ok(Self { nodes, heads })
    }
}

/// An output of one of the first `nodes` nodes. A third number, which counts
/// versions, says nothing here.
fn entry(numbers: &[i64], nodes: usize) -> Option<Entry> {
    let node = usize::try_from(*numbers.first()?)
        .ok()
        .filter(|node| *node < nodes)?;
    let output = usize::try_from(*numbers.get(1)?).ok()?;
    Some(Entry { node, output })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_of_every_age_are_read() {
        for key in ["attrs", "attr", "param"] {
            let text = format!(
                r#"{{"nodes": [{{"op": "null", "name": "x", "inputs": []}},
                   {{"op": "Pooling", "name": "p", "inputs": [[0, 0]], "{key}": {{"kernel": "(2, 2)"}}}}],
                   "heads": [[1, 0]]}}"#
            );
            let symbol = Symbol::read(text.as_bytes()).unwrap();
            assert_eq!(
                symbol.nodes[1].attributes.list("kernel"),
                Ok(Some(vec![2, 2]))
            );
        }
    }

    #[test]
    fn a_node_takes_only_what_precedes_it() {
        let text = br#"{"nodes": [{"op": "abs", "name": "a", "inputs": [[0, 0, 0]]}], "heads": [[0, 0, 0]]}"#;
        let error = Symbol::read(text).err();
        let reason = "the node `a` takes what does not precede it";
        assert_eq!(error, Some(ForeignError::malformed(FORMAT, reason)));
    }
}
