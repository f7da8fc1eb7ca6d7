//! One walk over a graph in the order of computation. Behind it every type and
//! shape is known, what is constant has been computed, and what changes nothing
//! is gone.

use std::collections::{BTreeMap, BTreeSet};

use super::error::CleanError;
use super::scope::Scopes;
use super::{control, passing, prune};
use crate::folding::{evaluate, work};
use crate::lowering::lowered;
use crate::model::{Graph, Node, Type};
use crate::shapes::{Fact, Mismatch, Site, infer};
use crate::versions::{Names, Place, TARGET, modernize};

/// The bytes that may be read and written to compute constants. Without a bound a
/// small model could ask for any amount.
const WORK: usize = 2 << 30;

/// Graphs within graphs deeper than this are no network's.
const DEEPEST: usize = 8;

/// The walk, and what it has found.
pub(super) struct Walk {
    pub(super) scopes: Scopes,
    pub(super) names: Names,
    /// Operators whose outputs nobody knows anything of.
    pub(super) unknown: BTreeSet<String>,
    /// The bytes that constants may still be computed of.
    work: usize,
    /// The version of the operators that the nodes are in.
    opset: i64,
}

/// The nodes that remain of a graph so far, and what its author said of types.
pub(super) struct Remaining {
    pub(super) nodes: Vec<Node>,
    types: BTreeMap<String, Type>,
}

impl Walk {
    pub(super) fn new(names: Names, opset: i64) -> Self {
        let (scopes, unknown) = (Scopes::default(), BTreeSet::new());
        Self {
            scopes,
            names,
            unknown,
            opset,
            work: WORK,
        }
    }

    /// Cleans a graph that is given this; also tells what it gives.
    pub(super) fn graph(
        &mut self,
        mut graph: Graph,
        inputs: Vec<Fact>,
    ) -> Result<(Graph, Vec<Fact>), CleanError> {
        if self.scopes.depth() >= DEEPEST {
            return Err(CleanError::Depth(DEEPEST));
        }
        self.scopes.enter();
        for (name, tensor) in std::mem::take(&mut graph.initializers) {
            self.scopes.define(&name, Fact::constant(tensor));
        }
        for (value, fact) in graph.inputs.iter_mut().zip(inputs) {
            value.ty = fact.to_type().or(value.ty.take());
            self.scopes.define(&value.name, fact);
        }
        let mut types = std::mem::take(&mut graph.types);
        for value in &graph.outputs {
            types.extend(value.ty.clone().map(|ty| (value.name.clone(), ty)));
        }
        let mut remaining = Remaining {
            nodes: vec![],
            types,
        };
        self.nodes(std::mem::take(&mut graph.nodes), &mut remaining)?;
        graph.nodes = remaining.nodes;
        let outputs = self.outputs(&mut graph)?;
        prune::unused(&mut graph, &self.scopes);
        self.scopes.leave();
        Ok((graph, outputs))
    }

    pub(super) fn nodes(
        &mut self,
        nodes: Vec<Node>,
        remaining: &mut Remaining,
    ) -> Result<(), CleanError> {
        for (number, mut node) in nodes.into_iter().enumerate() {
            self.resolve(&mut node);
            for mut node in self.modern(node, number)? {
                self.resolve(&mut node);
                for mut node in self.lowered(node, number)? {
                    self.resolve(&mut node);
                    self.node(node, number, remaining)?;
                }
            }
        }
        Ok(())
    }

    /// Makes a node take what stands behind the names that it takes.
    fn resolve(&self, node: &mut Node) {
        for name in &mut node.inputs {
            let resolved = self.scopes.resolved(name);
            if resolved != name.as_str() {
                *name = resolved.to_owned();
            }
        }
    }

    /// What a node is in today's operators.
    fn modern(&mut self, node: Node, number: usize) -> Result<Vec<Node>, CleanError> {
        let opset = self.opset;
        if !(1..TARGET).contains(&opset) || !node.domain.is_empty() {
            return Ok(vec![node]);
        }
        let named = label(&node);
        self.rewritten(|place| modernize(node, opset, place))
            .map_err(|why| error(&named, number, why))
    }

    /// What a node is in operators that compilers get right.
    fn lowered(&mut self, node: Node, number: usize) -> Result<Vec<Node>, CleanError> {
        match self.rewritten(|place| lowered(&node, place)) {
            Ok(Some(nodes)) => Ok(nodes),
            Ok(None) => Ok(vec![node]),
            Err(why) => Err(error(&node, number, why)),
        }
    }

    /// What becomes of a node in this place. The constants that it takes are known
    /// from here on.
    fn rewritten<T>(&mut self, rewrite: impl FnOnce(&mut Place) -> T) -> T {
        let mut constants = BTreeMap::new();
        let scopes = &self.scopes;
        let facts = |name: &str| scopes.fact(name).cloned();
        let rewritten = rewrite(&mut Place {
            names: &mut self.names,
            constants: &mut constants,
            facts: &facts,
        });
        for (name, tensor) in constants {
            self.scopes.define(&name, Fact::constant(tensor));
        }
        rewritten
    }

