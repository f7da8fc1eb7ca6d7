//! Operators that make one element of many along some axes.

use super::call::{Call, Converted};
use crate::model::Element;

pub(super) fn mean(call: &mut Call) -> Converted {
    reduce(call, "ReduceMean")
}

pub(super) fn max(call: &mut Call) -> Converted {
    reduce(call, "ReduceMax")
}

pub(super) fn min(call: &mut Call) -> Converted {
    reduce(call, "ReduceMin")
}

pub(super) fn product(call: &mut Call) -> Converted {
    reduce(call, "ReduceProd")
}

pub(super) fn sum(call: &mut Call) -> Converted {
    let (axes, keeps) = (call.integers(1)?, i64::from(call.flag(0)?));
    let data = call.real(0)?;
    let graph = call.graph();
    let axes = graph.list(&axes);
    Ok(vec![graph.node(
        "ReduceSum",
        &[&data, &axes],
        &[("keepdims", keeps.into())],
    )])
}

fn reduce(call: &mut Call, operator: &str) -> Converted {
    let data = call.real(0)?;
    along(call, operator, &data)
}

fn along(call: &mut Call, operator: &str, data: &str) -> Converted {
    let (axes, keeps) = (call.integers(1)?, i64::from(call.flag(0)?));
    let with = [("axes", axes.into()), ("keepdims", keeps.into())];
    Ok(vec![call.graph().node(operator, &[data], &with)])
}

pub(super) fn any(call: &mut Call) -> Converted {
    truth(call, "ReduceMax")
}

pub(super) fn all(call: &mut Call) -> Converted {
    truth(call, "ReduceMin")
}

/// Truths as the numbers 0 and 1.
fn truth(call: &mut Call, operator: &str) -> Converted {
    let data = call.raw(0)?;
    let numbers = call.graph().cast(&data, Element::I32);
    let found = along(call, operator, &numbers)?.remove(0);
    Ok(vec![call.graph().cast(&found, Element::Bool)])
}
