//! Recurrent layers, all of whose weights are one list.

use super::call::{Call, Converted, Value, size};
use crate::model::Attribute;

/// One kind of cell.
struct Cell {
    /// ONNX's operator.
    operator: &'static str,
    /// Which of MXNet's gates stands at each place of ONNX's.
    gates: &'static [usize],
    /// The function of a cell that has only one.
    function: Option<&'static str>,
}

fn cell(mode: &str) -> Result<Cell, String> {
    let (operator, gates, function): (_, &[usize], _) = match mode {
        "lstm" => ("LSTM", &[0, 3, 1, 2], None),
        "gru" => ("GRU", &[1, 0, 2], None),
        "rnn_relu" => ("RNN", &[0], Some("Relu")),
        "rnn_tanh" => ("RNN", &[0], Some("Tanh")),
        other => return Err(format!("its mode {other} is not implemented")),
    };
    Ok(Cell {
        operator,
        gates,
        function,
    })
}

/// The sizes of a whole stack of layers.
struct Stack {
    cell: Cell,
    hidden: usize,
    layers: usize,
    directions: usize,
}

impl Stack {
    /// The most layers in a stack.
    const LIMIT: usize = 256;

    fn read(call: &Call) -> Result<Self, String> {
        for name in [
            "projection_size",
            "lstm_state_clip_min",
            "use_sequence_length",
        ] {
            if !matches!(call.attributes.text(name), None | Some("False" | "0")) {
                return Err(format!("its attribute {name} is not implemented"));
            }
        }
        let positive = |name: &str| match call.attributes.int(name)?.map(size).transpose()? {
            Some(size @ 1..) => Ok(size),
            _ => Err(format!("its attribute {name} is no size")),
        };
        let layers = positive("num_layers")?;
        if layers > Self::LIMIT {
            return Err(format!("its {layers} layers are too many"));
        }
        Ok(Self {
            cell: cell(call.attributes.text("mode").unwrap_or_default())?,
            hidden: positive("state_size")?,
            layers,
            directions: 1 + usize::from(call.attributes.flag("bidirectional", false)?),
        })
    }

    /// How many rows the gates of one direction have.
    fn rows(&self) -> usize {
        self.cell.gates.len().saturating_mul(self.hidden)
    }
}

pub(super) fn rnn(call: &mut Call) -> Converted {
    let stack = Stack::read(call)?;
    let (data, list) = (call.ranked(0, 3)?, call.input(1)?);
    let (batch, width) = (data.dims[1], stack.directions.saturating_mul(stack.hidden));
    let states = stack.layers.saturating_mul(stack.directions);
    let is_lstm = stack.cell.operator == "LSTM";
    let mut given = vec![call.ranked(2, 3)?];
    if is_lstm {
        given.push(call.ranked(3, 3)?);
    }
    if given
        .iter()
        .any(|state| state.dims != [states, batch, stack.hidden])
    {
        return Err(format!("its state has the sizes {:?}", given[0].dims));
    }
    let mut weights = Weights { list, at: 0 };
    let matrices = weights.matrices(call, &stack, data.dims[2])?;
    let biases = weights.biases(call, &stack)?;
    if weights.at != weights.list.dims[0] {
        return Err("its parameters are more than its layers take".to_owned());
    }
    let mut value = data;
    let mut ends = vec![Vec::new(); given.len()];
    for (layer, ((input, recurrent), bias)) in matrices.into_iter().zip(biases).enumerate() {
        let first = layer * stack.directions;
        let mut initial = Vec::new();
        for state in &given {
            initial.push(call.slice(state, 0, first, first + stack.directions)?);
        }
        let mut inputs = vec![
            value.name.as_str(),
            &input.name,
            &recurrent.name,
            &bias.name,
            "",
        ];
        inputs.extend(initial.iter().map(|state| state.name.as_str()));
        let names = call.graph.node_of_many(
            stack.cell.operator,
            &inputs,
            &attributes(&stack),
            1 + given.len(),
        );
        let dims = vec![value.dims[0], stack.directions, batch, stack.hidden];
        let all = Value {
            name: names[0].clone(),
            dims,
        };
        let all = call.transpose(&all, &[0, 2, 1, 3]);
        value = call.reshape(&all, vec![value.dims[0], batch, width])?;
        for (end, name) in ends.iter_mut().zip(&names[1..]) {
            let dims = vec![stack.directions, batch, stack.hidden];
            end.push(Value {
                name: name.clone(),
                dims,
            });
        }
    }
    let mut outputs = vec![value];
    if call.attributes.flag("state_outputs", false)? {
        for end in ends {
            outputs.push(call.concat(&end, 0)?);
        }
    }
    Ok(outputs)
}

fn attributes(stack: &Stack) -> Vec<(&'static str, Attribute)> {
    let direction = if stack.directions == 2 {
        "bidirectional"
    } else {
        "forward"
    };
    let mut attributes = vec![
        ("hidden_size", (stack.hidden as i64).into()),
        ("direction", direction.into()),
    ];
    if stack.cell.operator == "GRU" {
        attributes.push(("linear_before_reset", 1_i64.into()));
    }
    if let Some(function) = stack.cell.function {
        let functions = vec![function.as_bytes().to_vec(); stack.directions];
        attributes.push(("activations", Attribute::Strings(functions)));
    }
    attributes
}

/// The list of all weights: first the matrices of every layer, then the biases.
struct Weights {
    list: Value,
    at: usize,
}

impl Weights {
    /// The next ones, the gates in ONNX's order.
    fn take(&mut self, call: &mut Call, stack: &Stack, width: usize) -> Result<Value, String> {
        let each = stack.hidden.saturating_mul(width);
        let end = each
            .checked_mul(stack.cell.gates.len())
            .and_then(|all| self.at.checked_add(all));
        let end = end.filter(|end| self.list.dims.len() == 1 && *end <= self.list.dims[0]);
        let end = end.ok_or("its parameters are fewer than its layers take")?;
        let mut gates = Vec::new();
        for &gate in stack.cell.gates {
            let start = self.at + gate * each;
            gates.push(call.slice(&self.list, 0, start, start + each)?);
        }
        self.at = end;
        let joined = call.concat(&gates, 0)?;
        call.reshape(&joined, vec![1, stack.rows(), width])
    }

    /// For each layer, what its input and what its state are multiplied by.
    fn matrices(
        &mut self,
        call: &mut Call,
        stack: &Stack,
        width: usize,
    ) -> Result<Vec<(Value, Value)>, String> {
        let mut matrices = Vec::new();
        for layer in 0..stack.layers {
            let width = if layer == 0 {
                width
            } else {
                stack.directions * stack.hidden
            };
            let (mut input, mut recurrent) = (Vec::new(), Vec::new());
            for _ in 0..stack.directions {
                input.push(self.take(call, stack, width)?);
                recurrent.push(self.take(call, stack, stack.hidden)?);
            }
            matrices.push((call.concat(&input, 0)?, call.concat(&recurrent, 0)?));
        }
        Ok(matrices)
    }

    /// For each layer, what is added to both.
    fn biases(&mut self, call: &mut Call, stack: &Stack) -> Result<Vec<Value>, String> {
        let mut biases = Vec::new();
        for _ in 0..stack.layers {
            let mut directions = Vec::new();
            for _ in 0..stack.directions {
                let both = [self.take(call, stack, 1)?, self.take(call, stack, 1)?];
                directions.push(call.concat(&both, 1)?);
            }
            let joined = call.concat(&directions, 0)?;
            let dims = joined.dims[..2].to_vec();
            biases.push(call.reshape(&joined, dims)?);
        }
        Ok(biases)
    }
}
