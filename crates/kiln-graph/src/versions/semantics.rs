//! Operators whose meaning changed: each is written in the terms of later versions.

use super::rewrite::{Place, set_input};
use crate::model::{Attribute, Element, Node, Tensor};
use crate::shapes::Mismatch;

/// Softmax and its like once took everything from an axis on as one row.
pub(super) fn softmax(mut node: Node, place: &mut Place) -> Vec<Node> {
    let axis = node.int("axis").unwrap_or(1);
    let Some(input) = node.input(0).map(str::to_owned) else {
        return vec![node];
    };
    let last = place
        .rank(&input)
        .and_then(|rank| i64::try_from(rank).ok())
        .map(|rank| rank - 1);
    if axis == -1 || last == Some(axis) {
        return vec![node.with("axis", -1)];
    }
    let [sizes, flat, result] = ["sizes", "flat", "rows"].map(|of| place.fresh(&node, of));
    let output = std::mem::take(&mut node.outputs);
    node.inputs = vec![flat.clone()];
    node.outputs = vec![result.clone()];
    let reshape = Node {
        outputs: output,
        ..Node::new("Reshape", &[&result, &sizes], &[])
    };
    vec![
        Node::new("Shape", &[&input], &[&sizes]),
        Node::new("Flatten", &[&input], &[&flat]).with("axis", axis),
        node.with("axis", -1),
        reshape,
    ]
}

/// Upsample became Resize, which can do more.
pub(super) fn upsample(mut node: Node, place: &mut Place) -> Result<Node, Mismatch> {
    let scales = match (node.attributes.remove("scales"), node.input(1)) {
        (Some(Attribute::Floats(scales)), _) => {
            place.constant(&node, "scales", Tensor::vector(&scales))
        }
        (_, Some(scales)) => scales.to_owned(),
        (_, None) => {
            let [height, width] = ["height_scale", "width_scale"].map(|name| node.float(name));
            let (Some(height), Some(width)) = (height, width) else {
                return Err(Mismatch::new("its scales are missing"));
            };
            node.attributes.retain(|name, _| name == "mode");
            place.constant(&node, "scales", Tensor::vector(&[1.0, 1.0, height, width]))
        }
    };
    // The first version wrote out what is now called linear.
    if node.text("mode") == Some("bilinear") {
        node = node.with("mode", "linear");
    }
    node.operator = "Resize".to_owned();
    node.inputs.truncate(1);
    set_input(&mut node, 2, scales);
    Ok(asymmetric(node))
}

/// The first Resize took the scales where the region now is.
pub(super) fn first_resize(mut node: Node, place: &mut Place) -> Node {
    let scales = node
        .input(1)
        .and_then(|scales| place.numbers(scales))
        .unwrap_or_default();
    node.inputs.insert(1.min(node.inputs.len()), String::new());
    // What has no say in the specification follows ONNX Runtime.
    match scales.iter().any(|&scale| scale < 1.0) {
        true => asymmetric(node).with("nearest_mode", "ceil"),
        false => asymmetric(node),
    }
}

/// How resizing went before there was a choice.
fn asymmetric(node: Node) -> Node {
    node.with("coordinate_transformation_mode", "asymmetric")
        .with("nearest_mode", "floor")
}

/// What only training wanted of a normalization goes.
pub(super) fn batch_normalization(mut node: Node) -> Result<Node, Mismatch> {
    if node.int("spatial") == Some(0) {
        return Err(Mismatch::new(
            "it normalizes each pixel alone, which later versions cannot",
        ));
    }
    for name in ["spatial", "is_test", "consumed_inputs"] {
        node.attributes.remove(name);
    }
    if node.int("training_mode").unwrap_or(0) == 0 {
        node.outputs.truncate(1);
    }
    Ok(node)
}

/// Arithmetic once repeated its second input only when told, from an axis on.
pub(super) fn broadcast(mut node: Node, place: &mut Place) -> Result<Vec<Node>, Mismatch> {
    node.attributes.remove("consumed_inputs");
    let asked = node.attributes.remove("broadcast").is_some();
    let axis = match node.attributes.remove("axis") {
        Some(Attribute::Int(axis)) if asked => axis,
        _ => return Ok(vec![node]),
    };
    let (Some(one), Some(two)) = (node.input(0), node.input(1).map(str::to_owned)) else {
        return Ok(vec![node]);
    };
    let (Some(rank), Some(other)) = (place.rank(one), place.rank(&two)) else {
        return Err(Mismatch::new(
            "the ranks of what it computes with are not known",
        ));
    };
    let from = crate::shapes::dim::axis_within(axis, rank.max(1))?;
    let missing = rank.checked_sub(from + other);
    let missing = missing.ok_or_else(|| Mismatch(format!("it repeats from axis {axis} on")))?;
    Ok(widened(node, [other, missing], &two, place))
}

/// A slope for each channel once was a vector.
pub(super) fn slopes(mut node: Node, place: &mut Place) -> Vec<Node> {
    node.attributes.remove("consumed_inputs");
    let (Some(image), Some(slope)) = (node.input(0), node.input(1).map(str::to_owned)) else {
        return vec![node];
    };
    let many = place.numbers(&slope).is_none_or(|slopes| slopes.len() > 1);
    match (place.rank(image), place.rank(&slope)) {
        (Some(rank), Some(1)) if many && rank > 2 => widened(node, [1, rank - 2], &slope, place),
        _ => vec![node],
    }
}

/// A node whose second input, of a rank, gets so many axes more behind.
fn widened(mut node: Node, [rank, more]: [usize; 2], input: &str, place: &mut Place) -> Vec<Node> {
    if more == 0 {
        return vec![node];
    }
    let axes: Vec<i64> = (rank..rank + more)
        .filter_map(|axis| axis.try_into().ok())
        .collect();
    let axes = place.constant(&node, "axes", Tensor::vector(&axes));
    let wide = place.fresh(&node, "wide");
    set_input(&mut node, 1, wide.clone());
    vec![Node::new("Unsqueeze", &[input, &axes], &[&wide]), node]
}

/// Types were once named in words.
pub(super) fn cast(node: Node) -> Result<Node, Mismatch> {
    let Some(Attribute::String(word)) = node.attributes.get("to") else {
        return Ok(node);
    };
    let word = String::from_utf8_lossy(word).to_lowercase();
    let element = (0..32)
        .filter_map(Element::from_onnx)
        .find(|one| one.to_string() == word);
    let element = element.ok_or_else(|| Mismatch(format!("it casts to {word}")))?;
    Ok(node.with("to", element.to_onnx() as i64))
}

/// Norms were once given by real numbers.
pub(super) fn norm(node: Node) -> Node {
    match node.float("p") {
        Some(p) => node.with("p", p as i64),
        None => node,
    }
}
