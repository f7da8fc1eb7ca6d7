//! Products of matrices.

use super::call::{Call, Converted, Value};
use super::convolution::bias;

pub(super) fn fully_connected(call: &mut Call) -> Converted {
    let (mut data, weight) = (call.ranked(0, 1)?, call.ranked(1, 2)?);
    let flattens = call.attributes.flag("flatten", true)?;
    if flattens && data.dims.len() != 2 {
        let rest = data.dims[1..].iter().product();
        data = call.reshape(&data, vec![data.dims[0], rest])?;
    }
    if weight.dims.len() != 2 || data.dims.last() != Some(&weight.dims[1]) {
        return Err(format!(
            "its weight of sizes {:?} does not fit input of sizes {:?}",
            weight.dims, data.dims
        ));
    }
    let mut dims = data.dims.clone();
    let last = dims.len() - 1;
    dims[last] = weight.dims[0];
    let bias = bias(call, 2, false, weight.dims[0])?;
    if dims.len() == 2 {
        let inputs: Vec<&Value> = [&data, &weight].into_iter().chain(&bias).collect();
        return Ok(vec![call.node(
            "Gemm",
            &inputs,
            &[("transB", 1_i64.into())],
            dims,
        )]);
    }
    let weight = call.transpose(&weight, &[1, 0]);
    let product = call.node("MatMul", &[&data, &weight], &[], dims);
    Ok(vec![match bias {
        None => product,
        Some(bias) => call.pair("Add", &product, &bias)?,
    }])
}

/// The sum over the last axis of the one and the first of the other.
pub(super) fn dot(call: &mut Call) -> Converted {
    let (mut left, mut right) = (call.ranked(0, 1)?, call.ranked(1, 1)?);
    if call.attributes.flag("transpose_a", false)? {
        left = rolled(call, &left, 1);
    }
    if call.attributes.flag("transpose_b", false)? {
        let last = right.dims.len() - 1;
        right = rolled(call, &right, last);
    }
    let depth = left.dims[left.dims.len() - 1];
    if depth != right.dims[0] {
        return Err(format!(
            "{:?} and {:?} do not fit together",
            left.dims, right.dims
        ));
    }
    let outer = &left.dims[..left.dims.len() - 1];
    let inner = &right.dims[1..];
    let dims = [outer, inner].concat();
    let (rows, columns) = (outer.iter().product(), inner.iter().product());
    let left = call.reshape(&left, vec![rows, depth])?;
    let right = call.reshape(&right, vec![depth, columns])?;
    let product = call.node("MatMul", &[&left, &right], &[], vec![rows, columns]);
    // The product of two lists has one element in a list.
    let dims = if dims.is_empty() { vec![1] } else { dims };
    Ok(vec![call.reshape(&product, dims)?])
}

/// The first axes behind all others.
fn rolled(call: &mut Call, data: &Value, by: usize) -> Value {
    let mut order: Vec<usize> = (0..data.dims.len()).collect();
    order.rotate_left(by);
    call.transpose(data, &order)
}

pub(super) fn batch_dot(call: &mut Call) -> Converted {
    Ok(vec![batched(call)?])
}

fn batched(call: &mut Call) -> Result<Value, String> {
    let mut sides = [call.ranked(0, 2)?, call.ranked(1, 2)?];
    for (side, name) in sides.iter_mut().zip(["transpose_a", "transpose_b"]) {
        if call.attributes.flag(name, false)? {
            let rank = side.dims.len();
            let mut order: Vec<usize> = (0..rank).collect();
            order.swap(rank - 1, rank - 2);
            *side = call.transpose(side, &order);
        }
    }
    let [left, right] = sides;
    let rank = left.dims.len();
    let fits = right.dims.len() == rank
        && left.dims[..rank - 2] == right.dims[..rank - 2]
        && left.dims[rank - 1] == right.dims[rank - 2];
    if !fits {
        return Err(format!(
            "{:?} and {:?} do not fit together",
            left.dims, right.dims
        ));
    }
    let mut dims = left.dims.clone();
    dims[rank - 1] = right.dims[rank - 1];
    Ok(call.node("MatMul", &[&left, &right], &[], dims))
}

pub(super) fn gemm2(call: &mut Call) -> Converted {
    let alpha = call.attributes.float("alpha", 1.0)?;
    let product = batched(call)?;
    Ok(vec![match alpha {
        1.0 => product,
        alpha => call.with_scalar("Mul", &product, alpha),
    }])
}
