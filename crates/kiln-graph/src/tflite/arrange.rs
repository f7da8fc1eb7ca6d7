//! Operators that put elements elsewhere: other sizes, another order, joined,
//! taken apart, repeated or padded.

use super::call::{Call, Converted};
use crate::model::Element;

pub(super) fn reshape(call: &mut Call) -> Converted {
    let data = call.real(0)?;
    let sizes = match call.inputs() {
        1 => {
            let sizes: Vec<i64> = call.list(0)?.into_iter().map(i64::from).collect();
            call.graph().list(&sizes)
        }
        _ => call.sizes(1)?,
    };
    Ok(vec![call.graph().node(
        "Reshape",
        &[&data, &sizes],
        &[("allowzero", 1_i64.into())],
    )])
}

pub(super) fn transpose(call: &mut Call) -> Converted {
    let order = call.integers(1)?;
    let data = call.real(0)?;
    Ok(vec![call.graph().transpose(&data, &order)])
}

pub(super) fn squeeze(call: &mut Call) -> Converted {
    let dims = &call.info(0)?.dims;
    let mut axes: Vec<i64> = call.list(0)?.into_iter().map(i64::from).collect();
    if axes.is_empty() {
        axes = (0..dims.len())
            .filter(|&axis| dims[axis] == 1)
            .map(|axis| axis as i64)
            .collect();
    }
    let data = call.real(0)?;
    let graph = call.graph();
    let axes = graph.list(&axes);
    Ok(vec![graph.node("Squeeze", &[&data, &axes], &[])])
}

pub(super) fn expand_dims(call: &mut Call) -> Converted {
    let axis = call.integer(1)?;
    let data = call.real(0)?;
    let graph = call.graph();
    let axes = graph.list(&[axis]);
    Ok(vec![graph.node("Unsqueeze", &[&data, &axes], &[])])
}

pub(super) fn concatenation(call: &mut Call) -> Converted {
    let axis = i64::from(call.option(0)?);
    let value = call.plain("Concat", &[("axis", axis.into())])?.remove(0);
    Ok(vec![call.activated(1, value)?])
}

pub(super) fn pack(call: &mut Call) -> Converted {
    let axis = i64::from(call.option(1)?);
    let mut parts = Vec::new();
    for input in 0..call.inputs() {
        let part = call.real(input)?;
        let graph = call.graph();
        let axes = graph.list(&[axis]);
        parts.push(graph.node("Unsqueeze", &[&part, &axes], &[]));
    }
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    Ok(vec![call.graph().node(
        "Concat",
        &parts,
        &[("axis", axis.into())],
    )])
}

pub(super) fn unpack(call: &mut Call) -> Converted {
    let axis = i64::from(call.option(1)?);
    let count = call.operator.outputs.len();
    let data = call.real(0)?;
    let graph = call.graph();
    let parts = graph.node_of_many("Split", &[&data], &[("axis", axis.into())], count);
    let axes = graph.list(&[axis]);
    let squeezed = parts
        .iter()
        .map(|part| graph.node("Squeeze", &[part, &axes], &[]));
    Ok(squeezed.collect())
}

pub(super) fn split(call: &mut Call) -> Converted {
    let axis = call.integer(0)?;
    let count = call.operator.outputs.len();
    let data = call.real(1)?;
    Ok(call
        .graph()
        .node_of_many("Split", &[&data], &[("axis", axis.into())], count))
}

pub(super) fn split_v(call: &mut Call) -> Converted {
    let dims = &call.info(0)?.dims;
    let axis = call.integer(2)?;
    let axis = call.axis(axis, dims.len())?;
    let mut sizes = call.integers(1)?;
    if let Some(rest) = sizes.iter().position(|size| *size == -1) {
        let known = sizes
            .iter()
            .fold(1_i64, |all, size| all.saturating_add(*size));
        sizes[rest] = (dims[axis] as i64).saturating_sub(known);
    }
    let count = call.operator.outputs.len();
    if sizes.iter().any(|size| *size < 0) || sizes.len() != count {
        return Err(format!(
            "its sizes {sizes:?} are not those of {count} parts"
        ));
    }
    let data = call.real(0)?;
    let graph = call.graph();
    let sizes = graph.list(&sizes);
    let with = [("axis", (axis as i64).into())];
    Ok(graph.node_of_many("Split", &[&data, &sizes], &with, count))
}

pub(super) fn pad(call: &mut Call) -> Converted {
    let pads = pads(call)?;
    let filling = call.optional(2)?;
    let data = call.real(0)?;
    let mut inputs = vec![data.as_str(), &pads];
    inputs.extend(filling.as_deref());
    Ok(vec![call.graph().node("Pad", &inputs, &[])])
}

pub(super) fn mirror_pad(call: &mut Call) -> Converted {
    if call.choice(0)? != 0 {
        return Err("its mode SYMMETRIC is not implemented".to_owned());
    }
    let pads = pads(call)?;
    let data = call.real(0)?;
    Ok(vec![call.graph().node(
        "Pad",
        &[&data, &pads],
        &[("mode", "reflect".into())],
    )])
}

