//! Nodes that hold graphs: choices, loops and scans.

use super::error::CleanError;
use super::prune::rename_inputs;
use super::walk::{Remaining, Walk};
use crate::folding::numbers::to_whole;
use crate::model::{Attribute, Dim, Element, Graph, Node};
use crate::shapes::dim::{axis_within, computed, meet};
use crate::shapes::{Fact, Kind, Mismatch};

/// How often a loop's body is looked at until what it carries settles.
const ROUNDS: usize = 3;

/// Why such a node cannot be walked: it does not fit, or something within it does
/// not.
pub(super) enum Stop {
    Mismatch(Mismatch),
    Within(CleanError),
}

impl From<Mismatch> for Stop {
    fn from(why: Mismatch) -> Self {
        Self::Mismatch(why)
    }
}

impl From<CleanError> for Stop {
    fn from(error: CleanError) -> Self {
        Self::Within(error)
    }
}

pub(super) fn holds_graphs(node: &Node) -> bool {
    matches!(node.operator.as_str(), "If" | "Loop" | "Scan")
}

pub(super) fn walk(walk: &mut Walk, node: Node, remaining: &mut Remaining) -> Result<(), Stop> {
    match node.operator.as_str() {
        "If" => choice(walk, node, remaining),
        "Loop" => repeated(walk, node, remaining),
        _ => scan(walk, node, remaining),
    }
}

/// Takes a graph out of a node, to put the cleaned one in its place.
fn taken(node: &mut Node, name: &str) -> Result<Graph, Mismatch> {
    match node.attributes.remove(name) {
        Some(Attribute::Graph(graph)) => Ok(*graph),
        _ => Err(Mismatch(format!("its graph {name} is missing"))),
    }
}

fn choice(walk: &mut Walk, mut node: Node, remaining: &mut Remaining) -> Result<(), Stop> {
    let (yes, no) = (
        taken(&mut node, "then_branch")?,
        taken(&mut node, "else_branch")?,
    );
    if [&yes, &no]
        .iter()
        .any(|graph| graph.outputs.len() != node.outputs.len())
    {
        return Err(Mismatch::new("its branches give more or less than it does").into());
    }
    let facts = walk.facts(&node)?;
    let condition = facts
        .first()
        .copied()
        .flatten()
        .and_then(|fact| fact.constant.as_ref());
    match condition.and_then(to_whole).as_deref() {
        Some([0]) => return inlined(walk, &node, no, remaining),
        Some([_]) => return inlined(walk, &node, yes, remaining),
        _ => {}
    }
    let (yes, ones) = walk.graph(yes, vec![])?;
    let (no, others) = walk.graph(no, vec![])?;
    let facts = ones
        .iter()
        .zip(&others)
        .map(|(one, two)| Fact::kind(one.kind.either(&two.kind)));
    let facts = facts.collect();
    let node = node.with("then_branch", yes).with("else_branch", no);
    Ok(walk.keep(node, facts, remaining)?)
}

/// Puts the branch that is always taken in the place of the choice.
fn inlined(
    walk: &mut Walk,
    node: &Node,
    mut branch: Graph,
    remaining: &mut Remaining,
) -> Result<(), Stop> {
    let base = node.outputs.first().cloned().unwrap_or_default();
    let own: Vec<String> = branch
        .initializers
        .keys()
        .chain(branch.nodes.iter().flat_map(|node| &node.outputs))
        .filter(|name| !name.is_empty())
        .cloned()
        .collect();
    for name in own {
        let new = walk.names.fresh(&base, &name);
        rename_inputs(&mut branch.nodes, &name, &new);
        let given = branch.nodes.iter_mut().flat_map(|node| &mut node.outputs);
        given
            .filter(|output| **output == name)
            .for_each(|output| new.clone_into(output));
        let ends = branch.outputs.iter_mut().filter(|value| value.name == name);
        ends.for_each(|value| new.clone_into(&mut value.name));
        if let Some(tensor) = branch.initializers.remove(&name) {
            walk.scopes.define(&new, Fact::constant(tensor));
        }
    }
    walk.nodes(branch.nodes, remaining)?;
    for (name, value) in node.outputs.iter().zip(&branch.outputs) {
        let Some(fact) = walk.scopes.fact(&value.name).cloned() else {
            return Err(Mismatch(format!("nothing gives the output {}", value.name)).into());
        };
        match fact.constant {
            Some(_) => walk.scopes.define(name, fact),
            None => walk.scopes.alias(name, &value.name),
        }
    }
    Ok(())
}

