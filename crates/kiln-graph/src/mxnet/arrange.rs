//! Operators that put elements elsewhere: another order, joined, repeated.

use super::call::{Call, Converted, Value, counted, size};

pub(super) fn transpose(call: &mut Call) -> Converted {
    let data = call.input(0)?;
    let rank = data.dims.len();
    let axes = call
        .attributes
        .list("axes")?
        .filter(|axes| !axes.is_empty());
    let order = match axes {
        None => (0..rank).rev().collect(),
        Some(axes) => axes
            .into_iter()
            .map(|axis| counted(axis, rank))
            .collect::<Result<Vec<_>, _>>()?,
    };
    let mut sorted = order.clone();
    sorted.sort_unstable();
    if sorted != (0..rank).collect::<Vec<usize>>() {
        return Err(format!(
            "its axes {order:?} are not those of {:?}",
            data.dims
        ));
    }
    Ok(vec![call.transpose(&data, &order)])
}

pub(super) fn swap_axes(call: &mut Call) -> Converted {
    let data = call.input(0)?;
    let rank = data.dims.len();
    let mut order: Vec<usize> = (0..rank).collect();
    order.swap(call.axis("dim1", 0, rank)?, call.axis("dim2", 0, rank)?);
    Ok(vec![call.transpose(&data, &order)])
}

pub(super) fn expand_dims(call: &mut Call) -> Converted {
    let data = call.input(0)?;
    let axis = call.axis("axis", 0, data.dims.len() + 1)?;
    let mut dims = data.dims.clone();
    dims.insert(axis, 1);
    Ok(vec![call.reshape(&data, dims)?])
}

pub(super) fn squeeze(call: &mut Call) -> Converted {
    let data = call.input(0)?;
    let rank = data.dims.len();
    let gone = match call.attributes.list("axis")? {
        None => (0..rank).filter(|axis| data.dims[*axis] == 1).collect(),
        Some(axes) => axes
            .into_iter()
            .map(|axis| counted(axis, rank))
            .collect::<Result<Vec<_>, _>>()?,
    };
    let kept = (0..rank)
        .filter(|axis| !gone.contains(axis))
        .map(|axis| data.dims[axis]);
    let kept: Vec<usize> = kept.collect();
    // What has no dimensions is a list of one here.
    let dims = if kept.is_empty() { vec![1] } else { kept };
    Ok(vec![call.reshape(&data, dims)?])
}

pub(super) fn concat(call: &mut Call) -> Converted {
    let first = call.ranked(0, 1)?;
    let axis = call.axis("dim", 1, first.dims.len())?;
    let parts = call.inputs.clone();
    Ok(vec![call.concat(&parts, axis)?])
}

pub(super) fn stack(call: &mut Call) -> Converted {
    let first = call.input(0)?;
    let axis = call.axis("axis", 0, first.dims.len() + 1)?;
    let mut parts = Vec::new();
    for part in call.inputs.clone() {
        let mut dims = part.dims.clone();
        if axis > dims.len() {
            return Err(format!("{:?} and {dims:?} cannot be joined", first.dims));
        }
        dims.insert(axis, 1);
        parts.push(call.reshape(&part, dims)?);
    }
    Ok(vec![call.concat(&parts, axis)?])
}

pub(super) fn tile(call: &mut Call) -> Converted {
    let data = call.input(0)?;
    let reps = call.attributes.list("reps")?.ok_or("it has no reps")?;
    let mut reps = reps
        .into_iter()
        .map(size)
        .collect::<Result<Vec<usize>, String>>()?;
    let rank = reps.len().max(data.dims.len());
    let filled = |list: &[usize]| [vec![1; rank - list.len()], list.to_vec()].concat();
    reps = filled(&reps);
    let data = call.reshape(&data, filled(&data.dims))?;
    let dims = data
        .dims
        .iter()
        .zip(&reps)
        .map(|(size, reps)| size.saturating_mul(*reps));
    let dims = dims.collect();
    let reps: Vec<i64> = reps.iter().map(|reps| *reps as i64).collect();
    let name = call.graph.list(&reps);
    let name = call.graph.node("Tile", &[&data.name, &name], &[]);
    Ok(vec![Value { name, dims }])
}

/// Each element several times in a row, along an axis or in one list.
pub(super) fn repeat(call: &mut Call) -> Converted {
    let mut data = call.input(0)?;
    let times = size(call.attributes.int("repeats")?.unwrap_or(1))?;
    let axis = match call.attributes.int("axis")? {
        Some(axis) => counted(axis, data.dims.len())?,
        None => {
            let all = data.dims.iter().product();
            data = call.reshape(&data, vec![all])?;
            0
        }
    };
    let mut apart = data.dims.clone();
    apart.insert(axis + 1, 1);
    let mut spread = apart.clone();
    spread[axis + 1] = times;
    let mut dims = data.dims.clone();
    dims[axis] = dims[axis].saturating_mul(times);
    let value = call.reshape(&data, apart)?;
    let value = expanded(call, &value, spread)?;
    Ok(vec![call.reshape(&value, dims)?])
}

