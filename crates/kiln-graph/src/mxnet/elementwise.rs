//! Operators that treat each element, or each pair of elements, on its own.

use super::call::{Call, Converted, Value};
use crate::model::Element;

/// One of ONNX's operators on each element.
macro_rules! each {
    ($($name:ident => $operator:literal),* $(,)?) => {$(
        pub(super) fn $name(call: &mut Call) -> Converted {
            let data = call.input(0)?;
            Ok(vec![call.each($operator, &data)])
        }
    )*};
}

each!(
    abs => "Abs", arccos => "Acos", arccosh => "Acosh", arcsin => "Asin", arcsinh => "Asinh",
    arctan => "Atan", arctanh => "Atanh", ceil => "Ceil", cos => "Cos", cosh => "Cosh",
    erf => "Erf", exp => "Exp", floor => "Floor", log => "Log", negative => "Neg",
    reciprocal => "Reciprocal", relu => "Relu", rint => "Round", sigmoid => "Sigmoid",
    sign => "Sign", sin => "Sin", sinh => "Sinh", softsign => "Softsign", sqrt => "Sqrt",
    tan => "Tan", tanh => "Tanh",
);

/// One of ONNX's operators on each pair of elements.
macro_rules! pair {
    ($($name:ident => $operator:literal),* $(,)?) => {$(
        pub(super) fn $name(call: &mut Call) -> Converted {
            let (left, right) = (call.input(0)?, call.input(1)?);
            Ok(vec![call.pair($operator, &left, &right)?])
        }
    )*};
}

pair!(
    add => "Add", sub => "Sub", mul => "Mul", div => "Div", power => "Pow", maximum => "Max",
    minimum => "Min",
);

/// Comparisons, which give 1 where they hold and 0 elsewhere.
macro_rules! compare {
    ($($name:ident, $scalar:ident => $operator:literal),* $(,)?) => {$(
        pub(super) fn $name(call: &mut Call) -> Converted {
            let (left, right) = (call.input(0)?, call.input(1)?);
            let truth = call.pair($operator, &left, &right)?;
            Ok(vec![as_number(call, &truth)])
        }
        pub(super) fn $scalar(call: &mut Call) -> Converted {
            let (data, scalar) = (call.input(0)?, scalar(call)?);
            let truth = call.with_scalar($operator, &data, scalar);
            Ok(vec![as_number(call, &truth)])
        }
    )*};
}

compare!(
    equal, equal_scalar => "Equal", greater, greater_scalar => "Greater",
    greater_equal, greater_equal_scalar => "GreaterOrEqual", lesser, lesser_scalar => "Less",
    lesser_equal, lesser_equal_scalar => "LessOrEqual",
);

/// One of ONNX's operators on each element and a number.
macro_rules! scalar {
    ($($name:ident => $operator:literal),* $(,)?) => {$(
        pub(super) fn $name(call: &mut Call) -> Converted {
            let (data, scalar) = (call.input(0)?, scalar(call)?);
            Ok(vec![call.with_scalar($operator, &data, scalar)])
        }
    )*};
}

scalar!(
    add_scalar => "Add", sub_scalar => "Sub", mul_scalar => "Mul", div_scalar => "Div",
    power_scalar => "Pow", maximum_scalar => "Max", minimum_scalar => "Min",
);

/// The same with the number on the left.
macro_rules! reversed {
    ($($name:ident => $operator:literal),* $(,)?) => {$(
        pub(super) fn $name(call: &mut Call) -> Converted {
            let (data, scalar) = (call.input(0)?, scalar(call)?);
            let left = Value { name: call.graph.scalar(scalar), dims: Vec::new() };
            Ok(vec![call.pair($operator, &left, &data)?])
        }
    )*};
}

reversed!(rsub_scalar => "Sub", rdiv_scalar => "Div", rpower_scalar => "Pow");

fn scalar(call: &Call) -> Result<f32, String> {
    call.attributes.float("scalar", 0.0)
}

fn as_number(call: &mut Call, truth: &Value) -> Value {
    let name = call.graph.cast(&truth.name, Element::F32);
    Value {
        name,
        dims: truth.dims.clone(),
    }
}

pub(super) fn not_equal(call: &mut Call) -> Converted {
    let equal = equal(call)?.remove(0);
    opposite(call, &equal)
}

pub(super) fn not_equal_scalar(call: &mut Call) -> Converted {
    let equal = equal_scalar(call)?.remove(0);
    opposite(call, &equal)
}

