//! Losses of classification: what training minimises, and some exporters leave in.

use kiln_graph::model::Node;

use super::body::{Body, Term};

/// The loss of logarithms of probabilities.
pub(super) fn negative_log_likelihood(node: &Node, body: &mut Body) -> Option<()> {
    let x = body.input(node, 0)?;
    let loss = loss(node, &x, body)?;
    body.output(node, 0, &loss);
    Some(())
}

/// The loss of scores, and the logarithms of the probabilities that they stand for.
pub(super) fn softmax_cross_entropy(node: &Node, body: &mut Body) -> Option<()> {
    let scores = body.input(node, 0)?;
    let x = body.softmax("LogSoftmax", &scores, 1);
    let loss = loss(node, &x, body)?;
    body.output(node, 0, &loss);
    body.output(node, 1, &x);
    Some(())
}

fn loss(node: &Node, x: &Term, body: &mut Body) -> Option<Term> {
    let target = body.input(node, 1)?;
    let ignored = match node.int("ignore_index") {
        Some(index) => {
            let index = body.integer(index, target.element)?;
            Some(body.equal(&target, &index)?)
        }
        None => None,
    };
    let class = match &ignored {
        Some(ignored) => {
            let any = body.integer(0, target.element)?;
            body.select(ignored, &any, &target)?
        }
        None => target,
    };
    let loss = body.pick(x, &class)?;
    let loss = body.unary("Neg", &loss);
    let weights = weights(node, &class, ignored.as_ref(), x, body)?;
    let weighted = match &weights {
        Some(weights) => body.binary("Mul", &loss, weights)?,
        None => loss,
    };
    match (node.text("reduction").unwrap_or("mean"), weights) {
        ("none", _) => Some(weighted),
        ("sum", _) => Some(body.total("ReduceSum", &weighted)),
        ("mean", None) => Some(body.total("ReduceMean", &weighted)),
        ("mean", Some(weights)) => {
            let (sum, all) = (
                body.total("ReduceSum", &weighted),
                body.total("ReduceSum", &weights),
            );
            body.binary("Div", &sum, &all)
        }
        _ => None,
    }
}

/// How much each example counts, if not all count the same.
fn weights(
    node: &Node,
    class: &Term,
    ignored: Option<&Term>,
    x: &Term,
    body: &mut Body,
) -> Option<Option<Term>> {
    let weights = match body.optional(node, 2)? {
        Some(weights) => body.gather(&weights, class)?,
        None if ignored.is_none() => return Some(None),
        None => body.number(1.0, x.element),
    };
    let Some(ignored) = ignored else {
        return Some(Some(weights));
    };
    let nothing = body.number(0.0, x.element);
    body.select(ignored, &nothing, &weights).map(Some)
}
