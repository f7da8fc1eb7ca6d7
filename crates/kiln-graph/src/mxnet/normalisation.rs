//! Operators that make the elements of a group alike in their mean or length.

use super::call::{Call, Converted, Value};

pub(super) fn batch_norm(call: &mut Call) -> Converted {
    let data = call.ranked(0, 2)?;
    let axis = call.axis("axis", 1, data.dims.len())?;
    let epsilon = call.attributes.float("eps", 1e-3)?;
    let mut parameters = Vec::new();
    for place in 1..5 {
        let parameter = call.input(place)?;
        if parameter.dims[..] != [data.dims[axis]] {
            return Err(format!(
                "its input {place} has the sizes {:?} instead of [{}]",
                parameter.dims, data.dims[axis]
            ));
        }
        parameters.push(parameter);
    }
    if call.attributes.flag("fix_gamma", true)? {
        parameters[0] = call.filled(1.0, vec![data.dims[axis]]);
    }
    let [gamma, beta, mean, variance] = &parameters[..] else {
        return Err("it has other than five inputs".to_owned());
    };
    if axis == 1 {
        let inputs = [&data, gamma, beta, mean, variance];
        let attributes = [("epsilon", epsilon.into())];
        let dims = data.dims.clone();
        return Ok(vec![call.node(
            "BatchNormalization",
            &inputs,
            &attributes,
            dims,
        )]);
    }
    let mut lists = Vec::new();
    for list in [gamma, beta, mean, variance] {
        lists.push(call.along(list, &data, axis)?);
    }
    let centred = call.pair("Sub", &data, &lists[2])?;
    let variance = call.with_scalar("Add", &lists[3], epsilon);
    let deviation = call.each("Sqrt", &variance);
    let even = call.pair("Div", &centred, &deviation)?;
    scaled(call, &even, &lists[0], &lists[1])
}

fn scaled(call: &mut Call, data: &Value, gamma: &Value, beta: &Value) -> Converted {
    let product = call.pair("Mul", data, gamma)?;
    Ok(vec![call.pair("Add", &product, beta)?])
}

pub(super) fn layer_norm(call: &mut Call) -> Converted {
    let (data, gamma, beta) = (call.ranked(0, 1)?, call.input(1)?, call.input(2)?);
    let axis = call.axis("axis", -1, data.dims.len())?;
    let epsilon = call.attributes.float("eps", 1e-5)?;
    let even = evened(call, &data, &[axis as i64], epsilon)?;
    let gamma = call.along(&gamma, &data, axis)?;
    let beta = call.along(&beta, &data, axis)?;
    scaled(call, &even, &gamma, &beta)
}

pub(super) fn instance_norm(call: &mut Call) -> Converted {
    let (data, gamma, beta) = (call.ranked(0, 3)?, call.input(1)?, call.input(2)?);
    let epsilon = call.attributes.float("eps", 1e-3)?;
    let attributes = [("epsilon", epsilon.into())];
    let dims = data.dims.clone();
    Ok(vec![call.node(
        "InstanceNormalization",
        &[&data, &gamma, &beta],
        &attributes,
        dims,
    )])
}

pub(super) fn group_norm(call: &mut Call) -> Converted {
    let (data, gamma, beta) = (call.ranked(0, 3)?, call.input(1)?, call.input(2)?);
    let groups = super::call::size(call.attributes.int("num_groups")?.unwrap_or(1))?;
    let epsilon = call.attributes.float("eps", 1e-5)?;
    if groups == 0 || !data.dims[1].is_multiple_of(groups) {
        return Err(format!(
            "{} channels do not divide into {groups} groups",
            data.dims[1]
        ));
    }
    let each = data.dims[1..].iter().product::<usize>() / groups;
    let grouped = call.reshape(&data, vec![data.dims[0], groups, each])?;
    let even = evened(call, &grouped, &[2], epsilon)?;
    // Some versions scale groups, and some channels.
    if gamma.dims[..] == [groups] {
        let gamma = call.along(&gamma, &even, 1)?;
        let beta = call.along(&beta, &even, 1)?;
        let scaled = scaled(call, &even, &gamma, &beta)?.remove(0);
        return Ok(vec![call.reshape(&scaled, data.dims)?]);
    }
    let even = call.reshape(&even, data.dims.clone())?;
    let gamma = call.along(&gamma, &data, 1)?;
    let beta = call.along(&beta, &data, 1)?;
    scaled(call, &even, &gamma, &beta)
}

/// Without mean, and of variance 1, along some axes.
fn evened(call: &mut Call, data: &Value, axes: &[i64], epsilon: f32) -> Result<Value, String> {
    let mean = kept(call, "ReduceMean", data, axes);
    let centred = call.pair("Sub", data, &mean)?;
    let square = call.pair("Mul", &centred, &centred)?;
    let variance = kept(call, "ReduceMean", &square, axes);
    let variance = call.with_scalar("Add", &variance, epsilon);
    let deviation = call.each("Sqrt", &variance);
    call.pair("Div", &centred, &deviation)
}

/// A reduction that keeps the axes, each with the size 1.
fn kept(call: &mut Call, operator: &str, data: &Value, axes: &[i64]) -> Value {
    let mut dims = data.dims.clone();
    axes.iter().for_each(|axis| dims[*axis as usize] = 1);
    call.node(operator, &[data], &[("axes", axes.to_vec().into())], dims)
}

pub(super) fn l2_normalization(call: &mut Call) -> Converted {
    let data = call.ranked(0, 2)?;
    let epsilon = call.attributes.float("eps", 1e-10)?;
    let rank = data.dims.len() as i64;
    let axes: Vec<i64> = match call.attributes.text("mode").unwrap_or("instance") {
        "instance" => (1..rank).collect(),
        "channel" => vec![1],
        "spatial" => (2..rank).collect(),
        other => return Err(format!("its mode {other} is not implemented")),
    };
    let square = call.pair("Mul", &data, &data)?;
    let places: usize = axes.iter().map(|axis| data.dims[*axis as usize]).product();
    let mean = kept(call, "ReduceMean", &square, &axes);
    let sum = call.with_scalar("Mul", &mean, places as f32);
    let sum = call.with_scalar("Add", &sum, epsilon);
    let length = call.each("Sqrt", &sum);
    Ok(vec![call.pair("Div", &data, &length)?])
}

pub(super) fn local_response(call: &mut Call) -> Converted {
    let data = call.ranked(0, 4)?;
    let size = call.attributes.int("nsize")?.filter(|size| *size > 0);
    let attributes = [
        ("size", size.ok_or("its attribute nsize is no size")?.into()),
        ("alpha", call.attributes.float("alpha", 1e-4)?.into()),
        ("beta", call.attributes.float("beta", 0.75)?.into()),
        ("bias", call.attributes.float("knorm", 2.0)?.into()),
    ];
    Ok(vec![call.node(
        "LRN",
        &[&data],
        &attributes,
        data.dims.clone(),
    )])
}