pub(super) fn not(call: &mut Call) -> Converted {
    let data = call.input(0)?;
    let truth = call.with_scalar("Equal", &data, 0.0);
    Ok(vec![as_number(call, &truth)])
}

fn opposite(call: &mut Call, data: &Value) -> Converted {
    let one = Value {
        name: call.graph.scalar(1.0_f32),
        dims: Vec::new(),
    };
    Ok(vec![call.pair("Sub", &one, data)?])
}

/// What matters in training alone, and what only names a value.
pub(super) fn identity(call: &mut Call) -> Converted {
    Ok(vec![call.input(0)?])
}

pub(super) fn sum_of_all(call: &mut Call) -> Converted {
    let mut sum = call.input(0)?;
    for place in 1..call.inputs.len() {
        let next = call.input(place)?;
        sum = call.pair("Add", &sum, &next)?;
    }
    Ok(vec![sum])
}

pub(super) fn square(call: &mut Call) -> Converted {
    let data = call.input(0)?;
    Ok(vec![call.pair("Mul", &data, &data)?])
}

pub(super) fn rsqrt(call: &mut Call) -> Converted {
    let root = sqrt(call)?.remove(0);
    Ok(vec![call.each("Reciprocal", &root)])
}

pub(super) fn expm1(call: &mut Call) -> Converted {
    let power = exp(call)?.remove(0);
    Ok(vec![call.with_scalar("Sub", &power, 1.0)])
}

pub(super) fn log1p(call: &mut Call) -> Converted {
    let data = call.input(0)?;
    let more = call.with_scalar("Add", &data, 1.0);
    Ok(vec![call.each("Log", &more)])
}

pub(super) fn log2(call: &mut Call) -> Converted {
    log_of(call, std::f32::consts::LN_2)
}

pub(super) fn log10(call: &mut Call) -> Converted {
    log_of(call, std::f32::consts::LN_10)
}

fn log_of(call: &mut Call, base: f32) -> Converted {
    let natural = log(call)?.remove(0);
    Ok(vec![call.with_scalar("Div", &natural, base)])
}

/// To the nearest whole number, halves away from zero.
pub(super) fn round(call: &mut Call) -> Converted {
    let data = call.input(0)?;
    let size = call.each("Abs", &data);
    let more = call.with_scalar("Add", &size, 0.5);
    let whole = call.each("Floor", &more);
    let sign = call.each("Sign", &data);
    Ok(vec![call.pair("Mul", &whole, &sign)?])
}

/// To the nearest whole number that is no farther from zero.
pub(super) fn truncate(call: &mut Call) -> Converted {
    let data = call.input(0)?;
    let size = call.each("Abs", &data);
    let whole = call.each("Floor", &size);
    let sign = call.each("Sign", &data);
    Ok(vec![call.pair("Mul", &whole, &sign)?])
}

/// All is computed in one type; to make whole numbers of others is to cut off
/// what follows the point.
pub(super) fn cast(call: &mut Call) -> Converted {
    match call.attributes.text("dtype").unwrap_or("float32") {
        "float16" | "float32" | "float64" | "bfloat16" => identity(call),
        "int8" | "uint8" | "int32" | "int64" => truncate(call),
        "bool" => not_equal_scalar(call),
        other => Err(format!("its dtype {other} is not implemented")),
    }
}

pub(super) fn zeros_like(call: &mut Call) -> Converted {
    let dims = call.input(0)?.dims;
    Ok(vec![call.filled(0.0, dims)])
}

pub(super) fn ones_like(call: &mut Call) -> Converted {
    let dims = call.input(0)?.dims;
    Ok(vec![call.filled(1.0, dims)])
}

pub(super) fn div_sqrt_dim(call: &mut Call) -> Converted {
    let data = call.ranked(0, 1)?;
    let last = data.dims[data.dims.len() - 1];
    Ok(vec![call.with_scalar("Div", &data, (last as f32).sqrt())])
}

pub(super) fn choose(call: &mut Call) -> Converted {
    let (mut condition, left, right) = (call.input(0)?, call.ranked(1, 1)?, call.input(2)?);
    if left.dims != right.dims {
        return Err(format!(
            "{:?} and {:?} do not fit together",
            left.dims, right.dims
        ));
    }
    if condition.dims.len() == 1 && left.dims.len() > 1 {
        condition = call.along(&condition, &left, 0)?;
    }
    let name = call.graph.cast(&condition.name, Element::Bool);
    let condition = Value {
        name,
        dims: condition.dims,
    };
    Ok(vec![call.node(
        "Where",
        &[&condition, &left, &right],
        &[],
        left.dims.clone(),
    )])
}
