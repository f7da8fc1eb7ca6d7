//! Weights as numbers of 32 bits, read from the model when they are needed.

use std::collections::BTreeMap;

use half::{bf16, f16};

use super::forward::{mean_and_variance, root_mean_square};
use super::made::Vector;
use crate::model::Model;
use crate::safetensors::Tensor;
use crate::{Dtype, OptimizeError};

/// A matrix of weights, both as it is in the file and as numbers.
#[derive(Debug, Clone)]
pub struct Weight {
    /// What its elements are in the file.
    pub dtype: Dtype,
    /// How many outputs it has.
    pub rows: usize,
    /// How many inputs it has.
    pub columns: usize,
    /// Its numbers, row after row.
    pub values: Vec<f32>,
}

impl Weight {
    /// Reads the weight of a linear layer.
    pub fn read(model: &Model, module: &str) -> Result<Self, OptimizeError> {
        let tensor = find(model, &format!("{module}.weight"))?;
        let &[rows, columns] = tensor.shape.as_slice() else {
            return Err(OptimizeError::Model(format!(
                "{} has {} dimensions instead of 2",
                tensor.name,
                tensor.shape.len()
            )));
        };
        Ok(Self {
            dtype: tensor.dtype,
            rows,
            columns,
            values: values(model, tensor)?,
        })
    }

    /// The bytes that the weight has in a file.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.dtype.encode(&self.values)
    }

    /// Rounds the numbers to what a file holds of them.
    pub fn round(&mut self) {
        round(self.dtype, &mut self.values);
    }
}

/// Some vectors of a model by the ends of their names.
#[derive(Debug, Clone, Default)]
pub struct Vectors {
    prefix: String,
    values: BTreeMap<String, (Dtype, Vec<f32>)>,
}

impl Vectors {
    /// Reads all tensors of one dimension whose names begin with the prefix.
    pub fn read(model: &Model, prefix: &str) -> Result<Self, OptimizeError> {
        let vectors = model
            .tensors()
            .iter()
            .filter(|tensor| tensor.shape.len() == 1);
        let ours = vectors.filter_map(|tensor| tensor.name.strip_prefix(prefix));
        Self::named(model, prefix, &ours.collect::<Vec<_>>())
    }

    /// Reads the vectors of these names behind the prefix.
    pub fn named(model: &Model, prefix: &str, names: &[&str]) -> Result<Self, OptimizeError> {
        let mut vectors = Self {
            prefix: prefix.to_owned(),
            ..Self::default()
        };
        for name in names {
            let tensor = find(model, &format!("{prefix}{name}"))?;
            if !tensor.dtype.is_float() {
                continue;
            }
            let read = (tensor.dtype, values(model, tensor)?);
            vectors.values.insert((*name).to_owned(), read);
        }
        Ok(vectors)
    }

    /// The vector whose name ends so.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&[f32]> {
        self.values.get(name).map(|(_, values)| values.as_slice())
    }

    /// The vector of a whole name.
    #[must_use]
    pub fn find_whole(&self, name: &str) -> Option<&[f32]> {
        self.find(name.strip_prefix(&self.prefix)?)
    }

    /// Divides a vector by others, number by number, and rounds it to what a file holds of
    /// it. Returns what came of it, if there is such a vector.
    pub fn divide(&mut self, name: &str, by: &[f32]) -> Option<Vector> {
        let (dtype, values) = self.values.get_mut(name)?;
        for (value, by) in values.iter_mut().zip(by) {
            *value /= by;
        }
        round(*dtype, values);
        Some(Vector {
            name: format!("{}{name}", self.prefix),
            dtype: *dtype,
            values: values.clone(),
        })
    }

    /// Applies the norm of a name: one with biases if it has some.
    pub fn norm(&self, rows: &mut [f32], name: &str, epsilon: f64) {
        let Some(weight) = self.find(&format!("{name}.weight")) else {
            return;
        };
        match self.find(&format!("{name}.bias")) {
            Some(bias) => mean_and_variance(rows, weight, bias, epsilon),
            None => root_mean_square(rows, weight, epsilon),
        }
    }
}

/// Some rows of a table of embeddings.
pub fn look_up(
    model: &Model,
    table: &str,
    rows: &[usize],
    take: &mut dyn FnMut(usize, &[f32]),
) -> Result<(), OptimizeError> {
    let tensor = find(model, table)?;
    let &[count, width] = tensor.shape.as_slice() else {
        return Err(OptimizeError::Model(format!("{table} is not a table")));
    };
    let size = (width * tensor.dtype.size()) as u64;
    let mut bytes = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        if *row >= count {
            return Err(OptimizeError::Model(format!(
                "{table} has {count} rows, but the calibration needs row {row}"
            )));
        }
        let start = *row as u64 * size;
        model.read(tensor, start..start + size, &mut bytes)?;
        take(at, &decode(tensor.dtype, &bytes));
    }
    Ok(())
}

fn find<'a>(model: &'a Model, name: &str) -> Result<&'a Tensor, OptimizeError> {
    model
        .find(name)
        .ok_or_else(|| OptimizeError::Model(format!("the model has no {name}")))
}

fn values(model: &Model, tensor: &Tensor) -> Result<Vec<f32>, OptimizeError> {
    if !tensor.dtype.is_float() {
        return Err(OptimizeError::Model(format!(
            "{} is not made of numbers of BF16, F16 or F32",
            tensor.name
        )));
    }
    let mut bytes = Vec::new();
    model.read(tensor, 0..tensor.bytes(), &mut bytes)?;
    let values = decode(tensor.dtype, &bytes);
    if values.iter().all(|value| value.is_finite()) {
        return Ok(values);
    }
    Err(OptimizeError::Model(format!(
        "{} has numbers that are not finite",
        tensor.name
    )))
}

/// The numbers that a file holds.
#[must_use]
pub fn decode(dtype: Dtype, bytes: &[u8]) -> Vec<f32> {
    let mut values = Vec::with_capacity(bytes.len() / dtype.size());
    dtype.decode(bytes, &mut values);
    values
}

fn round(dtype: Dtype, values: &mut [f32]) {
    for value in values {
        *value = match dtype {
            Dtype::Bf16 => bf16::from_f32(*value).to_f32(),
            Dtype::F16 => f16::from_f32(*value).to_f32(),
            _ => *value,
        };
    }
}