    fn node(
        &mut self,
        node: Node,
        number: usize,
        remaining: &mut Remaining,
    ) -> Result<(), CleanError> {
        let refused = |node: &Node, why: Mismatch| error(node, number, why);
        if node.domain.is_empty() && control::holds_graphs(&node) {
            let copy = label(&node);
            return match control::walk(self, node, remaining) {
                Ok(()) => Ok(()),
                Err(control::Stop::Mismatch(why)) => Err(refused(&copy, why)),
                Err(control::Stop::Within(error)) => Err(error),
            };
        }
        let inputs = self.facts(&node).map_err(|why| refused(&node, why))?;
        let site = Site::new(&node, inputs);
        let inferred = if node.domain.is_empty() {
            infer(&site)
        } else {
            None
        };
        let Some(facts) = inferred else {
            return self.keep(node, vec![], remaining);
        };
        let facts = facts.map_err(|why| refused(&node, why))?;
        if let Some(tensors) = evaluate(&site, &facts, self.work) {
            self.work = self.work.saturating_sub(work(&site, &tensors));
            for (name, tensor) in node.outputs.iter().zip(tensors) {
                self.scopes.define(name, Fact::constant(tensor));
            }
            return Ok(());
        }
        let single = node.outputs.len() == 1;
        if single && facts.first().is_some_and(|fact| fact.constant.is_some()) {
            let fact = facts.into_iter().next();
            fact.into_iter()
                .for_each(|fact| self.scopes.define(&node.outputs[0], fact));
            return Ok(());
        }
        if let (Some(source), Some(name), Some(fact)) =
            (node.input(0), node.output(0), facts.first())
            && passing::passes(&site, fact)
        {
            self.scopes.alias(name, source);
            return self.keep_others(node, facts, remaining);
        }
        self.keep(node, facts, remaining)
    }

    /// What is known of what a node is given.
    pub(super) fn facts<'a>(&'a self, node: &Node) -> Result<Vec<Option<&'a Fact>>, Mismatch> {
        let fact = |name: &String| match name.as_str() {
            "" => Ok(None),
            name => {
                let missing = || Mismatch(format!("nothing gives its input {name}"));
                self.scopes.fact(name).map(Some).ok_or_else(missing)
            }
        };
        node.inputs.iter().map(fact).collect()
    }

    /// A node stays for its outputs beyond the first, if it has such.
    fn keep_others(
        &mut self,
        mut node: Node,
        facts: Vec<Fact>,
        remaining: &mut Remaining,
    ) -> Result<(), CleanError> {
        if node.outputs.len() > 1 {
            node.outputs[0] = self.names.fresh(&node.outputs[0], "unused");
            self.keep(node, facts, remaining)?;
        }
        Ok(())
    }

    /// A node stays, and this is known of what it gives.
    pub(super) fn keep(
        &mut self,
        node: Node,
        facts: Vec<Fact>,
        remaining: &mut Remaining,
    ) -> Result<(), CleanError> {
        let is_known = !facts.is_empty();
        let mut facts = facts.into_iter();
        for name in &node.outputs {
            let inferred = facts.next().unwrap_or_else(Fact::unknown);
            if name.is_empty() {
                continue;
            }
            let fact = match remaining.types.get(name) {
                Some(declared) => Fact {
                    kind: inferred.kind.or_declared(declared),
                    ..inferred
                },
                None => inferred,
            };
            // Of a stranger, what its author says must say everything.
            if fact.to_type().is_none() || (!is_known && fact.dims().is_none()) {
                self.unknown.insert(full_name(&node));
            }
            self.scopes.define(name, fact);
        }
        remaining.nodes.push(node);
        Ok(())
    }

    /// What a graph gives. Where that is another value or a constant, a node is
    /// put in that gives it under the output's name.
    fn outputs(&mut self, graph: &mut Graph) -> Result<Vec<Fact>, CleanError> {
        let mut facts = Vec::with_capacity(graph.outputs.len());
        let mut given = BTreeSet::new();
        for value in &mut graph.outputs {
            let name = value.name.clone();
            let source = self.scopes.resolved(&name).to_owned();
            let Some(fact) = self.scopes.fact(&name).cloned() else {
                let graph = graph.name.clone();
                return Err(CleanError::Output { name, graph });
            };
            value.ty = fact.to_type().or(value.ty.take());
            facts.push(fact.clone());
            if !given.insert(name.clone()) {
                continue;
            }
            let source = if fact.constant.is_some() && source == name {
                let constant = self.names.fresh(&name, "constant");
                prune::rename_inputs(&mut graph.nodes, &name, &constant);
                self.scopes.define(&constant, fact.clone());
                constant
            } else if source == name {
                continue;
            } else {
                source
            };
            graph
                .nodes
                .push(Node::new("Identity", &[&source], &[&name]));
            self.scopes.define(
                &name,
                Fact {
                    constant: None,
                    ..fact
                },
            );
        }
        Ok(facts)
    }
}

/// An operator's name, with its domain if that is not ONNX's own.
fn full_name(node: &Node) -> String {
    match node.domain.as_str() {
        "" => node.operator.clone(),
        domain => format!("{domain}.{}", node.operator),
    }
}

/// What names a node in an error.
fn label(node: &Node) -> Node {
    Node {
        name: node.name.clone(),
        operator: node.operator.clone(),
        outputs: node.outputs.clone(),
        ..Node::default()
    }
}

fn error(node: &Node, number: usize, why: Mismatch) -> CleanError {
    let which = match (
        node.name.as_str(),
        node.outputs.iter().find(|name| !name.is_empty()),
    ) {
        ("", Some(output)) => format!("(node {number}, which gives {output})"),
        (name, _) => format!("'{name}' (node {number})"),
    };
    CleanError::Node {
        operator: full_name(node),
        node: which,
        reason: why.0,
    }
}
