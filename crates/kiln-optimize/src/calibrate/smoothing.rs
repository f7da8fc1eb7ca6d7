//! Scales between a linear layer and what comes before it: what the weights are multiplied
//! by, the neighbour is divided by, so that the columns that matter have finer steps and
//! the model as a whole stays what it is (AWQ).

use super::layer::Step;
use super::linear::Precision;
use super::made::Vector;
use super::measure::power;
use super::statistics::Statistics;
use super::weights::{Vectors, Weight};
use crate::model::{Family, Geometry};
use crate::quantize::{
    Granularity, QuantizeError, Quantized, Rounding, Scheme, Slab, dequantize, quantize,
};

/// How many exponents are tried.
const GRID: usize = 20;

/// The scales of a layer's steps, by the steps' places.
#[derive(Debug, Clone, Default)]
pub struct Smoothing {
    scales: [Option<Vec<f32>>; 4],
}

impl Smoothing {
    /// Whether a step's input can be scaled in the layers of a family: there has to be
    /// something before it that can be divided.
    #[must_use]
    pub fn applies(family: Family, geometry: &Geometry, step: Step) -> bool {
        match (step, family.is_encoder()) {
            (Step::Project, _) => geometry.heads == geometry.kv_heads,
            (_, false) => true,
            // What a norm puts out is also what is added later, and GELU is not linear.
            (_, true) => false,
        }
    }

    /// The linear layer whose output is a step's input, as the step that it belongs to and
    /// its place there.
    #[must_use]
    pub fn source(step: Step) -> Option<(Step, usize)> {
        match step {
            Step::Project => Some((Step::Attend, 2)),
            Step::Narrow => Some((Step::Widen, 1)),
            Step::Attend | Step::Widen => None,
        }
    }

    /// Sets a step's scales.
    pub fn set(&mut self, step: Step, scales: Vec<f32>) {
        self.scales[step as usize] = Some(scales);
    }

    /// Changes the weight of the linear layer at a place of a step.
    pub fn change(&self, step: Step, place: usize, weight: &mut Weight) {
        let mut changed = false;
        if let Some(scales) = &self.scales[step as usize] {
            stretch(weight.columns, &mut weight.values, scales);
            changed = true;
        }
        for later in Step::ALL {
            if Self::source(later) != Some((step, place)) {
                continue;
            }
            if let Some(scales) = &self.scales[later as usize] {
                for (row, scale) in weight.values.chunks_exact_mut(weight.columns).zip(scales) {
                    row.iter_mut().for_each(|x| *x /= scale);
                }
                changed = true;
            }
        }
        if changed {
            weight.round();
        }
    }

    /// Whether a step's input is scaled.
    #[must_use]
    pub fn stretches(&self, step: Step) -> bool {
        self.scales[step as usize].is_some()
    }

    /// What a change of a step's weights amounts to behind the scales.
    pub fn stretch(&self, step: Step, columns: usize, values: &mut [f32]) {
        if let Some(scales) = &self.scales[step as usize] {
            stretch(columns, values, scales);
        }
    }

    /// Changes a layer's vectors, and returns those that changed.
    pub fn change_vectors(&self, family: Family, vectors: &mut Vectors) -> Vec<Vector> {
        let mut changed = Vec::new();
        for step in Step::ALL {
            let Some(scales) = &self.scales[step as usize] else {
                continue;
            };
            let name = match Self::source(step) {
                Some((source, place)) => format!("{}.bias", source.linears(family)[place]),
                None if step == Step::Attend => "input_layernorm.weight".to_owned(),
                None => "post_attention_layernorm.weight".to_owned(),
            };
            changed.extend(vectors.divide(&name, scales));
        }
        changed
    }
}

fn stretch(columns: usize, values: &mut [f32], scales: &[f32]) {
    for row in values.chunks_exact_mut(columns) {
        for (x, scale) in row.iter_mut().zip(scales) {
            *x *= scale;
        }
    }
}