/// The value in sizes that it spreads over.
fn expanded(call: &mut Call, data: &Value, dims: Vec<usize>) -> Result<Value, String> {
    super::call::check(&dims)?;
    if super::call::spread(&data.dims, &dims)? != dims {
        return Err(format!("{:?} cannot become {dims:?}", data.dims));
    }
    let sizes: Vec<i64> = dims.iter().map(|size| *size as i64).collect();
    let name = call.graph.list(&sizes);
    let name = call.graph.node("Expand", &[&data.name, &name], &[]);
    Ok(Value { name, dims })
}

pub(super) fn broadcast_to(call: &mut Call) -> Converted {
    let data = call.input(0)?;
    let shape = call.attributes.list("shape")?.ok_or("it has no shape")?;
    if shape.len() != data.dims.len() {
        return Err(format!("{:?} cannot become {shape:?}", data.dims));
    }
    let sizes = shape.into_iter().zip(&data.dims);
    let dims = sizes.map(|(wanted, own)| if wanted == 0 { Ok(*own) } else { size(wanted) });
    let dims = dims.collect::<Result<Vec<usize>, String>>()?;
    Ok(vec![expanded(call, &data, dims)?])
}

pub(super) fn broadcast_axis(call: &mut Call) -> Converted {
    let data = call.input(0)?;
    let axes = call.attributes.list("axis")?.unwrap_or_default();
    let sizes = call.attributes.list("size")?.unwrap_or_default();
    let mut dims = data.dims.clone();
    for (axis, wanted) in axes.into_iter().zip(sizes) {
        dims[counted(axis, data.dims.len())?] = size(wanted)?;
    }
    Ok(vec![expanded(call, &data, dims)?])
}

pub(super) fn broadcast_like(call: &mut Call) -> Converted {
    if call.attributes.text("lhs_axes").is_some() {
        return Err("its attribute lhs_axes is not implemented".to_owned());
    }
    let (data, like) = (call.input(0)?, call.input(1)?);
    Ok(vec![expanded(call, &data, like.dims)?])
}

pub(super) fn reverse(call: &mut Call) -> Converted {
    let data = call.input(0)?;
    let axes = call.attributes.list("axis")?.ok_or("it has no axis")?;
    turned(call, &data, &axes)
}

fn turned(call: &mut Call, data: &Value, axes: &[i64]) -> Converted {
    for axis in axes {
        counted(*axis, data.dims.len())?;
    }
    let all = |value: i64| vec![value; axes.len()];
    let lists = [all(-1), all(i64::MIN), axes.to_vec(), all(-1)];
    let [starts, ends, axes, steps] = lists.map(|list| call.graph.list(&list));
    let name = call
        .graph
        .node("Slice", &[&data.name, &starts, &ends, &axes, &steps], &[]);
    Ok(vec![Value {
        name,
        dims: data.dims.clone(),
    }])
}

/// Sequences, where every one is as long as there is room for.
pub(super) fn sequence_reverse(call: &mut Call) -> Converted {
    whole_sequences(call)?;
    let data = call.ranked(0, 1)?;
    turned(call, &data, &[0])
}

pub(super) fn sequence_last(call: &mut Call) -> Converted {
    whole_sequences(call)?;
    let data = call.ranked(0, 2)?;
    let axis = call.axis("axis", 0, 2)?;
    let length = data.dims[axis];
    let last = call.slice(&data, axis, length.saturating_sub(1), length)?;
    let mut dims = last.dims.clone();
    dims.remove(axis);
    Ok(vec![call.reshape(&last, dims)?])
}

pub(super) fn sequence_mask(call: &mut Call) -> Converted {
    whole_sequences(call)?;
    Ok(vec![call.input(0)?])
}

fn whole_sequences(call: &Call) -> Result<(), String> {
    match call.attributes.flag("use_sequence_length", false)? {
        true => Err("its attribute use_sequence_length is not implemented".to_owned()),
        false => Ok(()),
    }
}

pub(super) fn zeros(call: &mut Call) -> Converted {
    constant(call, 0.0)
}

pub(super) fn ones(call: &mut Call) -> Converted {
    constant(call, 1.0)
}

pub(super) fn full(call: &mut Call) -> Converted {
    let number = call.attributes.float("value", 0.0)?;
    constant(call, number)
}

fn constant(call: &mut Call, number: f32) -> Converted {
    let shape = call.attributes.list("shape")?.unwrap_or_default();
    let dims = shape
        .into_iter()
        .map(size)
        .collect::<Result<Vec<usize>, String>>()?;
    super::call::check(&dims)?;
    Ok(vec![call.filled(number, dims)])
}
