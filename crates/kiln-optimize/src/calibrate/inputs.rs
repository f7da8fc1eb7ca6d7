//! What becomes of the rows that a linear layer multiplies where the optimized model rounds
//! its activations when it runs, as vLLM does.

use super::made::Figures;
use crate::Dtype;
use crate::kernels::precision::{Precision, fp8_value};
use crate::options::Activations;
use crate::quantize::Grid;

/// How a linear layer's inputs are rounded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Inputs {
    grid: Grid,
    scales: Scales,
}

/// What shares a scale.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Scales {
    Token,
    Group(usize),
    /// All tokens share this one.
    Fixed(f32),
}

impl Inputs {
    /// How inputs of a weight of the type `dtype` are rounded, of which the largest magnitude
    /// is known. Where they are not, there is nothing.
    #[must_use]
    pub fn new(activations: Activations, grid: Grid, dtype: Dtype, largest: f32) -> Option<Self> {
        let scales = match activations {
            Activations::Untouched => return None,
            Activations::PerToken => Scales::Token,
            Activations::PerGroup(size) => Scales::Group(size),
            Activations::Static => {
                let scale = Figures::scale_of_inputs(largest);
                Scales::Fixed(Precision::of(dtype).map_or(scale, |stored| stored.round(scale)))
            }
        };
        Some(Self { grid, scales })
    }

    /// Rounds rows of so many numbers.
    pub fn round(&self, rows: &mut [f32], width: usize) {
        let group = match self.scales {
            Scales::Fixed(scale) => return self.round_by(scale, rows),
            Scales::Token => width,
            Scales::Group(size) => size,
        };
        for row in rows.chunks_exact_mut(width) {
            for group in row.chunks_mut(group) {
                let largest = group.iter().fold(0f32, |largest, x| largest.max(x.abs()));
                self.round_by(largest / self.greatest(), group);
            }
        }
    }

    fn round_by(&self, scale: f32, values: &mut [f32]) {
        if scale <= 0.0 {
            return;
        }
        let greatest = self.greatest();
        for value in values {
            let level = (*value / scale).clamp(-greatest, greatest);
            *value = scale
                * match self.grid {
                    Grid::Fp8 => fp8_value(level),
                    Grid::Int { .. } => level.round_ties_even(),
                };
        }
    }

    fn greatest(&self) -> f32 {
        match self.grid {
            Grid::Fp8 => 448.0,
            Grid::Int { bits, .. } => f32::from((1u16 << (bits - 1)) - 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_rounded_with_the_scales_of_tokens_groups_or_all() {
        let eight = Grid::Int {
            bits: 8,
            symmetric: true,
        };
        let cases = [
            (Activations::PerToken, eight, [127.0, 0.0, 1.0, 0.0]),
            (Activations::PerGroup(2), eight, [127.0, 0.0, 0.9, 0.29764]),
            (
                Activations::PerToken,
                Grid::Fp8,
                [127.0, 0.28348, 0.92132, 0.28348],
            ),
            (
                Activations::Static,
                Grid::Fp8,
                [128.0, 0.28125, 0.875, 0.3125],
            ),
        ];
        for (activations, grid, expected) in cases {
            let mut row = [127.0, 0.29, 0.9, 0.3];
            let inputs = Inputs::new(activations, grid, Dtype::Bf16, 448.0).unwrap();
            inputs.round(&mut row, 4);
            for (found, expected) in row.iter().zip(expected) {
                let near = (found - expected).abs() < 1e-4;
                assert!(near, "{activations:?} {grid:?}: {found} is not {expected}");
            }
        }
        let untouched = Activations::Untouched;
        assert_eq!(Inputs::new(untouched, eight, Dtype::F32, 1.0), None);
    }

    #[test]
    fn zeros_stay_zeros() {
        let mut row = [0.0; 4];
        let inputs = Inputs::new(Activations::PerToken, Grid::Fp8, Dtype::F32, 0.0);
        inputs.unwrap().round(&mut row, 4);
        assert_eq!(row, [0.0; 4]);
    }
}
