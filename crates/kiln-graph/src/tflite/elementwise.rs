//! Operators that treat each element, or each pair of elements, on its own.

use super::call::{Call, Converted};
use crate::foreign::Building;
use crate::model::Element;

/// One of ONNX's operators on all inputs, without attributes.
macro_rules! plain {
    ($($name:ident => $operator:literal),* $(,)?) => {$(
        pub(super) fn $name(call: &mut Call) -> Converted {
            call.plain($operator, &[])
        }
    )*};
}

plain!(
    abs => "Abs", ceil => "Ceil", cos => "Cos", exp => "Exp", floor => "Floor", log => "Log",
    neg => "Neg", round => "Round", sign => "Sign", sin => "Sin", sqrt => "Sqrt",
    logistic => "Sigmoid", relu => "Relu", tanh => "Tanh", hard_swish => "HardSwish",
    maximum => "Max", minimum => "Min", pow => "Pow", prelu => "PRelu", add_n => "Sum",
    equal => "Equal", greater => "Greater", greater_equal => "GreaterOrEqual", less => "Less",
    less_equal => "LessOrEqual", and => "And", or => "Or", not => "Not",
);

/// One of ONNX's operators on two inputs, with a fused activation.
macro_rules! fused {
    ($($name:ident => $operator:literal),* $(,)?) => {$(
        pub(super) fn $name(call: &mut Call) -> Converted {
            let value = call.plain($operator, &[])?.remove(0);
            Ok(vec![call.activated(0, value)?])
        }
    )*};
}

fused!(add => "Add", div => "Div", mul => "Mul", sub => "Sub");

pub(super) fn not_equal(call: &mut Call) -> Converted {
    let equal = call.plain("Equal", &[])?.remove(0);
    Ok(vec![call.graph().node("Not", &[&equal], &[])])
}

pub(super) fn rsqrt(call: &mut Call) -> Converted {
    let root = call.plain("Sqrt", &[])?.remove(0);
    Ok(vec![call.graph().node("Reciprocal", &[&root], &[])])
}

pub(super) fn square(call: &mut Call) -> Converted {
    let data = call.real(0)?;
    Ok(vec![call.graph().node("Mul", &[&data, &data], &[])])
}

pub(super) fn squared_difference(call: &mut Call) -> Converted {
    let difference = call.plain("Sub", &[])?.remove(0);
    Ok(vec![call.graph().node(
        "Mul",
        &[&difference, &difference],
        &[],
    )])
}

pub(super) fn relu6(call: &mut Call) -> Converted {
    clipped(call, 0.0, 6.0)
}

pub(super) fn relu_n1_to_1(call: &mut Call) -> Converted {
    clipped(call, -1.0, 1.0)
}

pub(super) fn relu_0_to_1(call: &mut Call) -> Converted {
    clipped(call, 0.0, 1.0)
}

fn clipped(call: &mut Call, low: f32, high: f32) -> Converted {
    let data = call.real(0)?;
    Ok(vec![call.graph().clip(&data, low, high)])
}

pub(super) fn leaky_relu(call: &mut Call) -> Converted {
    let alpha = call.number(0)?;
    call.plain("LeakyRelu", &[("alpha", alpha.into())])
}

pub(super) fn elu(call: &mut Call) -> Converted {
    call.plain("Elu", &[("alpha", 1.0_f32.into())])
}

pub(super) fn gelu(call: &mut Call) -> Converted {
    let is_approximate = call.flag(0)?;
    let data = call.real(0)?;
    Ok(vec![call.graph().gelu(&data, is_approximate)])
}

pub(super) fn softmax(call: &mut Call) -> Converted {
    let beta = call.number(0)?;
    let mut data = call.real(0)?;
    let graph = call.graph();
    if beta != 1.0 {
        data = graph.with_scalar("Mul", &data, beta);
    }
    Ok(vec![graph.node(
        "Softmax",
        &[&data],
        &[("axis", (-1_i64).into())],
    )])
}

pub(super) fn log_softmax(call: &mut Call) -> Converted {
    call.plain("LogSoftmax", &[("axis", (-1_i64).into())])
}

pub(super) fn l2_normalization(call: &mut Call) -> Converted {
    let data = call.real(0)?;
    let graph = call.graph();
    let length = graph.node("ReduceL2", &[&data], &[("axes", vec![-1_i64].into())]);
    let length = graph.with_scalar("Max", &length, 1e-6);
    let value = graph.node("Div", &[&data, &length], &[]);
    Ok(vec![call.activated(0, value)?])
}

pub(super) fn cast(call: &mut Call) -> Converted {
    let to = call.output(0)?.element;
    let value = call.raw(0)?;
    Ok(vec![call.graph().cast(&value, to)])
}

/// From a quantised tensor to numbers, or from numbers of 16 bits.
pub(super) fn dequantize(call: &mut Call) -> Converted {
    let is_half = call.info(0)?.element == Element::F16;
    let value = call.real(0)?;
    Ok(vec![match is_half {
        true => call.graph().cast(&value, Element::F32),
        false => value,
    }])
}

/// To a quantised tensor, which is what every output becomes that is one.
pub(super) fn quantize(call: &mut Call) -> Converted {
    Ok(vec![call.real(0)?])
}

/// The largest whole number that is no larger than the quotient.
pub(super) fn floor_div(call: &mut Call) -> Converted {
    let is_float = call.info(0)?.element.is_float();
    let [left, right] = [call.real(0)?, call.real(1)?];
    let graph = call.graph();
    if is_float {
        let quotient = graph.node("Div", &[&left, &right], &[]);
        return Ok(vec![graph.node("Floor", &[&quotient], &[])]);
    }
    let rest = graph.node("Mod", &[&left, &right], &[]);
    let whole = graph.node("Sub", &[&left, &rest], &[]);
    Ok(vec![graph.node("Div", &[&whole, &right], &[])])
}

/// What is left of that division, with the sign of the divisor.
pub(super) fn floor_mod(call: &mut Call) -> Converted {
    let is_float = call.info(0)?.element.is_float();
    let [left, right] = [call.real(0)?, call.real(1)?];
    let graph = call.graph();
    Ok(vec![match is_float {
        true => floor_mod_of_floats(graph, &left, &right),
        false => graph.node("Mod", &[&left, &right], &[]),
    }])
}

fn floor_mod_of_floats(graph: &mut Building, left: &str, right: &str) -> String {
    let quotient = graph.node("Div", &[left, right], &[]);
    let whole = graph.node("Floor", &[&quotient], &[]);
    let product = graph.node("Mul", &[&whole, right], &[]);
    graph.node("Sub", &[left, &product], &[])
}

pub(super) fn zeros_like(call: &mut Call) -> Converted {
    let element = call.output(0)?.element;
    let data = call.raw(0)?;
    let graph = call.graph();
    let dims = graph.node("Shape", &[&data], &[]);
    let zeros = graph.node("ConstantOfShape", &[&dims], &[]);
    Ok(vec![match element {
        Element::F32 => zeros,
        other => graph.cast(&zeros, other),
    }])
}
