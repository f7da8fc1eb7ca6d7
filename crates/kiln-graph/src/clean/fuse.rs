//! A normalization by constants that follows a convolution becomes part of it.

use std::collections::BTreeMap;

use crate::folding::numbers::{from_real, to_real};
use crate::model::{Attribute, Element, Graph, Node, Tensor};
use crate::versions::Names;

/// Puts every such normalization of a graph into its convolution.
pub(super) fn normalizations(graph: &mut Graph, names: &mut Names) {
    let uses = uses(graph);
    let producers: BTreeMap<String, usize> = graph
        .nodes
        .iter()
        .enumerate()
        .filter(|(_, node)| node.is("Conv"))
        .filter_map(|(place, node)| Some((node.output(0)?.to_owned(), place)))
        .collect();
    let mut gone = vec![];
    for place in 0..graph.nodes.len() {
        let node = &graph.nodes[place];
        if !node.is("BatchNormalization") || node.outputs.len() != 1 {
            continue;
        }
        let conv = node.input(0).filter(|name| uses.get(*name) == Some(&1));
        let Some(&conv) = conv.and_then(|name| producers.get(name)) else {
            continue;
        };
        if let Some((weight, bias)) = fused(graph, &graph.nodes[conv], node) {
            replace(graph, conv, place, [weight, bias], names);
            gone.push(place);
        }
    }
    let mut place = 0..;
    graph
        .nodes
        .retain(|_| place.next().is_none_or(|place| !gone.contains(&place)));
    let used = self::uses(graph);
    graph.initializers.retain(|name, _| used.contains_key(name));
}

/// How often each value is used, by the graphs within nodes and as an output too.
fn uses(graph: &Graph) -> BTreeMap<String, usize> {
    let mut uses = BTreeMap::new();
    count(graph, &mut uses);
    uses
}

fn count(graph: &Graph, uses: &mut BTreeMap<String, usize>) {
    let names = graph.nodes.iter().flat_map(|node| &node.inputs);
    for name in names.chain(graph.outputs.iter().map(|value| &value.name)) {
        *uses.entry(name.clone()).or_default() += 1;
    }
    for node in &graph.nodes {
        for within in node.attributes.values().flat_map(Attribute::graphs) {
            count(within, uses);
        }
    }
}

/// The kernel and bias of a convolution that normalizes as well.
fn fused(graph: &Graph, conv: &Node, norm: &Node) -> Option<(Tensor, Tensor)> {
    let constant = |node: &Node, place: usize| {
        let tensor = graph.initializers.get(node.input(place)?)?;
        (tensor.element() == Element::F32).then_some(tensor)
    };
    let weight = constant(conv, 1)?;
    let channels = *weight.dims().first()?;
    let numbers = |place: usize| {
        let all = to_real(constant(norm, place)?)?;
        (all.len() == channels).then_some(all)
    };
    let (scale, shift, mean, variance) = (numbers(1)?, numbers(2)?, numbers(3)?, numbers(4)?);
    let bias = match conv.input(2) {
        Some(_) => to_real(constant(conv, 2)?).filter(|bias| bias.len() == channels)?,
        None => vec![0.0; channels],
    };
    let epsilon = f64::from(norm.float("epsilon").unwrap_or(1e-5));
    let factor = |channel: usize| scale[channel] / (variance[channel] + epsilon).sqrt();
    let factors: Vec<f64> = (0..channels).map(factor).collect();
    if factors.iter().any(|factor| !factor.is_finite()) {
        return None;
    }
    let each = weight.len() / channels.max(1);
    let kernel = weight.values::<f32>()?;
    let scaled = |(place, one): (usize, &f32)| (f64::from(*one) * factors[place / each]) as f32;
    let kernel: Vec<f32> = kernel.iter().enumerate().map(scaled).collect();
    let shifted =
        |channel: usize| (bias[channel] - mean[channel]) * factors[channel] + shift[channel];
    let bias: Vec<f64> = (0..channels).map(shifted).collect();
    let kernel = Tensor::of(weight.dims(), &kernel).ok()?;
    Some((kernel, from_real(Element::F32, &[channels], &bias)?))
}

/// The convolution takes the normalization's output, and new constants.
fn replace(
    graph: &mut Graph,
    conv: usize,
    norm: usize,
    [weight, bias]: [Tensor; 2],
    names: &mut Names,
) {
    let output = graph.nodes[norm].outputs[0].clone();
    let node = &mut graph.nodes[conv];
    let [kernel, added] = ["kernel", "bias"].map(|purpose| names.fresh(&output, purpose));
    node.inputs = vec![node.inputs[0].clone(), kernel.clone(), added.clone()];
    for old in std::mem::replace(&mut node.outputs, vec![output]) {
        graph.types.remove(&old);
    }
    graph.initializers.insert(kernel, weight);
    graph.initializers.insert(added, bias);
}
