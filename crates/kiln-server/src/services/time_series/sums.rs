//! What is kept of values while they are summed up, and what can be said of them.

use serde::Deserialize;

/// What is asked of the values of a period.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) enum Statistic {
    Min,
    Max,
    Avg,
    Count,
    StdDev,
    Last,
}

/// What is known of the values of a period.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sums {
    count: f64,
    mean: f64,
    /// The sum of the squared distances from the mean.
    squares: f64,
    lowest: f64,
    highest: f64,
    last: f64,
}

impl Sums {
    pub(super) fn of(value: f64) -> Self {
        Self {
            count: 1.0,
            mean: value,
            squares: 0.0,
            lowest: value,
            highest: value,
            last: value,
        }
    }

    pub(super) fn add(&mut self, value: f64) {
        self.count += 1.0;
        let distance = value - self.mean;
        self.mean += distance / self.count;
        self.squares += distance * (value - self.mean);
        self.lowest = self.lowest.min(value);
        self.highest = self.highest.max(value);
        self.last = value;
    }

    pub(super) fn statistic(&self, wanted: Statistic) -> f64 {
        match wanted {
            Statistic::Min => self.lowest,
            Statistic::Max => self.highest,
            Statistic::Avg => self.mean,
            Statistic::Count => self.count,
            Statistic::StdDev => (self.squares / self.count).sqrt(),
            Statistic::Last => self.last,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_of_all_values_of_a_period() {
        let mut sums = Sums::of(2.0);
        for value in [4.0, 4.0, 4.0, 5.0, 5.0, 9.0, 7.0] {
            sums.add(value);
        }
        for (statistic, expected) in [
            (Statistic::Min, 2.0),
            (Statistic::Max, 9.0),
            (Statistic::Avg, 5.0),
            (Statistic::Count, 8.0),
            (Statistic::StdDev, 2.0),
            (Statistic::Last, 7.0),
        ] {
            let found = sums.statistic(statistic);
            assert!((found - expected).abs() < 1e-9, "{statistic:?} is {found}");
        }
    }
}
