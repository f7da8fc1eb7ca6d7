//! What a calibration makes: quantized linear layers, and the neighbours that had to change
//! with them.

use crate::Dtype;
use crate::quantize::Quantized;

/// Something that was made.
#[derive(Debug, Clone, PartialEq)]
pub enum Made {
    /// A quantized linear layer.
    Linear(Linear),
    /// A vector that changed.
    Vector(Vector),
}

impl Made {
    /// The name of the layer or of the vector.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Linear(linear) => &linear.module,
            Self::Vector(vector) => &vector.name,
        }
    }
}

/// A quantized linear layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Linear {
    /// Its name, without `.weight`.
    pub module: String,
    /// How many outputs it has.
    pub rows: usize,
    /// How many inputs it has.
    pub columns: usize,
    /// Its weight.
    pub quantized: Quantized,
    /// What is known of it.
    pub figures: Figures,
}

/// What is known of a quantized linear layer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    /// The square of its output, for some of the samples' tokens.
    pub power: f64,
    /// The error of its output, in parts of the output's square, had its weight been
    /// quantized without looking at the data.
    pub before: f64,
    /// The error of its output as it was quantized.
    pub after: f64,
    /// The largest magnitude among its inputs.
    pub largest_input: f32,
}

impl Figures {
    /// The scale by which inputs become `F8_E4M3`, where one scale serves them all.
    #[must_use]
    pub fn input_scale(&self) -> f32 {
        Self::scale_of_inputs(self.largest_input)
    }

    /// That scale for inputs of this magnitude at most.
    #[must_use]
    pub fn scale_of_inputs(largest: f32) -> f32 {
        const LARGEST: f32 = 448.0;
        match largest > 0.0 {
            true => largest / LARGEST,
            false => 1.0,
        }
    }
}

/// A vector that changed: a norm's weights, or biases.
#[derive(Debug, Clone, PartialEq)]
pub struct Vector {
    /// The tensor's name.
    pub name: String,
    /// What its elements are in the file.
    pub dtype: Dtype,
    /// Its numbers, already rounded to that.
    pub values: Vec<f32>,
}

impl Vector {
    /// The vector as a file holds it.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.dtype.encode(&self.values)
    }
}
