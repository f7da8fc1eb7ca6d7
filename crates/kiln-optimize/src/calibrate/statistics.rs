//! What is gathered of the rows that a step's linear layers multiply.

use super::linear::{Precision, View, gram};

/// How many rows are kept to measure errors with.
const KEPT: usize = 256;

/// What is gathered of a step's input.
#[derive(Debug)]
pub struct Statistics {
    columns: usize,
    tokens: usize,
    precision: Precision,
    threads: usize,
    squares: Vec<f64>,
    magnitudes: Vec<f64>,
    largest: f32,
    gram: Option<Vec<f32>>,
    kept: Vec<f32>,
}

impl Statistics {
    /// Nothing yet, of `tokens` rows that will come. The Gram matrix is gathered only where
    /// it is wanted: it is as large as a weight.
    #[must_use]
    pub fn new(
        columns: usize,
        tokens: usize,
        grams: bool,
        precision: Precision,
        threads: usize,
    ) -> Self {
        Self {
            columns,
            tokens,
            precision,
            threads,
            squares: vec![0.0; columns],
            magnitudes: vec![0.0; columns],
            largest: 0.0,
            gram: grams.then(|| vec![0.0; columns * columns]),
            kept: Vec::new(),
        }
    }

    /// Takes in the rows from the row `first` on.
    pub fn observe(&mut self, first: usize, rows: &[f32]) {
        for (i, row) in rows.chunks_exact(self.columns).enumerate() {
            for ((x, square), magnitude) in
                row.iter().zip(&mut self.squares).zip(&mut self.magnitudes)
            {
                let x = f64::from(*x);
                *square += x * x;
                *magnitude += x.abs();
            }
            self.largest = row
                .iter()
                .fold(self.largest, |largest, x| largest.max(x.abs()));
            let token = first + i;
            let kept = KEPT.min(self.tokens);
            if (token + 1) * kept / self.tokens > token * kept / self.tokens {
                self.kept.extend_from_slice(row);
            }
        }
        if let Some(sums) = &mut self.gram {
            let rows = View::new(rows, rows.len() / self.columns, self.columns);
            gram(rows, sums, self.precision, self.threads);
        }
    }

    /// How many columns the rows have.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The mean of each column's squares: how much an error in its weights counts.
    #[must_use]
    pub fn importance(&self) -> Vec<f32> {
        self.squares
            .iter()
            .map(|sum| (sum / self.tokens as f64) as f32)
            .collect()
    }

    /// The mean of each column's magnitudes.
    #[must_use]
    pub fn magnitudes(&self) -> Vec<f32> {
        self.magnitudes
            .iter()
            .map(|sum| (sum / self.tokens as f64) as f32)
            .collect()
    }

    /// The largest magnitude.
    #[must_use]
    pub fn largest(&self) -> f32 {
        self.largest
    }

    /// Some of the rows, evenly spread.
    #[must_use]
    pub fn kept(&self) -> View<'_> {
        View::new(&self.kept, self.kept.len() / self.columns, self.columns)
    }

    /// The numbers of these rows.
    #[must_use]
    pub fn kept_rows(&self) -> &[f32] {
        &self.kept
    }

    /// The Gram matrix, of which the upper triangle counts. It is given away.
    pub fn take_gram(&mut self) -> Option<Vec<f32>> {
        self.gram.take()
    }

    /// Whether all numbers were finite.
    #[must_use]
    pub fn is_finite(&self) -> bool {
        self.squares.iter().all(|sum| sum.is_finite())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_summed_up() {
        let mut statistics = Statistics::new(2, 3, true, Precision::Full, 1);
        statistics.observe(0, &[1.0, -2.0, 3.0, 0.0]);
        statistics.observe(2, &[-5.0, 4.0]);
        assert_eq!(statistics.magnitudes(), [3.0, 2.0]);
        assert_eq!(statistics.importance(), [35.0 / 3.0, 20.0 / 3.0]);
        assert_eq!(statistics.largest(), 5.0);
        let gram = statistics.take_gram().unwrap();
        assert_eq!([gram[0], gram[1], gram[3]], [35.0, -22.0, 20.0]);
        assert!(statistics.is_finite());
        statistics.observe(0, &[f32::INFINITY, 0.0]);
        assert!(!statistics.is_finite());
    }

    #[test]
    fn kept_rows_are_spread_over_all() {
        let tokens = 1000;
        let mut statistics = Statistics::new(1, tokens, false, Precision::Full, 1);
        let rows: Vec<f32> = (0..tokens).map(|token| token as f32).collect();
        statistics.observe(0, &rows[..300]);
        statistics.observe(300, &rows[300..]);
        assert_eq!(statistics.kept.len(), KEPT);
        assert!(
            statistics
                .kept
                .windows(2)
                .all(|pair| (3.0..=4.0).contains(&(pair[1] - pair[0])))
        );
    }
}
