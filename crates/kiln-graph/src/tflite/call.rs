//! One operator and what it sees of the graph.

use super::constants;
use super::network::Network;
use super::operators::Converter;
use super::schema::{Operator, TensorInfo};

use crate::foreign::{Attributes, Building};
use crate::model::{Element, Tensor};

/// What a translation gives: a value for each output, or why there is none, as
/// the end of a sentence.
pub(super) type Converted = Result<Vec<String>, String>;

/// One operator that is being converted.
pub(super) struct Call<'n, 'a> {
    pub(super) network: &'n mut Network<'a>,
    pub(super) operator: &'a Operator<'a>,
}

impl<'a> Call<'_, 'a> {
    /// Converts the operator, and quantises what the file says is quantised.
    pub(super) fn run(&mut self, number: usize, convert: Converter) -> Result<(), String> {
        let outputs = self
            .operator
            .outputs
            .iter()
            .map(|&output| self.tensor_at(output));
        let outputs = outputs.collect::<Result<Vec<_>, _>>()?;
        let (_, first) = outputs.first().ok_or("it has no output")?;
        let place = match first.name.as_str() {
            "" => format!("operator{number}"),
            name => name.to_owned(),
        };
        self.graph().enter(place);
        let values = convert(self)?;
        if values.len() < outputs.len() {
            return Err(format!("it has {} outputs", outputs.len()));
        }
        for ((place, info), value) in outputs.into_iter().zip(values) {
            if self.network.values.contains_key(&place) {
                return Err(format!("the tensor `{}` gets a value twice", info.name));
            }
            let stored = match &info.quantisation {
                None => value,
                Some(quantisation) => {
                    quantisation.quantise(&mut self.network.building, &value, info)?
                }
            };
            self.network.values.insert(place, stored);
        }
        Ok(())
    }

    pub(super) fn graph(&mut self) -> &mut Building {
        &mut self.network.building
    }

    /// How many inputs there are, counting those that are left out.
    pub(super) fn inputs(&self) -> usize {
        self.operator.inputs.len()
    }

    fn tensor_at(&self, number: i32) -> Result<(usize, &'a TensorInfo), String> {
        let place = usize::try_from(number).ok();
        let found = place.and_then(|place| Some((place, self.network.file.tensors.get(place)?)));
        found.ok_or_else(|| format!("the graph has no tensor {number}"))
    }

    /// An input's number, if it is not left out.
    fn place(&self, input: usize) -> Result<Option<usize>, String> {
        match self.operator.inputs.get(input) {
            None | Some(-1) => Ok(None),
            Some(&number) => Ok(Some(self.tensor_at(number)?.0)),
        }
    }

    fn needed(&self, input: usize) -> Result<usize, String> {
        let place = self.place(input)?;
        place.ok_or_else(|| format!("its input {input} is missing"))
    }

    /// What the file says of an input.
    pub(super) fn info(&self, input: usize) -> Result<&'a TensorInfo, String> {
        Ok(&self.network.file.tensors[self.needed(input)?])
    }

    /// What the file says of an output.
    pub(super) fn output(&self, output: usize) -> Result<&'a TensorInfo, String> {
        let number = self.operator.outputs.get(output);
        let number = number.ok_or_else(|| format!("its output {output} is missing"))?;
        Ok(self.tensor_at(*number)?.1)
    }

    /// An input's value, dequantised where it is quantised.
    pub(super) fn real(&mut self, input: usize) -> Result<String, String> {
        let place = self.needed(input)?;
        self.network.real(place)
    }

    /// An input's value as it is stored.
    pub(super) fn raw(&mut self, input: usize) -> Result<String, String> {
        let place = self.needed(input)?;
        self.network.value(place)
    }

    /// An input's value, dequantised, if there is such an input.
    pub(super) fn optional(&mut self, input: usize) -> Result<Option<String>, String> {
        let place = self.place(input)?;
        place.map(|place| self.network.real(place)).transpose()
    }

    /// A list of whole numbers, as the 64 bits that ONNX wants for sizes.
    pub(super) fn sizes(&mut self, input: usize) -> Result<String, String> {
        if let Some(values) = self.constant(input)? {
            return Ok(self.graph().list(&values));
        }
        let value = self.raw(input)?;
        Ok(self.graph().cast(&value, Element::I64))
    }

    /// An input of indices, which keeps its sizes.
    pub(super) fn indices(&mut self, input: usize) -> Result<String, String> {
        let value = self.raw(input)?;
        Ok(self.graph().cast(&value, Element::I64))
    }

    /// An input's elements, if it is a constant of whole numbers.
    pub(super) fn constant(&mut self, input: usize) -> Result<Option<Vec<i64>>, String> {
        let place = self.needed(input)?;
        let tensor = constants::tensor(self.network, place)?;
        let Some(tensor) = tensor else {
            return Ok(None);
        };
        // Many operators may name the same list.
        self.network.charge(tensor.len().saturating_mul(8))?;
        let values = tensor.integers();
        values
            .map(Some)
            .ok_or_else(|| format!("its input {input} is not of whole numbers"))
    }

    /// An input's elements, which must be constant.
    pub(super) fn integers(&mut self, input: usize) -> Result<Vec<i64>, String> {
        let values = self.constant(input)?;
        values.ok_or_else(|| format!("its input {input} is not constant, which is not implemented"))
    }

    /// The only element of an input, which must be constant.
    pub(super) fn integer(&mut self, input: usize) -> Result<i64, String> {
        match self.integers(input)?[..] {
            [only] => Ok(only),
            _ => Err(format!("its input {input} is not a single number")),
        }
    }

    /// An input's elements as they are stored, if it is a constant.
    pub(super) fn weights(&mut self, input: usize) -> Result<Option<Tensor>, String> {
        let place = self.needed(input)?;
        constants::tensor(self.network, place)
    }

    /// An option of 32 bits, 0 if it is absent.
    pub(super) fn option(&self, field: usize) -> Result<i32, String> {
        self.option_or(field, 0)
    }

    /// An option of 32 bits.
    pub(super) fn option_or(&self, field: usize, otherwise: i32) -> Result<i32, String> {
        match &self.operator.options {
            None => Ok(otherwise),
            Some(table) => table
                .i32(field, otherwise)
                .map_err(|error| error.to_string()),
        }
    }

    /// An option of one byte, 0 if it is absent.
    pub(super) fn choice(&self, field: usize) -> Result<u8, String> {
        match &self.operator.options {
            None => Ok(0),
            Some(table) => table.u8(field).map_err(|error| error.to_string()),
        }
    }

    /// An option that is on or off.
    pub(super) fn flag(&self, field: usize) -> Result<bool, String> {
        Ok(self.choice(field)? != 0)
    }

    /// An option with a fraction, 0 if it is absent.
    pub(super) fn number(&self, field: usize) -> Result<f32, String> {
        match &self.operator.options {
            None => Ok(0.0),
            Some(table) => table.f32(field).map_err(|error| error.to_string()),
        }
    }

    /// An option that is a list.
    pub(super) fn list(&self, field: usize) -> Result<Vec<i32>, String> {
        match &self.operator.options {
            None => Ok(Vec::new()),
            Some(table) => table.i32s(field).map_err(|error| error.to_string()),
        }
    }

    /// An axis of an input, counted from the first.
    pub(super) fn axis(&self, axis: i64, rank: usize) -> Result<usize, String> {
        let rank = rank as i64;
        let counted = if axis < 0 {
            axis.saturating_add(rank)
        } else {
            axis
        };
        match (0..rank).contains(&counted) {
            true => Ok(counted as usize),
            false => Err(format!("it has no axis {axis}")),
        }
    }

    /// A node that takes all inputs, dequantised.
    pub(super) fn plain(&mut self, operator: &str, with: Attributes) -> Converted {
        let inputs = (0..self.inputs()).map(|input| self.real(input));
        let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        Ok(vec![self.graph().node(operator, &inputs, with)])
    }

    /// Applies the function that an option says is fused into the operator.
    pub(super) fn activated(&mut self, field: usize, value: String) -> Result<String, String> {
        let function = self.choice(field)?;
        let graph = self.graph();
        Ok(match function {
            0 => value,
            1 => graph.node("Relu", &[&value], &[]),
            2 => graph.clip(&value, -1.0, 1.0),
            3 => graph.clip(&value, 0.0, 6.0),
            4 => graph.node("Tanh", &[&value], &[]),
            other => return Err(format!("the activation {other} is not implemented")),
        })
    }
}
