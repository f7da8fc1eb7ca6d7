//! Operators that the compiler does not know but ONNX defines in terms of others: each
//! gives way to its definition, worked out for the sizes at hand.

mod attention;
mod body;
mod loss;
mod normalization;
mod rotary;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::HashMap;

use body::Body;
use kiln_graph::model::{Graph, Model, Node, TensorType, Type};

/// Puts an operation's definition into a body; none if the sizes or types that this
/// takes are not known, or the operation is not as ONNX has it.
type Define = fn(&Node, &mut Body) -> Option<()>;

const DEFINITIONS: [(&str, Define); 5] = [
    ("Attention", attention::define),
    ("NegativeLogLikelihoodLoss", loss::negative_log_likelihood),
    ("RMSNormalization", normalization::root_mean_square),
    ("RotaryEmbedding", rotary::define),
    ("SoftmaxCrossEntropyLoss", loss::softmax_cross_entropy),
];

fn definition(node: &Node) -> Option<Define> {
    let mut definitions = DEFINITIONS.iter();
    let found = definitions.find(|(operator, _)| node.is(operator));
    found.map(|(_, define)| *define)
}

/// The same network without such operators, as far as that can be.
pub(super) fn expand(model: &Model) -> Cow<'_, Model> {
    if !occurs(&model.graph) {
        return Cow::Borrowed(model);
    }
    let mut model = model.clone();
    expand_graph(&mut model.graph, &HashMap::new());
    Cow::Owned(model)
}

fn occurs(graph: &Graph) -> bool {
    graph.nodes.iter().any(|node| {
        let mut inside = node
            .attributes
            .values()
            .flat_map(|attribute| attribute.graphs());
        definition(node).is_some() || inside.any(occurs)
    })
}

/// The types of the tensors that a node may use, by name.
type Types = HashMap<String, TensorType>;

fn expand_graph(graph: &mut Graph, around: &Types) {
    let mut types = around.clone();
    types.extend(tensors(graph));
    for (index, mut node) in std::mem::take(&mut graph.nodes).into_iter().enumerate() {
        let inside = node
            .attributes
            .values_mut()
            .flat_map(|attribute| attribute.graphs_mut());
        inside.for_each(|graph| expand_graph(graph, &types));
        let mut body = Body::new(&types, format!("{}.defined.{index}", node.operator));
        match definition(&node).and_then(|define| define(&node, &mut body)) {
            Some(()) => body.move_into(graph),
            None => graph.nodes.push(node),
        }
    }
}

fn tensors(graph: &Graph) -> Types {
    let constants = graph.initializers.iter();
    let constants = constants.map(|(name, value)| (name.clone(), TensorType::of(value)));
    let ends = graph.inputs.iter().chain(&graph.outputs);
    let ends = ends.filter_map(|value| Some((&value.name, value.ty.as_ref()?)));
    let known = ends.chain(&graph.types);
    let known = known.filter_map(|(name, ty)| Some((name.clone(), Type::as_tensor(ty)?.clone())));
    constants.chain(known).collect()
}