fn repeated(walk: &mut Walk, mut node: Node, remaining: &mut Remaining) -> Result<(), Stop> {
    let body = taken(&mut node, "body")?;
    let facts = walk.facts(&node)?;
    let kinds: Vec<Kind> = facts
        .iter()
        .skip(2)
        .map(|fact| fact.map_or(Kind::Unknown, |fact| fact.kind.clone()))
        .collect();
    let times = facts
        .first()
        .copied()
        .flatten()
        .and_then(|fact| fact.constant.as_ref());
    let times = times
        .and_then(to_whole)
        .and_then(|times| times.first().copied());
    let carried = kinds.len();
    if body.inputs.len() != carried + 2 || body.outputs.len() <= carried {
        return Err(Mismatch::new("its body takes or gives other values than it does").into());
    }
    let first = vec![scalar(Element::I64), scalar(Element::Bool)];
    let (body, outputs, kinds) = settled(walk, body, [first, vec![]], kinds, 1)?;
    // How often it turns is known if nothing in it says when to stop.
    let goes_on = outputs[0]
        .constant
        .as_ref()
        .and_then(to_whole)
        .is_some_and(|all| all == [1])
        || continues(&body);
    let turns = match times.filter(|_| goes_on) {
        Some(times) => computed(times.max(0))?,
        None => Dim::Unknown,
    };
    let mut facts: Vec<Fact> = kinds.into_iter().map(Fact::kind).collect();
    for output in outputs.iter().skip(1 + carried) {
        facts.push(stacked(output, 0, &turns)?);
    }
    let node = node.with("body", body);
    Ok(walk.keep(node, facts, remaining)?)
}

/// Whether a loop's body hands on the condition that it is given.
fn continues(body: &Graph) -> bool {
    let (Some(given), Some(told)) = (body.outputs.first(), body.inputs.get(1)) else {
        return false;
    };
    let producer = body
        .nodes
        .iter()
        .find(|node| node.outputs.contains(&given.name));
    given.name == told.name
        || producer.is_some_and(|node| node.is("Identity") && node.input(0) == Some(&told.name))
}

fn scalar(element: Element) -> Fact {
    Fact::tensor(element, vec![])
}

/// A body that was walked until what it carries from turn to turn no longer changes
/// in kind. Its inputs are what stands before, the carried values and what stands
/// behind; what was carried comes back after as many outputs as it gives `ahead`.
fn settled(
    walk: &mut Walk,
    body: Graph,
    [before, behind]: [Vec<Fact>; 2],
    mut kinds: Vec<Kind>,
    ahead: usize,
) -> Result<(Graph, Vec<Fact>, Vec<Kind>), Stop> {
    for round in 0.. {
        let carried = kinds.iter().cloned().map(Fact::kind);
        let inputs = before
            .iter()
            .cloned()
            .chain(carried)
            .chain(behind.iter().cloned());
        let (walked, outputs) = walk.graph(body.clone(), inputs.collect())?;
        let back = outputs.iter().skip(ahead);
        let wider: Vec<Kind> = kinds
            .iter()
            .zip(back)
            .map(|(kind, fact)| kind.either(&fact.kind))
            .collect();
        if wider == kinds || round >= ROUNDS {
            return Ok((walked, outputs, wider));
        }
        kinds = wider;
    }
    Err(Mismatch::new("it never settles").into())
}

/// A tensor of as many as there were turns.
fn stacked(each: &Fact, axis: i64, turns: &Dim) -> Result<Fact, Mismatch> {
    let dims = match each.dims() {
        Some(dims) => {
            let mut dims = dims.to_vec();
            dims.insert(axis_within(axis, dims.len() + 1)?, turns.clone());
            Some(dims)
        }
        None => None,
    };
    Ok(Fact::of(each.element(), dims))
}

fn scan(walk: &mut Walk, mut node: Node, remaining: &mut Remaining) -> Result<(), Stop> {
    let body = taken(&mut node, "body")?;
    let facts: Vec<Option<Fact>> = walk
        .facts(&node)?
        .into_iter()
        .map(Option::<&Fact>::cloned)
        .collect();
    let scanned = node
        .int("num_scan_inputs")
        .and_then(|count| usize::try_from(count).ok());
    let states = scanned.and_then(|count| facts.len().checked_sub(count));
    let states = states.ok_or_else(|| Mismatch::new("its num_scan_inputs is wrong"))?;
    if body.inputs.len() != facts.len() || body.outputs.len() < states {
        return Err(Mismatch::new("its body takes or gives other values than it does").into());
    }
    let axis = |name: &str, place: usize| {
        node.ints(name)
            .and_then(|axes| axes.get(place))
            .copied()
            .unwrap_or(0)
    };
    let (mut length, mut slices) = (Dim::Unknown, vec![]);
    for (place, fact) in facts[states..].iter().enumerate() {
        let Some(dims) = fact.as_ref().and_then(Fact::dims) else {
            slices.push(Fact::of(fact.as_ref().and_then(Fact::element), None));
            continue;
        };
        let axis = axis_within(axis("scan_input_axes", place), dims.len())?;
        let mut dims = dims.to_vec();
        let size = dims.remove(axis);
        let differ = || Mismatch(format!("it scans {length} and {size} slices at once"));
        length = meet(&length, &size).ok_or_else(differ)?;
        slices.push(Fact::of(fact.as_ref().and_then(Fact::element), Some(dims)));
    }
    let kinds: Vec<Kind> = facts[..states]
        .iter()
        .map(|fact| {
            fact.as_ref()
                .map_or(Kind::Unknown, |fact| fact.kind.clone())
        })
        .collect();
    let (body, outputs, kinds) = settled(walk, body, [vec![], slices], kinds, 0)?;
    let mut facts: Vec<Fact> = kinds.into_iter().map(Fact::kind).collect();
    for (place, output) in outputs.iter().skip(states).enumerate() {
        facts.push(stacked(output, axis("scan_output_axes", place), &length)?);
    }
    let node = node.with("body", body);
    Ok(walk.keep(node, facts, remaining)?)
}