/// Pairs of what is padded before and behind, in ONNX's order: all that is
/// before, then all that is behind.
fn pads(call: &mut Call) -> Result<String, String> {
    if let Some(pads) = call.constant(1)? {
        let (pairs, _) = pads.as_chunks::<2>();
        let before = pairs.iter().map(|[before, _]| *before);
        let behind = pairs.iter().map(|[_, behind]| *behind);
        let pads: Vec<i64> = before.chain(behind).collect();
        return Ok(call.graph().list(&pads));
    }
    let pairs = call.sizes(1)?;
    let graph = call.graph();
    let halves = graph.transpose(&pairs, &[1, 0]);
    Ok(graph.reshape(&halves, &[-1]))
}

pub(super) fn tile(call: &mut Call) -> Converted {
    with_sizes(call, "Tile")
}

pub(super) fn broadcast_to(call: &mut Call) -> Converted {
    with_sizes(call, "Expand")
}

fn with_sizes(call: &mut Call, operator: &str) -> Converted {
    let (data, sizes) = (call.real(0)?, call.sizes(1)?);
    Ok(vec![call.graph().node(operator, &[&data, &sizes], &[])])
}

pub(super) fn fill(call: &mut Call) -> Converted {
    let (sizes, filling) = (call.sizes(0)?, call.real(1)?);
    Ok(vec![call.graph().node("Expand", &[&filling, &sizes], &[])])
}

pub(super) fn range(call: &mut Call) -> Converted {
    let mut ends = Vec::new();
    for input in 0..3 {
        let end = call.real(input)?;
        let graph = call.graph();
        let none = graph.list::<i64>(&[]);
        ends.push(graph.node("Reshape", &[&end, &none], &[]));
    }
    Ok(vec![call.graph().node(
        "Range",
        &[&ends[0], &ends[1], &ends[2]],
        &[],
    )])
}

pub(super) fn shape(call: &mut Call) -> Converted {
    let element = call.output(0)?.element;
    let data = call.raw(0)?;
    let graph = call.graph();
    let sizes = graph.node("Shape", &[&data], &[]);
    Ok(vec![match element {
        Element::I64 => sizes,
        other => graph.cast(&sizes, other),
    }])
}

pub(super) fn rank(call: &mut Call) -> Converted {
    let rank = call.info(0)?.dims.len();
    Ok(vec![call.graph().scalar(rank as i32)])
}

pub(super) fn reverse(call: &mut Call) -> Converted {
    let axes = call.integers(1)?;
    let data = call.real(0)?;
    let graph = call.graph();
    let all = |value: i64| vec![value; axes.len()];
    let [starts, ends, steps] = [all(-1), all(i64::MIN), all(-1)].map(|values| graph.list(&values));
    let axes = graph.list(&axes);
    Ok(vec![graph.node(
        "Slice",
        &[&data, &starts, &ends, &axes, &steps],
        &[],
    )])
}

/// The sizes of images, of the blocks that they are taken apart into, and what
/// is padded or cut at the edges.
type Blocks = ([i64; 4], [i64; 2], [i64; 4]);

fn blocks(call: &mut Call) -> Result<Blocks, String> {
    let dims = call
        .info(0)?
        .dims
        .iter()
        .map(|size| *size as i64)
        .collect::<Vec<_>>();
    let dims = <[i64; 4]>::try_from(dims).map_err(|_| "its input is not of images")?;
    let block = <[i64; 2]>::try_from(call.integers(1)?).map_err(|_| "its blocks are not flat")?;
    let edges = <[i64; 4]>::try_from(call.integers(2)?).map_err(|_| "its edges are not flat")?;
    if block.iter().any(|size| !(1..=1 << 20).contains(size)) || edges.iter().any(|edge| *edge < 0)
    {
        return Err("its blocks have no size".to_owned());
    }
    Ok((dims, block, edges))
}

pub(super) fn space_to_batch(call: &mut Call) -> Converted {
    let (dims, [down, right], [top, bottom, left, behind]) = blocks(call)?;
    let data = call.real(0)?;
    let graph = call.graph();
    let pads = graph.list(&[0, top, left, 0, 0, bottom, behind, 0]);
    let padded = graph.node("Pad", &[&data, &pads], &[]);
    let side =
        |side: i64, before: i64, after: i64| side.saturating_add(before).saturating_add(after);
    let height = side(dims[1], top, bottom) / down;
    let width = side(dims[2], left, behind) / right;
    let apart = graph.reshape(&padded, &[-1, height, down, width, right, dims[3]]);
    let moved = graph.transpose(&apart, &[2, 4, 0, 1, 3, 5]);
    Ok(vec![graph.reshape(&moved, &[-1, height, width, dims[3]])])
}

pub(super) fn batch_to_space(call: &mut Call) -> Converted {
    let (dims, [down, right], [top, bottom, left, behind]) = blocks(call)?;
    let data = call.real(0)?;
    let graph = call.graph();
    let apart = graph.reshape(&data, &[down, right, -1, dims[1], dims[2], dims[3]]);
    let moved = graph.transpose(&apart, &[2, 3, 0, 4, 1, 5]);
    let [height, width] = [dims[1].saturating_mul(down), dims[2].saturating_mul(right)];
    let joined = graph.reshape(&moved, &[-1, height, width, dims[3]]);
    let rows = graph.slice(&joined, 1, top, height.saturating_sub(bottom));
    Ok(vec![graph.slice(
        &rows,
        2,
        left,
        width.saturating_sub(behind),
    )])
}
