//! Positions as rotations of pairs of numbers.

use crate::model::{Rope, Scaling};

/// The cosines and sines of all positions up to a length.
#[derive(Debug)]
pub struct Rotations {
    half: usize,
    cosines: Vec<f32>,
    sines: Vec<f32>,
}

impl Rotations {
    /// The rotations of so many positions, for heads of the width `width`.
    #[must_use]
    pub fn new(rope: &Rope, width: usize, positions: usize) -> Self {
        let frequencies = frequencies(rope, width);
        let angles = (0..positions).flat_map(|position| {
            // As everyone does, with 32 bits: larger positions would differ otherwise.
            frequencies.iter().map(move |f| position as f32 * *f as f32)
        });
        let angles: Vec<f32> = angles.collect();
        Self {
            half: frequencies.len(),
            cosines: angles.iter().map(|angle| angle.cos()).collect(),
            sines: angles.iter().map(|angle| angle.sin()).collect(),
        }
    }

    /// Rotates one head of the token at a position: each number of the first half with the
    /// one in its place in the second.
    pub fn turn(&self, head: &mut [f32], position: usize) {
        let at = position * self.half;
        let cosines = &self.cosines[at..at + self.half];
        let sines = &self.sines[at..at + self.half];
        let (first, second) = head.split_at_mut(self.half);
        for (((a, b), cosine), sine) in first.iter_mut().zip(second).zip(cosines).zip(sines) {
            (*a, *b) = (*a * cosine - *b * sine, *b * cosine + *a * sine);
        }
    }
}

fn frequencies(rope: &Rope, width: usize) -> Vec<f64> {
    let plain = |i| rope.theta.powf(-2.0 * f64::from(i) / width as f64);
    let half = u32::try_from(width / 2).unwrap_or(0);
    (0..half)
        .map(plain)
        .map(|f| scaled(f, &rope.scaling))
        .collect()
}

fn scaled(frequency: f64, scaling: &Scaling) -> f64 {
    match *scaling {
        Scaling::None | Scaling::Other(_) => frequency,
        Scaling::Linear { factor } => frequency / factor,
        Scaling::Llama3 {
            factor,
            low_frequency_factor: low,
            high_frequency_factor: high,
            original_positions,
        } => {
            let turns = original_positions * frequency / std::f64::consts::TAU;
            let kept = ((turns - low) / (high - low)).clamp(0.0, 1.0);
            (1.0 - kept) * frequency / factor + kept * frequency
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotations_keep_lengths_and_begin_with_none() {
        let rope = Rope {
            theta: 10_000.0,
            scaling: Scaling::None,
        };
        let rotations = Rotations::new(&rope, 4, 3);
        let mut head = [1.0, 2.0, 3.0, 4.0];
        rotations.turn(&mut head, 0);
        assert_eq!(head, [1.0, 2.0, 3.0, 4.0]);
        rotations.turn(&mut head, 2);
        let (sine, cosine) = 2f32.sin_cos();
        assert!((head[0] - (cosine - 3.0 * sine)).abs() < 1e-6);
        assert!((head.iter().map(|x| x * x).sum::<f32>() - 30.0).abs() < 1e-4);
    }

    #[test]
    fn scaling_keeps_high_frequencies_and_divides_low_ones() {
        let scaling = Scaling::Llama3 {
            factor: 8.0,
            low_frequency_factor: 1.0,
            high_frequency_factor: 4.0,
            original_positions: 8192.0,
        };
        assert_eq!(scaled(1.0, &scaling), 1.0);
        assert_eq!(scaled(1e-5, &scaling), 1e-5 / 8.0);
        let between = scaled(0.0015, &scaling);
        assert!(between > 0.0015 / 8.0 && between < 0.0015);
        assert_eq!(scaled(1.0, &Scaling::Linear { factor: 4.0 }), 0.25);
    }
}
