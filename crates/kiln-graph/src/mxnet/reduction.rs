//! Operators that make one element of many along some axes.

use super::call::{Call, Converted, Value, counted};
use crate::foreign::Reduction;

pub(super) fn norm(call: &mut Call) -> Converted {
    match call.attributes.int("ord")?.unwrap_or(2) {
        1 => reduce(call, Reduction::L1),
        2 => reduce(call, Reduction::L2),
        other => Err(format!("its ord {other} is not implemented")),
    }
}

pub(super) fn reduce(call: &mut Call, reduction: Reduction) -> Converted {
    let data = call.ranked(0, 1)?;
    let rank = data.dims.len();
    let named = call.attributes.list("axis")?.unwrap_or_default();
    let named = named
        .into_iter()
        .map(|axis| counted(axis, rank))
        .collect::<Result<Vec<_>, _>>()?;
    let excludes = call.attributes.flag("exclude", false)?;
    let is_reduced = |axis: &usize| named.is_empty() || named.contains(axis) != excludes;
    let axes: Vec<usize> = (0..rank).filter(is_reduced).collect();
    let keeps = call.attributes.flag("keepdims", false)?;
    let mut dims = data.dims.clone();
    axes.iter().for_each(|axis| dims[*axis] = 1);
    let reduced: Vec<i64> = axes.iter().map(|axis| *axis as i64).collect();
    let name = call.graph.reduce(reduction, &data.name, &reduced, true);
    let kept = Value { name, dims };
    if keeps {
        return Ok(vec![kept]);
    }
    let left = (0..rank)
        .filter(|axis| !axes.contains(axis))
        .map(|axis| data.dims[axis]);
    let left: Vec<usize> = left.collect();
    // What has no dimensions is a list of one here.
    let dims = if left.is_empty() { vec![1] } else { left };
    Ok(vec![call.reshape(&kept, dims)?])
}
