//! Operators that cut a part out of a tensor, or cut it into parts.

use super::call::{Call, Converted, Value, counted, size};

pub(super) fn slice(call: &mut Call) -> Converted {
    let data = call.input(0)?;
    let list = |name| {
        call.attributes
            .list_with_gaps(name)
            .map(Option::unwrap_or_default)
    };
    let (begins, ends, steps) = (list("begin")?, list("end")?, list("step")?);
    if begins.len() != ends.len() || begins.len() > data.dims.len() {
        return Err("its begin and end are not those of its input".to_owned());
    }
    let mut dims = data.dims.clone();
    let mut lists = [vec![], vec![], vec![]];
    for (axis, (begin, end)) in begins.into_iter().zip(ends).enumerate() {
        let step = steps.get(axis).copied().flatten().unwrap_or(1);
        let (cut, length) = cut(data.dims[axis], begin, end, step)?;
        dims[axis] = length;
        lists
            .iter_mut()
            .zip(cut)
            .for_each(|(list, number)| list.push(number));
    }
    let axes: Vec<i64> = (0..lists[0].len() as i64).collect();
    let [starts, ends, steps] = lists.map(|list| call.graph.list(&list));
    let axes = call.graph.list(&axes);
    let name = call
        .graph
        .node("Slice", &[&data.name, &starts, &ends, &axes, &steps], &[]);
    Ok(vec![Value { name, dims }])
}

/// Where ONNX starts, ends and steps along an axis, and how many it finds there.
fn cut(
    length: usize,
    begin: Option<i64>,
    end: Option<i64>,
    step: i64,
) -> Result<([i64; 3], usize), String> {
    let length = length as i64;
    let counted = |place: i64| {
        if place < 0 {
            place.saturating_add(length)
        } else {
            place
        }
    };
    let (start, stop) = match step {
        0 => return Err("one of its steps is 0".to_owned()),
        1.. => (
            begin.map_or(0, counted).clamp(0, length),
            end.map_or(length, counted).clamp(0, length),
        ),
        _ => (
            begin.map_or(length - 1, counted).clamp(-1, length - 1),
            end.map_or(-1, counted).clamp(-1, length - 1),
        ),
    };
    let gap = if step > 0 { stop - start } else { start - stop };
    let found = if gap <= 0 {
        0
    } else {
        (gap - 1) / step.saturating_abs() + 1
    };
    if found == 0 {
        return Err("it cuts out nothing".to_owned());
    }
    // What lies before the first place is counted from the end otherwise.
    let stop = if stop < 0 { i64::MIN } else { stop };
    Ok(([start, stop, step], size(found)?))
}

pub(super) fn slice_axis(call: &mut Call) -> Converted {
    let data = call.ranked(0, 1)?;
    let axis = call.axis("axis", 0, data.dims.len())?;
    let (begin, end) = (call.attributes.int("begin")?, call.attributes.int("end")?);
    let ([start, stop, _], _) = cut(data.dims[axis], begin, end, 1)?;
    Ok(vec![call.slice(&data, axis, size(start)?, size(stop)?)?])
}

/// The first places of every axis, as many as another value has.
pub(super) fn slice_like(call: &mut Call) -> Converted {
    let (mut data, like) = (call.input(0)?, call.input(1)?);
    let rank = data.dims.len();
    let axes = call
        .attributes
        .list("axes")?
        .filter(|axes| !axes.is_empty());
    let axes = axes.unwrap_or_else(|| (0..rank as i64).collect());
    for axis in axes {
        let axis = counted(axis, rank)?;
        let end = *like
            .dims
            .get(axis)
            .ok_or("its inputs differ in their dimensions")?;
        if end != data.dims[axis] {
            data = call.slice(&data, axis, 0, end)?;
        }
    }
    Ok(vec![data])
}

/// The most parts that a value is cut into.
const PARTS: usize = 4096;

pub(super) fn split(call: &mut Call) -> Converted {
    let data = call.ranked(0, 1)?;
    let axis = call.axis("axis", 1, data.dims.len())?;
    let count = call
        .attributes
        .int("num_outputs")?
        .ok_or("it has no num_outputs")?;
    let count = size(count)?;
    let length = data.dims[axis];
    if !(1..=PARTS).contains(&count) || !length.is_multiple_of(count) {
        return Err(format!("{length} places do not divide into {count} parts"));
    }
    let mut dims = data.dims.clone();
    dims[axis] = length / count;
    let squeezes = call.attributes.flag("squeeze_axis", false)? && dims[axis] == 1;
    let with = [("axis", (axis as i64).into())];
    let names = call
        .graph
        .node_of_many("Split", &[&data.name], &with, count);
    let mut parts: Vec<Value> = names
        .into_iter()
        .map(|name| Value {
            name,
            dims: dims.clone(),
        })
        .collect();
    if squeezes {
        dims.remove(axis);
        for part in &mut parts {
            *part = call.reshape(part, dims.clone())?;
        }
    }
    Ok(parts)
}

/// A part of images, as large as asked for or as another value.
pub(super) fn crop(call: &mut Call) -> Converted {
    let data = call.ranked(0, 4)?;
    let like = call.inputs.get(1).cloned();
    let pair = |name: &str| -> Result<[usize; 2], String> {
        match call.attributes.list(name)?.unwrap_or_default()[..] {
            [] => Ok([0, 0]),
            [one, other] => Ok([size(one)?, size(other)?]),
            _ => Err(format!("its attribute {name} is not two sizes")),
        }
    };
    let sides = match &like {
        Some(like) if like.dims.len() == 4 => [like.dims[2], like.dims[3]],
        Some(_) => return Err("its input 1 is not of images".to_owned()),
        None => pair("h_w")?,
    };
    let mut offset = pair("offset")?;
    if call.attributes.flag("center_crop", false)? {
        offset = [0, 1].map(|side| data.dims[side + 2].saturating_sub(sides[side]) / 2);
    }
    let rows = call.slice(&data, 2, offset[0], offset[0].saturating_add(sides[0]))?;
    Ok(vec![call.slice(
        &rows,
        3,
        offset[1],
        offset[1].saturating_add(sides[1]),
    )?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_are_those_of_python() {
        let cases = [
            ((5, None, None, 1), ([0, 5, 1], 5)),
            ((5, Some(1), Some(-1), 2), ([1, 4, 2], 2)),
            ((5, Some(-3), Some(9), 1), ([2, 5, 1], 3)),
            ((5, None, None, -2), ([4, i64::MIN, -2], 3)),
            ((5, Some(3), Some(0), -1), ([3, 0, -1], 3)),
        ];
        for ((length, begin, end, step), expected) in cases {
            assert_eq!(cut(length, begin, end, step), Ok(expected));
        }
        assert!(cut(5, Some(2), Some(2), 1).is_err());
        assert!(cut(5, None, None, 0).is_err());
    }
}
