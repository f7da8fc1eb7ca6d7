//! The norms of layers, row by row.

/// Divides each row by the root of its mean square, and multiplies it by the weights.
pub fn root_mean_square(rows: &mut [f32], weight: &[f32], epsilon: f64) {
    for row in rows.chunks_exact_mut(weight.len()) {
        let squares: f64 = row.iter().map(|x| f64::from(*x) * f64::from(*x)).sum();
        let factor = (1.0 / (squares / row.len() as f64 + epsilon).sqrt()) as f32;
        for (x, weight) in row.iter_mut().zip(weight) {
            *x = *x * factor * weight;
        }
    }
}

/// Gives each row the mean zero and the variance one, then the weights and the biases.
pub fn mean_and_variance(rows: &mut [f32], weight: &[f32], bias: &[f32], epsilon: f64) {
    for row in rows.chunks_exact_mut(weight.len()) {
        let count = row.len() as f64;
        let mean = row.iter().map(|x| f64::from(*x)).sum::<f64>() / count;
        let squares: f64 = row.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum();
        let factor = 1.0 / (squares / count + epsilon).sqrt();
        for ((x, weight), bias) in row.iter_mut().zip(weight).zip(bias) {
            *x = ((f64::from(*x) - mean) * factor) as f32 * weight + bias;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_normed_one_by_one() {
        let mut rows = [3.0, 4.0, 0.0, 0.0];
        root_mean_square(&mut rows, &[1.0, 2.0], 0.0);
        let root = 12.5f32.sqrt();
        assert_eq!(rows[..2], [3.0 / root, 8.0 / root]);
        assert!(
            rows[2].is_nan(),
            "nothing cannot be normed without an epsilon"
        );

        let mut rows = [1.0, 3.0, 5.0, 5.0];
        mean_and_variance(&mut rows, &[2.0, 2.0], &[0.5, 0.5], 1e-12);
        assert_eq!(rows, [-1.5, 2.5, 0.5, 0.5]);
    }
}
