//! The walk through a network's nodes, each with the sizes of what it gives.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::call::{Call, Value, check};
use super::symbol::{Entry, Node, Symbol, VARIABLE};
use super::{FORMAT, operators};
use crate::foreign::{Building, ForeignError};
use crate::model::{Dim, Element, Model, Tensor, TensorType};

/// The sizes of inputs, by name.
type Sizes = BTreeMap<String, Vec<usize>>;

/// A network under construction.
struct Network<'a> {
    symbol: &'a Symbol,
    building: Building,
    params: HashMap<String, Tensor>,
    /// What each node gives, once it has been converted.
    values: Vec<Vec<Value>>,
}

/// The whole network.
pub(super) fn convert(
    symbol: &Symbol,
    params: HashMap<String, Tensor>,
    inputs: &Sizes,
) -> Result<Model, ForeignError> {
    refuse_unknown(symbol)?;
    let values = vec![Vec::new(); symbol.nodes.len()];
    let mut network = Network {
        symbol,
        building: Building::default(),
        params,
        values,
    };
    let needed = needed(symbol);
    network.inputs(inputs, &needed)?;
    for (place, node) in symbol
        .nodes
        .iter()
        .enumerate()
        .filter(|(place, _)| needed[*place])
    {
        network.node(place, node)?;
    }
    network.outputs()?;
    Ok(network.building.finish("mxnet"))
}

fn refuse_unknown(symbol: &Symbol) -> Result<(), ForeignError> {
    let known =
        |node: &&Node| node.operator == VARIABLE || operators::converter(&node.operator).is_some();
    let unknown = symbol.nodes.iter().filter(|node| !known(node));
    let operators: BTreeSet<String> = unknown.map(|node| node.operator.clone()).collect();
    match operators.is_empty() {
        true => Ok(()),
        false => Err(ForeignError::NotImplemented {
            format: FORMAT,
            operators,
        }),
    }
}

/// Which nodes the outputs depend on. What operators do not look at, such as
/// labels, is not among them.
fn needed(symbol: &Symbol) -> Vec<bool> {
    let mut needed = vec![false; symbol.nodes.len()];
    for head in &symbol.heads {
        needed[head.node] = true;
    }
    for place in (0..symbol.nodes.len()).rev() {
        if needed[place] {
            for input in operators::looked_at(&symbol.nodes[place]) {
                needed[input.node] = true;
            }
        }
    }
    needed
}

impl Network<'_> {
    /// Every input whose sizes are given, in the symbol's order. A label may be
    /// given too, but is not asked for.
    fn inputs(&mut self, sizes: &Sizes, needed: &[bool]) -> Result<(), ForeignError> {
        let mut left: BTreeSet<&str> = sizes.keys().map(String::as_str).collect();
        let symbol = self.symbol;
        for (place, node) in symbol.nodes.iter().enumerate() {
            let Some(dims) = sizes.get(&node.name).filter(|_| self.is_free(node)) else {
                continue;
            };
            if !left.remove(node.name.as_str()) || !needed[place] {
                continue;
            }
            if dims.contains(&0) || check(dims).is_err() {
                return Err(wrong_input(
                    &node.name,
                    "Each size should be a positive number",
                ));
            }
            let known = dims.iter().copied().map(Dim::Known).collect();
            let name = self.building.input(&node.name, Element::F32, known);
            self.values[place] = vec![Value {
                name,
                dims: dims.clone(),
            }];
        }
        match left.first() {
            None => Ok(()),
            Some(name) => Err(wrong_input(name, "The model has no input of this name")),
        }
    }

    fn is_free(&self, node: &Node) -> bool {
        node.operator == VARIABLE && !self.params.contains_key(&node.name)
    }

    fn node(&mut self, place: usize, node: &Node) -> Result<(), ForeignError> {
        if !self.values[place].is_empty() {
            return Ok(());
        }
        if node.operator == VARIABLE {
            let tensor = self.params.get(&node.name).cloned();
            let tensor = tensor.ok_or_else(|| {
                wrong_input(
                    &node.name,
                    "Input shapes should be provided for every input, in NCHW format",
                )
            })?;
            let dims = tensor.dims().to_vec();
            let name = self.building.constant(&node.name, tensor);
            self.values[place] = vec![Value { name, dims }];
            return Ok(());
        }
        let given = self.apply(node).map_err(|reason| ForeignError::Operator {
            format: FORMAT,
            operator: node.operator.clone(),
            place: format!("`{}`", node.name),
            reason,
        })?;
        self.values[place] = given;
        Ok(())
    }

    fn apply(&mut self, node: &Node) -> Result<Vec<Value>, String> {
        let convert = operators::converter(&node.operator).ok_or("it is not implemented")?;
        let inputs = operators::looked_at(node)
            .iter()
            .map(|entry| self.value(entry));
        let inputs = inputs.collect::<Result<Vec<Value>, String>>()?;
        self.building.enter(&node.name);
        let mut call = Call {
            graph: &mut self.building,
            attributes: &node.attributes,
            inputs,
        };
        let given = convert(&mut call)?;
        for value in &given {
            check(&value.dims)?;
        }
        Ok(given)
    }

    fn value(&self, entry: &Entry) -> Result<Value, String> {
        let value = self.values[entry.node].get(entry.output).cloned();
        value.ok_or_else(|| {
            let name = &self.symbol.nodes[entry.node].name;
            format!("the output {} of `{name}` is not implemented", entry.output)
        })
    }

    fn outputs(&mut self) -> Result<(), ForeignError> {
        for head in &self.symbol.heads {
            let node = &self.symbol.nodes[head.node];
            let value = self.value(head);
            let value = value.map_err(|reason| ForeignError::malformed(FORMAT, reason))?;
            let count = self.values[head.node].len();
            let name = format!("{}_{}", node.name, output_name(node, count, head.output));
            let ty = TensorType::new(Element::F32, &value.dims);
            self.building.output(&name, &value.name, Some(ty));
        }
        Ok(())
    }
}

/// What MXNet adds to a node's name for the name of an output.
fn output_name(node: &Node, outputs: usize, output: usize) -> String {
    const RECURRENT: [&str; 3] = ["output", "state_output", "statecell_output"];
    match (node.operator.as_str(), outputs) {
        (_, 1) => "output".to_owned(),
        ("RNN", _) => RECURRENT[output.min(2)].to_owned(),
        _ => format!("output{output}"),
    }
}

fn wrong_input(name: &str, reason: &str) -> ForeignError {
    ForeignError::Input {
        input: name.to_owned(),
        reason: reason.to_owned(),
    }
}
