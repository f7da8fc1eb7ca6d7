//! Percentiles of measured durations.

use std::time::Duration;

/// Measured durations, in order of size.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Samples {
    sorted: Vec<Duration>,
}

impl Samples {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.sorted.len()
    }

    /// The duration that `percent` of the samples do not exceed, by the nearest
    /// rank; zero when there are no samples.
    pub fn percentile(&self, percent: u32) -> Duration {
        let rank = (self.sorted.len() * percent as usize).div_ceil(100);
        let at = rank.saturating_sub(1);
        self.sorted.get(at).copied().unwrap_or_default()
    }
}

impl FromIterator<Duration> for Samples {
    fn from_iter<I: IntoIterator<Item = Duration>>(durations: I) -> Self {
        let mut sorted: Vec<Duration> = durations.into_iter().collect();
        sorted.sort_unstable();
        Self { sorted }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_by_the_nearest_rank() {
        let of = |millis: &[u64]| -> Samples {
            millis.iter().map(|&ms| Duration::from_millis(ms)).collect()
        };
        for (samples, percent, expected) in [
            (of(&[]), 50, 0),
            (of(&[7]), 50, 7),
            (of(&[7]), 99, 7),
            (of(&[3, 1, 2]), 50, 2),
            (of(&[4, 3, 2, 1]), 50, 2),
            (of(&[4, 3, 2, 1]), 90, 4),
            (of(&[1, 2, 3, 4]), 100, 4),
        ] {
            let found = samples.percentile(percent);
            assert_eq!(
                found,
                Duration::from_millis(expected),
                "{samples:?} p{percent}"
            );
        }
    }
}
