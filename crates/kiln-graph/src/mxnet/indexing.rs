//! Operators that look elements up, or say where they are. Indices are numbers
//! like all others.

use super::call::{Call, Converted, Value, size};
use crate::model::Element;

pub(super) fn embedding(call: &mut Call) -> Converted {
    let (places, table) = (call.input(0)?, call.ranked(1, 2)?);
    looked_up(call, &table, &places, 0)
}

pub(super) fn take(call: &mut Call) -> Converted {
    let (table, places) = (call.ranked(0, 1)?, call.input(1)?);
    let axis = call.axis("axis", 0, table.dims.len())?;
    match call.attributes.text("mode").unwrap_or("clip") {
        "clip" => looked_up(call, &table, &places, axis),
        other => Err(format!("its mode {other} is not implemented")),
    }
}

/// Places beyond an end mean what lies there.
fn looked_up(call: &mut Call, table: &Value, places: &Value, axis: usize) -> Converted {
    let last = table.dims[axis].saturating_sub(1) as f32;
    let within = call.graph.clip(&places.name, 0.0, last);
    let name = call.graph.cast(&within, Element::I64);
    let places = Value {
        name,
        dims: places.dims.clone(),
    };
    let dims = [&table.dims[..axis], &places.dims, &table.dims[axis + 1..]].concat();
    let with = [("axis", (axis as i64).into())];
    Ok(vec![call.node("Gather", &[table, &places], &with, dims)])
}

pub(super) fn one_hot(call: &mut Call) -> Converted {
    let places = call.input(0)?;
    let depth = size(call.attributes.int("depth")?.ok_or("it has no depth")?)?;
    let on = call.attributes.float("on_value", 1.0)?;
    let off = call.attributes.float("off_value", 0.0)?;
    let mut dims = places.dims.clone();
    dims.push(depth);
    let graph = &mut *call.graph;
    let indices = graph.cast(&places.name, Element::I64);
    let (depth, values) = (graph.scalar(depth as i64), graph.list(&[off, on]));
    let name = graph.node("OneHot", &[&indices, &depth, &values], &[]);
    Ok(vec![Value { name, dims }])
}

pub(super) fn arg_max(call: &mut Call) -> Converted {
    extreme(call, "ArgMax")
}

pub(super) fn arg_min(call: &mut Call) -> Converted {
    extreme(call, "ArgMin")
}

pub(super) fn arg_max_channel(call: &mut Call) -> Converted {
    let data = call.ranked(0, 2)?;
    places(call, "ArgMax", &data, 1, false)
}

fn extreme(call: &mut Call, operator: &str) -> Converted {
    let mut data = call.ranked(0, 1)?;
    let keeps = call.attributes.flag("keepdims", false)?;
    if call.attributes.text("axis").is_none() {
        let all = data.dims.iter().product();
        data = call.reshape(&data, vec![all])?;
    }
    let axis = call.axis("axis", 0, data.dims.len())?;
    places(call, operator, &data, axis, keeps)
}

fn places(call: &mut Call, operator: &str, data: &Value, axis: usize, keeps: bool) -> Converted {
    let mut kept = data.dims.clone();
    kept[axis] = 1;
    let with = [("axis", (axis as i64).into()), ("keepdims", 1_i64.into())];
    let found = call.node(operator, &[data], &with, kept);
    let name = call.graph.cast(&found.name, Element::F32);
    let found = Value {
        name,
        dims: found.dims,
    };
    if keeps {
        return Ok(vec![found]);
    }
    let mut dims = found.dims.clone();
    dims.remove(axis);
    let dims = if dims.is_empty() { vec![1] } else { dims };
    Ok(vec![call.reshape(&found, dims)?])
}

pub(super) fn top_k(call: &mut Call) -> Converted {
    let data = call.ranked(0, 1)?;
    let axis = call.axis("axis", -1, data.dims.len())?;
    let count = size(call.attributes.int("k")?.unwrap_or(1))?;
    let count = if count == 0 { data.dims[axis] } else { count };
    if count > data.dims[axis] {
        return Err(format!(
            "{} places have no {count} largest",
            data.dims[axis]
        ));
    }
    let largest = i64::from(!call.attributes.flag("is_ascend", false)?);
    let mut dims = data.dims.clone();
    dims[axis] = count;
    let with = [("axis", (axis as i64).into()), ("largest", largest.into())];
    let count = call.graph.list(&[count as i64]);
    let found = call
        .graph
        .node_of_many("TopK", &[&data.name, &count], &with, 2);
    let places = call.graph.cast(&found[1], Element::F32);
    let [values, places] = [found[0].clone(), places].map(|name| Value {
        name,
        dims: dims.clone(),
    });
    match call.attributes.text("ret_typ").unwrap_or("indices") {
        "indices" => Ok(vec![places]),
        // The places are there, though MXNet does not show them.
        "value" | "both" => Ok(vec![values, places]),
        other => Err(format!("its ret_typ {other} is not implemented")),
    }
}
