//! The walk through a graph's operators.

use std::collections::{BTreeSet, HashMap};

use super::call::Call;
use super::operators::{self, Converter};
use super::schema::{File, TensorInfo};
use super::{FORMAT, constants};
use crate::foreign::{Building, ForeignError};
use crate::model::{Dim, Model, TensorType};

/// A graph that is being converted.
pub(super) struct Network<'a> {
    pub(super) file: &'a File<'a>,
    pub(super) building: Building,
    /// The values of tensors, in the type that they have in the file.
    pub(super) values: HashMap<usize, String>,
    /// The values of quantised tensors, dequantised.
    pub(super) reals: HashMap<usize, String>,
    /// The same values in the layout NCHW, where they came about in it.
    pub(super) channels_first: HashMap<String, String>,
    /// How many bytes of constants may yet be made.
    pub(super) budget: usize,
}

/// The whole graph.
pub(super) fn convert(file: &File) -> Result<Model, ForeignError> {
    let converters = converters(file)?;
    let mut network = Network {
        file,
        building: Building::default(),
        values: HashMap::new(),
        reals: HashMap::new(),
        channels_first: HashMap::new(),
        budget: constants::budget(file),
    };
    network.inputs()?;
    for (number, (operator, convert)) in file.operators.iter().zip(converters).enumerate() {
        let mut call = Call {
            network: &mut network,
            operator,
        };
        call.run(number, convert)
            .map_err(|reason| ForeignError::Operator {
                format: FORMAT,
                operator: operators::name(operator),
                place: format!("number {number} of the graph"),
                reason,
            })?;
    }
    network.outputs()?;
    Ok(network.building.finish("tflite"))
}

/// A translation for each operator, or all operators that have none.
fn converters(file: &File) -> Result<Vec<Converter>, ForeignError> {
    let found: Option<Vec<Converter>> = file.operators.iter().map(operators::converter).collect();
    found.ok_or_else(|| {
        let unknown = file
            .operators
            .iter()
            .filter(|one| operators::converter(one).is_none());
        let operators: BTreeSet<String> = unknown.map(operators::name).collect();
        ForeignError::NotImplemented {
            format: FORMAT,
            operators,
        }
    })
}

impl<'a> Network<'a> {
    fn inputs(&mut self) -> Result<(), ForeignError> {
        for &number in &self.file.inputs {
            let (place, info) = self.end(number)?;
            let ty = type_of(info);
            let value = self
                .building
                .input(&info.name, ty.element, ty.dims.unwrap_or_default());
            self.values.insert(place, value);
        }
        Ok(())
    }

    fn outputs(&mut self) -> Result<(), ForeignError> {
        for &number in &self.file.outputs {
            let (place, info) = self.end(number)?;
            self.building.enter(&info.name);
            let value = self.value(place);
            let value = value.map_err(|reason| ForeignError::malformed(FORMAT, reason))?;
            self.building
                .output(&info.name, &value, Some(type_of(info)));
        }
        Ok(())
    }

    /// A tensor that the graph names as an input or output.
    fn end(&self, number: i32) -> Result<(usize, &'a TensorInfo), ForeignError> {
        let place = usize::try_from(number).ok();
        let found = place.and_then(|place| Some((place, self.file.tensors.get(place)?)));
        found.ok_or_else(|| {
            let reason = format!("it names a tensor {number}, which it does not have");
            ForeignError::malformed(FORMAT, reason)
        })
    }

    /// The value of a tensor in the type that it has in the file. A constant
    /// becomes part of the graph when it is asked for.
    pub(super) fn value(&mut self, place: usize) -> Result<String, String> {
        if let Some(value) = self.values.get(&place) {
            return Ok(value.clone());
        }
        let info = &self.file.tensors[place];
        if info.is_variable {
            let name = &info.name;
            return Err(format!(
                "that the tensor `{name}` outlives a run is not implemented"
            ));
        }
        let tensor = constants::tensor(self, place)?;
        let tensor = tensor.ok_or_else(|| format!("the tensor `{}` has no value", info.name))?;
        let value = self.building.constant(&info.name, tensor);
        self.values.insert(place, value.clone());
        Ok(value)
    }

    /// The value of a tensor as numbers: dequantised where it is quantised.
    pub(super) fn real(&mut self, place: usize) -> Result<String, String> {
        let info = &self.file.tensors[place];
        let value = self.value(place)?;
        let Some(quantisation) = &info.quantisation else {
            return Ok(value);
        };
        if let Some(real) = self.reals.get(&place) {
            return Ok(real.clone());
        }
        let real = quantisation.dequantise(&mut self.building, &value, info)?;
        self.reals.insert(place, real.clone());
        Ok(real)
    }

    /// Counts bytes of constants that are made beside those of the file.
    pub(super) fn charge(&mut self, bytes: usize) -> Result<(), String> {
        let left = self.budget.checked_sub(bytes);
        self.budget = left.ok_or("the file uses the same constants again and again")?;
        Ok(())
    }

    /// A value of the layout NHWC in the layout NCHW.
    pub(super) fn in_channels_first(&mut self, value: &str) -> String {
        match self.channels_first.get(value) {
            Some(first) => first.clone(),
            None => self.building.transpose(value, &[0, 3, 1, 2]),
        }
    }

    /// A value of the layout NCHW in the layout NHWC.
    pub(super) fn in_channels_last(&mut self, value: String) -> String {
        let last = self.building.transpose(&value, &[0, 2, 3, 1]);
        self.channels_first.insert(last.clone(), value);
        last
    }
}

fn type_of(info: &TensorInfo) -> TensorType {
    let is_open = |place: usize| info.signature.get(place) == Some(&-1);
    let dims = info
        .dims
        .iter()
        .enumerate()
        .map(|(place, size)| match is_open(place) {
            true => Dim::Unknown,
            false => Dim::Known(*size),
        });
    TensorType {
        element: info.element,
        dims: Some(dims.collect()),
    }
}
