//! Layers with a memory, each over a whole sequence that begins with none.

use super::call::{Call, Converted};

/// Inputs that make a cell another one: of connections from the cell to its
/// gates, of a projection, and of a normalisation.
const UNUSUAL: [usize; 9] = [9, 10, 11, 16, 17, 20, 21, 22, 23];

/// Where the gates' weights stand among the inputs, in ONNX's order of gates:
/// input, output, forget, cell.
const INPUT_WEIGHTS: [usize; 4] = [1, 4, 2, 3];
const STATE_WEIGHTS: [usize; 4] = [5, 8, 6, 7];
const BIASES: [usize; 4] = [12, 15, 13, 14];

pub(super) fn lstm(call: &mut Call) -> Converted {
    for input in UNUSUAL {
        if call.optional(input)?.is_some() {
            return Err(format!("its input {input} is not implemented"));
        }
    }
    if call.choice(0)? != 4 || call.number(1)? != 0.0 || call.number(2)? != 0.0 {
        return Err(
            "an activation other than tanh, or a clipped cell, is not implemented".to_owned(),
        );
    }
    let hidden = match call.info(STATE_WEIGHTS[0])?.dims[..] {
        [rows, columns] if rows == columns => rows as i64,
        _ => return Err("its weights are not those of a cell".to_owned()),
    };
    let is_time_first = call.flag(3)?;
    let weights = joined(call, INPUT_WEIGHTS)?;
    let recurrent = joined(call, STATE_WEIGHTS)?;
    let bias = joined(call, BIASES)?;
    let mut data = call.real(0)?;
    let graph = call.graph();
    if !is_time_first {
        data = graph.transpose(&data, &[1, 0, 2]);
    }
    // ONNX has a second bias, which is not needed.
    let none = graph.with_scalar("Mul", &bias, 0.0);
    let bias = graph.node("Concat", &[&bias, &none], &[("axis", 1_i64.into())]);
    let inputs = [data.as_str(), &weights, &recurrent, &bias];
    let all = graph.node("LSTM", &inputs, &[("hidden_size", hidden.into())]);
    let axes = graph.list(&[1_i64]);
    let mut all = graph.node("Squeeze", &[&all, &axes], &[]);
    if !is_time_first {
        all = graph.transpose(&all, &[1, 0, 2]);
    }
    Ok(vec![all])
}

/// The parameters of all gates, one behind the other, for one direction.
fn joined(call: &mut Call, inputs: [usize; 4]) -> Result<String, String> {
    let mut gates = Vec::new();
    for input in inputs {
        gates.push(call.real(input)?);
    }
    let gates: Vec<&str> = gates.iter().map(String::as_str).collect();
    let graph = call.graph();
    let joined = graph.node("Concat", &gates, &[("axis", 0_i64.into())]);
    let axes = graph.list(&[0_i64]);
    Ok(graph.node("Unsqueeze", &[&joined, &axes], &[]))
}
