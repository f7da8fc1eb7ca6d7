//! Operators that look elements up, choose between them, or say where they are.

use super::call::{Call, Converted};
use crate::model::Element;

pub(super) fn gather(call: &mut Call) -> Converted {
    if call.option(1)? != 0 {
        return Err("its option batch_dims is not implemented".to_owned());
    }
    let axis = i64::from(call.option(0)?);
    let (data, indices) = (call.real(0)?, call.raw(1)?);
    Ok(vec![call.graph().node(
        "Gather",
        &[&data, &indices],
        &[("axis", axis.into())],
    )])
}

pub(super) fn embedding_lookup(call: &mut Call) -> Converted {
    let (indices, data) = (call.raw(0)?, call.real(1)?);
    Ok(vec![call.graph().node("Gather", &[&data, &indices], &[])])
}

pub(super) fn gather_nd(call: &mut Call) -> Converted {
    let (data, indices) = (call.real(0)?, call.indices(1)?);
    Ok(vec![call.graph().node("GatherND", &[&data, &indices], &[])])
}

pub(super) fn scatter_nd(call: &mut Call) -> Converted {
    let element = call.info(1)?.element;
    let (indices, updates) = (call.indices(0)?, call.real(1)?);
    let sizes = call.sizes(2)?;
    let graph = call.graph();
    let zeros = graph.node("ConstantOfShape", &[&sizes], &[]);
    let zeros = match element {
        Element::F32 | Element::I8 | Element::U8 => zeros,
        other => graph.cast(&zeros, other),
    };
    // The same place may be named several times, and then holds the sum.
    let with = [("reduction", "add".into())];
    Ok(vec![graph.node(
        "ScatterND",
        &[&zeros, &indices, &updates],
        &with,
    )])
}

pub(super) fn one_hot(call: &mut Call) -> Converted {
    let axis = i64::from(call.option_or(0, -1)?);
    let (indices, depth) = (call.raw(0)?, call.raw(1)?);
    let mut values = Vec::new();
    for input in [3, 2] {
        let value = call.real(input)?;
        values.push(call.graph().reshape(&value, &[1]));
    }
    let graph = call.graph();
    let values = graph.node(
        "Concat",
        &[&values[0], &values[1]],
        &[("axis", 0_i64.into())],
    );
    Ok(vec![graph.node(
        "OneHot",
        &[&indices, &depth, &values],
        &[("axis", axis.into())],
    )])
}

pub(super) fn top_k(call: &mut Call) -> Converted {
    let count = call.integer(1)?;
    let element = call.output(1)?.element;
    let data = call.real(0)?;
    let graph = call.graph();
    let count = graph.list(&[count]);
    let mut found = graph.node_of_many("TopK", &[&data, &count], &[], 2);
    if element != Element::I64 {
        found[1] = graph.cast(&found[1], element);
    }
    Ok(found)
}

pub(super) fn arg_max(call: &mut Call) -> Converted {
    extreme(call, "ArgMax")
}

pub(super) fn arg_min(call: &mut Call) -> Converted {
    extreme(call, "ArgMin")
}

fn extreme(call: &mut Call, operator: &str) -> Converted {
    let axis = call.integer(1)?;
    let element = call.output(0)?.element;
    let data = call.real(0)?;
    let graph = call.graph();
    let found = graph.node(
        operator,
        &[&data],
        &[("axis", axis.into()), ("keepdims", 0_i64.into())],
    );
    Ok(vec![match element {
        Element::I64 => found,
        other => graph.cast(&found, other),
    }])
}

/// A choice by a condition of the same sizes, or of one truth for each row.
pub(super) fn select(call: &mut Call) -> Converted {
    let (of_condition, of_data) = (call.info(0)?.dims.len(), call.info(1)?.dims.len());
    let mut condition = call.raw(0)?;
    let (left, right) = (call.real(1)?, call.real(2)?);
    let graph = call.graph();
    if of_condition == 1 && of_data > 1 {
        let axes: Vec<i64> = (1..of_data as i64).collect();
        let axes = graph.list(&axes);
        condition = graph.node("Unsqueeze", &[&condition, &axes], &[]);
    }
    Ok(vec![graph.node("Where", &[&condition, &left, &right], &[])])
}

pub(super) fn select_v2(call: &mut Call) -> Converted {
    let condition = call.raw(0)?;
    let (left, right) = (call.real(1)?, call.real(2)?);
    Ok(vec![call.graph().node(
        "Where",
        &[&condition, &left, &right],
        &[],
    )])
}

/// The places of all that is true.
pub(super) fn places(call: &mut Call) -> Converted {
    let data = call.raw(0)?;
    let graph = call.graph();
    let found = graph.node("NonZero", &[&data], &[]);
    Ok(vec![graph.transpose(&found, &[1, 0])])
}

pub(super) fn cumsum(call: &mut Call) -> Converted {
    let [exclusive, reverse] = [call.flag(0)?, call.flag(1)?].map(i64::from);
    let axis = call.integer(1)?;
    let data = call.real(0)?;
    let graph = call.graph();
    let axis = graph.scalar(axis);
    let with = [("exclusive", exclusive.into()), ("reverse", reverse.into())];
    Ok(vec![graph.node("CumSum", &[&data, &axis], &with)])
}
