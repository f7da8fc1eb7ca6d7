//! Products of matrices.

use super::call::{Call, Converted};

pub(super) fn fully_connected(call: &mut Call) -> Converted {
    if call.choice(1)? != 0 {
        return Err("its format of weights is not implemented".to_owned());
    }
    let weights = call.info(1)?;
    let &[_, depth] = &weights.dims[..] else {
        return Err(format!(
            "its weights have {} dimensions instead of 2",
            weights.dims.len()
        ));
    };
    let keeps = call.flag(2)?;
    let rank = call.info(0)?.dims.len();
    let mut data = call.real(0)?;
    let weights = call.real(1)?;
    let bias = call.optional(2)?;
    if !keeps && (rank != 2 || call.info(0)?.dims[1] != depth) {
        data = call.graph().reshape(&data, &[-1, depth as i64]);
    }
    let graph = call.graph();
    let value = if keeps && rank != 2 {
        let weights = graph.transpose(&weights, &[1, 0]);
        let product = graph.node("MatMul", &[&data, &weights], &[]);
        match &bias {
            None => product,
            Some(bias) => graph.node("Add", &[&product, bias], &[]),
        }
    } else {
        let mut inputs = vec![data.as_str(), &weights];
        inputs.extend(bias.as_deref());
        graph.node("Gemm", &inputs, &[("transB", 1_i64.into())])
    };
    Ok(vec![call.activated(0, value)?])
}

pub(super) fn batch_matmul(call: &mut Call) -> Converted {
    let mut sides = Vec::new();
    for input in 0..2 {
        let rank = call.info(input)?.dims.len();
        let mut value = call.real(input)?;
        if call.flag(input)? {
            if rank < 2 {
                return Err(format!("its input {input} is no matrix"));
            }
            let mut order: Vec<i64> = (0..rank as i64).collect();
            order.swap(rank - 1, rank - 2);
            value = call.graph().transpose(&value, &order);
        }
        sides.push(value);
    }
    Ok(vec![call.graph().node(
        "MatMul",
        &[&sides[0], &sides[1]],
        &[],
    )])
}
