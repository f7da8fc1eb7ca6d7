//! Nodes in older versions of ONNX's operators, written in those of opset 17, from
//! which on compilers know them.

mod attributes;
mod rewrite;
mod semantics;
#[cfg(test)]
mod tests;

use crate::model::Node;
use crate::shapes::Mismatch;
pub(crate) use rewrite::{Names, Place};

/// The version that older networks are brought to.
pub(crate) const TARGET: i64 = 17;

/// What a node of an older version is in the terms of opset 17.
pub(crate) fn modernize(
    mut node: Node,
    from: i64,
    place: &mut Place,
) -> Result<Vec<Node>, Mismatch> {
    if from < 6 {
        node.attributes.remove("consumed_inputs");
    }
    let operator = node.operator.clone();
    match operator.as_str() {
        "Squeeze" | "Unsqueeze" | "ReduceSum" if from < 13 => {
            attributes::moved(&mut node, "axes", 1, place);
        }
        "Split" if from < 13 => attributes::moved(&mut node, "split", 1, place),
        "Slice" if from < 10 => attributes::slice(&mut node, place),
        "Pad" if from < 11 => attributes::pad(&mut node, place),
        "Clip" if from < 11 => attributes::clip(&mut node, place),
        "TopK" if from < 10 => attributes::moved(&mut node, "k", 1, place),
        "Reshape" if from < 5 => attributes::moved(&mut node, "shape", 1, place),
        "Dropout" if from < 12 => attributes::dropout(&mut node),
        "Concat" if from < 4 && node.int("axis").is_none() => node = node.with("axis", 1),
        "Scatter" => node.operator = "ScatterElements".to_owned(),
        "RoiAlign" if from < 16 => {
            node = node.with("coordinate_transformation_mode", "output_half_pixel");
        }
        "Softmax" | "LogSoftmax" | "Hardmax" if from < 13 => {
            return Ok(semantics::softmax(node, place));
        }
        "Upsample" => node = semantics::upsample(node, place)?,
        "Resize" if from < 11 => node = semantics::first_resize(node, place),
        "BatchNormalization" if from < 14 => node = semantics::batch_normalization(node)?,
        "Add" | "Sub" | "Mul" | "Div" | "Pow" | "And" | "Or" | "Xor" | "Equal" | "Greater"
        | "Less"
            if from < 7 =>
        {
            return semantics::broadcast(node, place);
        }
        "PRelu" if from < 7 => return Ok(semantics::slopes(node, place)),
        "Cast" if from < 6 => node = semantics::cast(node)?,
        "LpPool" | "GlobalLpPool" | "LpNormalization" if from < 2 => node = semantics::norm(node),
        "RNN" | "GRU" | "LSTM" if from < 7 => drop(node.attributes.remove("output_sequence")),
        "Gemm" if from < 7 => drop(node.attributes.remove("broadcast")),
        "Scan" if from < 9 => {
            return Err(Mismatch::new(
                "it is of opset 8, whose meaning later ones do not have",
            ));
        }
        "Tile" if from < 6 => {
            return Err(Mismatch::new(
                "it is of an opset before 6, which repeats along one axis",
            ));
        }
        _ => {}
    }
    Ok(vec![node])
}