/// Finds the scales with which the weights of a step lose least. `None` is better than any.
pub fn search(
    statistics: &Statistics,
    weights: &[(Weight, Scheme)],
    precision: Precision,
    threads: usize,
) -> Result<Option<Vec<f32>>, QuantizeError> {
    let inputs = statistics.magnitudes();
    let outputs = relative_magnitudes(weights);
    let mut best = (loss(statistics, weights, None, precision, threads)?, None);
    for step in 0..GRID {
        let scales = scales(&inputs, &outputs, step as f32 / GRID as f32);
        let loss = loss(statistics, weights, Some(&scales), precision, threads)?;
        if loss < best.0 {
            best = (loss, Some(scales));
        }
    }
    Ok(best.1)
}

/// The scales of an exponent: larger where inputs are large and weights are small.
fn scales(inputs: &[f32], outputs: &[f32], exponent: f32) -> Vec<f32> {
    let raw = inputs.iter().zip(outputs).map(|(input, output)| {
        (input.powf(exponent) / (output.powf(1.0 - exponent) + 1e-4)).max(1e-4)
    });
    let raw: Vec<f32> = raw.collect();
    let largest = raw.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
    let smallest = raw.iter().copied().fold(f32::MAX, f32::min);
    let middle = (largest * smallest).sqrt();
    raw.iter()
        .map(|x| x / middle)
        .map(|x| if x.is_finite() { x } else { 1.0 })
        .collect()
}

/// The mean magnitude of each column's weights, each in parts of its group's largest.
fn relative_magnitudes(weights: &[(Weight, Scheme)]) -> Vec<f32> {
    let columns = weights.first().map_or(0, |(weight, _)| weight.columns);
    let rows: usize = weights.iter().map(|(weight, _)| weight.rows).sum();
    let mut sums = vec![0f64; columns];
    for (weight, scheme) in weights {
        let group = match scheme.granularity {
            Granularity::Group(size) => size,
            _ => columns,
        };
        for row in weight.values.chunks_exact(columns) {
            for (group, sums) in row.chunks(group).zip(sums.chunks_mut(group)) {
                let largest = group
                    .iter()
                    .fold(1e-6f32, |largest, x| largest.max(x.abs()));
                for (x, sum) in group.iter().zip(sums) {
                    *sum += f64::from(x.abs() / largest);
                }
            }
        }
    }
    sums.iter()
        .map(|sum| (sum / rows.max(1) as f64) as f32)
        .collect()
}

/// What a step's output loses when its weights are quantized behind scales.
fn loss(
    statistics: &Statistics,
    weights: &[(Weight, Scheme)],
    scales: Option<&[f32]>,
    precision: Precision,
    threads: usize,
) -> Result<f64, QuantizeError> {
    let mut total = 0.0;
    let (mut quantized, mut made) = (Quantized::default(), Vec::new());
    for (weight, scheme) in weights {
        let scheme = Scheme {
            rounding: Rounding::Nearest,
            ..*scheme
        };
        let mut stretched = weight.values.clone();
        if let Some(scales) = scales {
            stretch(weight.columns, &mut stretched, scales);
        }
        let bytes = weight.dtype.encode(&stretched);
        let slab = Slab {
            dtype: weight.dtype,
            columns: weight.columns,
            bytes: &bytes,
        };
        quantize(&scheme, slab, None, &mut quantized)?;
        dequantize(&scheme, weight.columns, &quantized, &mut made)?;
        if let Some(scales) = scales {
            let inverse: Vec<f32> = scales.iter().map(|scale| scale.recip()).collect();
            stretch(weight.columns, &mut made, &inverse);
        }
        for (made, weight) in made.iter_mut().zip(&weight.values) {
            *made -= weight;
        }
        total += power(statistics.kept(), &made, precision, threads);
    }
    Ok(total)
}
