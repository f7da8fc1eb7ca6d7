//! Functions that networks put behind their layers.

use super::call::{Call, Converted, Value, counted};

pub(super) fn activation(call: &mut Call) -> Converted {
    let data = call.input(0)?;
    let operator = match call.attributes.text("act_type").unwrap_or_default() {
        "relu" => "Relu",
        "sigmoid" => "Sigmoid",
        "tanh" => "Tanh",
        "softrelu" => "Softplus",
        "softsign" => "Softsign",
        "log_sigmoid" => {
            let sigmoid = call.each("Sigmoid", &data);
            return Ok(vec![call.each("Log", &sigmoid)]);
        }
        "mish" => {
            let softplus = call.each("Softplus", &data);
            let tanh = call.each("Tanh", &softplus);
            return Ok(vec![call.pair("Mul", &data, &tanh)?]);
        }
        other => return Err(format!("its act_type {other} is not implemented")),
    };
    Ok(vec![call.each(operator, &data)])
}

pub(super) fn leaky_relu(call: &mut Call) -> Converted {
    let data = call.ranked(0, 1)?;
    let slope = call.attributes.float("slope", 0.25)?;
    let leaky = |call: &mut Call, slope: f32| {
        call.node(
            "LeakyRelu",
            &[&data],
            &[("alpha", slope.into())],
            data.dims.clone(),
        )
    };
    Ok(vec![
        match call.attributes.text("act_type").unwrap_or("leaky") {
            "leaky" => leaky(call, slope),
            // What is random in training is the middle here.
            "rrelu" => {
                let low = call.attributes.float("lower_bound", 0.125)?;
                let high = call.attributes.float("upper_bound", 0.334)?;
                leaky(call, f32::midpoint(low, high))
            }
            "elu" => call.node(
                "Elu",
                &[&data],
                &[("alpha", slope.into())],
                data.dims.clone(),
            ),
            "selu" => call.each("Selu", &data),
            "gelu" => {
                let name = call.graph.gelu(&data.name, false);
                Value {
                    name,
                    dims: data.dims,
                }
            }
            "prelu" => {
                let slopes = call.input(1)?;
                let axis = data.dims.len().min(2) - 1;
                let slopes = match data.dims.len() == slopes.dims.len() && slopes.dims.len() > 1 {
                    true => slopes,
                    false => call.along(&slopes, &data, axis)?,
                };
                call.pair("PRelu", &data, &slopes)?
            }
            other => return Err(format!("its act_type {other} is not implemented")),
        },
    ])
}

pub(super) fn softmax(call: &mut Call) -> Converted {
    let data = tempered(call)?;
    along(call, "Softmax", &data)
}

pub(super) fn log_softmax(call: &mut Call) -> Converted {
    let data = tempered(call)?;
    along(call, "LogSoftmax", &data)
}

pub(super) fn softmin(call: &mut Call) -> Converted {
    let data = tempered(call)?;
    let negated = call.each("Neg", &data);
    along(call, "Softmax", &negated)
}

fn tempered(call: &mut Call) -> Result<Value, String> {
    if call.attributes.flag("use_length", false)? {
        return Err("its attribute use_length is not implemented".to_owned());
    }
    let data = call.ranked(0, 1)?;
    Ok(match call.attributes.float("temperature", 1.0)? {
        1.0 => data,
        temperature => call.with_scalar("Div", &data, temperature),
    })
}

fn along(call: &mut Call, operator: &str, data: &Value) -> Converted {
    let axis = call.axis("axis", -1, data.dims.len())? as i64;
    Ok(vec![call.node(
        operator,
        &[data],
        &[("axis", axis.into())],
        data.dims.clone(),
    )])
}

/// What classifiers end with. All but the batch is one list of classes, unless
/// the attributes say otherwise.
pub(super) fn softmax_output(call: &mut Call) -> Converted {
    let data = call.ranked(0, 1)?;
    if call.attributes.flag("multi_output", false)? {
        return over(call, &data, 1);
    }
    if call.attributes.flag("preserve_shape", false)? || data.dims.len() == 2 {
        return over(call, &data, -1);
    }
    let rest = data.dims[1..].iter().product();
    let flat = call.reshape(&data, vec![data.dims[0], rest])?;
    let value = over(call, &flat, 1)?.remove(0);
    Ok(vec![call.reshape(&value, data.dims)?])
}

pub(super) fn softmax_activation(call: &mut Call) -> Converted {
    let data = call.ranked(0, 2)?;
    if call.attributes.text("mode") == Some("channel") {
        return over(call, &data, 1);
    }
    let rest = data.dims[1..].iter().product();
    let flat = call.reshape(&data, vec![data.dims[0], rest])?;
    let value = over(call, &flat, 1)?.remove(0);
    Ok(vec![call.reshape(&value, data.dims)?])
}

fn over(call: &mut Call, data: &Value, axis: i64) -> Converted {
    let axis = counted(axis, data.dims.len())? as i64;
    Ok(vec![call.node(
        "Softmax",
        &[data],
        &[("axis", axis.into())],
        data.dims.clone(),
    )])
}

pub(super) fn hard_sigmoid(call: &mut Call) -> Converted {
    let data = call.input(0)?;
    let attributes = [
        ("alpha", call.attributes.float("alpha", 0.2)?.into()),
        ("beta", call.attributes.float("beta", 0.5)?.into()),
    ];
    Ok(vec![call.node(
        "HardSigmoid",
        &[&data],
        &attributes,
        data.dims.clone(),
    )])
}

pub(super) fn clip(call: &mut Call) -> Converted {
    let data = call.input(0)?;
    let low = call.attributes.float("a_min", f32::NEG_INFINITY)?;
    let high = call.attributes.float("a_max", f32::INFINITY)?;
    let name = call.graph.clip(&data.name, low, high);
    Ok(vec![Value {
        name,
        dims: data.dims,
    }])
}
