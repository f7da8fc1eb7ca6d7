//! How much of what a layer and a model put out was lost.

use super::flow::Flow;
use super::layer::Plan;
use super::linear::{Blend, Packed, Part, Precision, View, multiply};
use crate::OptimizeError;

/// The square of what a weight makes of rows, and the squared difference that a change of
/// the weight makes to it, and of the rows if they are `rounded` before, in parts of that.
#[must_use]
pub fn loss(
    rows: View,
    rounded: Option<View>,
    weight: &[f32],
    changed: &[f32],
    precision: Precision,
    threads: usize,
) -> (f64, f64) {
    let difference = |a: &[f32], b: &[f32]| -> Vec<f32> {
        let pairs = a.iter().zip(b);
        pairs.map(|(a, b)| a - b).collect()
    };
    let (signal, noise) = match rounded {
        None => {
            let change = difference(weight, changed);
            let noise = power(rows, &change, precision, threads);
            (power(rows, weight, precision, threads), noise)
        }
        Some(rounded) => {
            // The one is taken from the other, so that both have to be exact.
            let expected = product(rows, weight, Precision::Full, threads);
            let found = product(rounded, changed, Precision::Full, threads);
            (squares(&expected), squares(&difference(&expected, &found)))
        }
    };
    (signal, if signal > 0.0 { noise / signal } else { 0.0 })
}

/// The sum of the squares of what a weight makes of rows.
#[must_use]
pub fn power(rows: View, weight: &[f32], precision: Precision, threads: usize) -> f64 {
    squares(&product(rows, weight, precision, threads))
}

fn squares(values: &[f32]) -> f64 {
    values.iter().map(|x| f64::from(*x) * f64::from(*x)).sum()
}

fn product(rows: View, weight: &[f32], precision: Precision, threads: usize) -> Vec<f32> {
    let outputs = weight.len() / rows.width();
    let packed = Packed::new(View::new(weight, outputs, rows.width()), precision);
    let mut out = vec![0f32; rows.height() * outputs];
    multiply(
        rows,
        &packed,
        &mut out,
        outputs,
        Blend::Set,
        Part::All,
        threads,
    );
    out
}

/// What the whole model lost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fidelity {
    /// The squared difference of the last hidden states from those of the original, in
    /// parts of these states' square.
    pub error: f64,
    /// The mean cosine between the two: of the means of samples for encoders, of tokens
    /// for decoders.
    pub cosine: f64,
    /// On how many samples that was measured.
    pub samples: usize,
    /// Of how many tokens.
    pub tokens: usize,
}

/// Compares what flows out of the last layer: the first samples of `made` are those of
/// `original`.
pub fn compare(
    plan: &Plan,
    original: &Flow,
    made: &Flow,
    samples: usize,
) -> Result<Fidelity, OptimizeError> {
    let width = plan.geometry.hidden;
    let mut expected = Vec::new();
    original.finish(0..samples, &mut |rows| expected.push(rows.to_vec()))?;
    let mut expected = expected.iter();
    let mut sums = Sums::default();
    made.finish(0..samples, &mut |rows| {
        let Some(expected) = expected.next() else {
            return;
        };
        sums.add(expected, rows, width, plan.is_encoder());
    })?;
    Ok(Fidelity {
        error: sums.noise / sums.signal.max(f64::MIN_POSITIVE),
        cosine: sums.cosines / sums.compared.max(1) as f64,
        samples,
        tokens: original.tokens(),
    })
}

#[derive(Debug, Default)]
struct Sums {
    signal: f64,
    noise: f64,
    cosines: f64,
    compared: usize,
}

impl Sums {
    fn add(&mut self, expected: &[f32], made: &[f32], width: usize, pooled: bool) {
        for (a, b) in expected.iter().zip(made) {
            let (a, b) = (f64::from(*a), f64::from(*b));
            self.signal += a * a;
            self.noise += (a - b) * (a - b);
        }
        if pooled {
            self.cosines += cosine(&sum(expected, width), &sum(made, width));
            self.compared += 1;
        } else {
            for (a, b) in expected.chunks_exact(width).zip(made.chunks_exact(width)) {
                self.cosines += cosine(a, b);
                self.compared += 1;
            }
        }
    }
}

fn sum(rows: &[f32], width: usize) -> Vec<f32> {
    let mut sums = vec![0f32; width];
    for row in rows.chunks_exact(width) {
        for (sum, x) in sums.iter_mut().zip(row) {
            *sum += x;
        }
    }
    sums
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter()
            .zip(b)
            .map(|(a, b)| f64::from(*a) * f64::from(*b))
            .sum()
    };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt().max(f64::MIN_POSITIVE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_relative() {
        let rows = [1.0, 0.0, 0.0, 2.0];
        let rows = View::new(&rows, 2, 2);
        let loss = |rounded, weight: &[f32], changed: &[f32]| {
            loss(rows, rounded, weight, changed, Precision::Full, 1)
        };
        let found = loss(None, &[1.0, 1.0], &[1.0, 0.5]);
        assert_eq!(found.0, 5.0);
        assert!((found.1 - 0.2).abs() < 1e-6);
        assert_eq!(loss(None, &[0.0, 0.0], &[0.0, 0.0]), (0.0, 0.0));
        let rounded = [1.0, 0.0, 0.0, 1.0];
        let rounded = View::new(&rounded, 2, 2);
        assert_eq!(
            loss(Some(rounded), &[1.0, 2.0], &[1.0, 2.0]),
            (17.0, 4.0 / 17.0)
        );
    }

    #[test]
    fn tokens_or_samples_are_compared() {
        let (expected, made) = ([1.0, 0.0, 0.0, 1.0], [1.0, 0.0, 1.0, 0.0]);
        for (pooled, cosine) in [(false, 0.5), (true, 0.5f64.sqrt())] {
            let mut sums = Sums::default();
            sums.add(&expected, &made, 2, pooled);
            assert!((sums.cosines / sums.compared as f64 - cosine).abs() < 1e-9);
            assert_eq!((sums.signal, sums.noise), (2.0, 2.0));
        }
    }
}
