//! Statistics, units, and the periods that time is cut into.

use kiln_store::{Periods, Summary};

/// A number that says something of many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Statistic {
    SampleCount,
    Average,
    Sum,
    Minimum,
    Maximum,
}

impl Statistic {
    pub(super) const ALL: [Self; 5] = [
        Self::SampleCount,
        Self::Average,
        Self::Sum,
        Self::Minimum,
        Self::Maximum,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::SampleCount => "SampleCount",
            Self::Average => "Average",
            Self::Sum => "Sum",
            Self::Minimum => "Minimum",
            Self::Maximum => "Maximum",
        }
    }

    pub(super) fn of(self, summary: &Summary) -> f64 {
        match self {
            Self::SampleCount => summary.samples,
            Self::Average => summary.total / summary.samples,
            Self::Sum => summary.total,
            Self::Minimum => summary.lowest,
            Self::Maximum => summary.highest,
        }
    }
}

/// Why a statistic is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoStatistic {
    /// CloudWatch has it, and it needs every single value.
    NotKept,
    /// There is no such.
    Unknown,
}

impl std::str::FromStr for Statistic {
    type Err = NoStatistic;

    fn from_str(name: &str) -> Result<Self, NoStatistic> {
        let known = Self::ALL.into_iter().find(|one| one.name() == name);
        known.ok_or_else(|| {
            if is_of_single_values(name) {
                NoStatistic::NotKept
            } else {
                NoStatistic::Unknown
            }
        })
    }
}

/// Percentiles, trimmed means and their kin: `p99.9`, `tm90`, `TM(10%:90%)`, `IQM`.
fn is_of_single_values(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let rest = ["tm", "tc", "ts", "wm", "pr", "p"]
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix));
    let is_argument = |rest: &str| {
        let bare = rest.strip_prefix('(').and_then(|r| r.strip_suffix(')'));
        let bare = bare.unwrap_or(rest);
        !bare.is_empty()
            && bare
                .chars()
                .all(|c| c.is_ascii_digit() || ".:%".contains(c))
    };
    name == "iqm" || rest.is_some_and(is_argument)
}

/// CloudWatch's units.
pub(super) const UNITS: [&str; 27] = [
    "Seconds",
    "Microseconds",
    "Milliseconds",
    "Bytes",
    "Kilobytes",
    "Megabytes",
    "Gigabytes",
    "Terabytes",
    "Bits",
    "Kilobits",
    "Megabits",
    "Gigabits",
    "Terabits",
    "Percent",
    "Count",
    "Bytes/Second",
    "Kilobytes/Second",
    "Megabytes/Second",
    "Gigabytes/Second",
    "Terabytes/Second",
    "Bits/Second",
    "Kilobits/Second",
    "Megabits/Second",
    "Gigabits/Second",
    "Terabits/Second",
    "Count/Second",
    "None",
];

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// Whether a period is one that CloudWatch has, in seconds.
pub(super) fn is_period(seconds: i64) -> bool {
    matches!(seconds, 1 | 5 | 10 | 20 | 30) || (seconds > 0 && seconds % 60 == 0)
}

/// Cuts the time from `start` to `end` into periods. They begin at the start,
/// rounded down as CloudWatch does: to the period if that is short and the start
/// is recent, else to the resolution that metrics of that age have.
pub(super) fn periods(start: i64, end: i64, length: i64, now: i64) -> Periods {
    let resolution = match now - start {
        age if age < 3 * HOUR && length < 60 => length,
        age if age < 15 * DAY => 60,
        age if age < 63 * DAY => 300,
        _ => HOUR,
    };
    Periods {
        start: start - start.rem_euclid(resolution),
        end,
        length,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_known_by_their_names() {
        for one in Statistic::ALL {
            assert_eq!(one.name().parse(), Ok(one));
        }
        for name in [
            "p50",
            "p99.9",
            "P99",
            "tm90",
            "TM(10%:90%)",
            "IQM",
            "PR(:300)",
            "wm98",
        ] {
            assert_eq!(
                name.parse::<Statistic>(),
                Err(NoStatistic::NotKept),
                "{name}"
            );
        }
        for name in ["average", "Median", "p", "", "pear"] {
            assert_eq!(
                name.parse::<Statistic>(),
                Err(NoStatistic::Unknown),
                "{name}"
            );
        }
        let mut summary = Summary::of_many(2.0, 3.0);
        summary = summary.and(Summary::of(6.0));
        let all = Statistic::ALL.map(|one| one.of(&summary));
        assert_eq!(all, [4.0, 3.0, 12.0, 2.0, 6.0]);
    }

    #[test]
    fn the_start_is_rounded_by_its_age() {
        let now = 1_795_003_200;
        for (age, length, expected) in [
            (100, 1, 100),
            (99, 10, 100),
            (99, 60, 120),
            (61, 300, 120),
            (4 * HOUR - 1, 10, 4 * HOUR),
            (16 * DAY - 1, 60, 16 * DAY),
            (64 * DAY - 1, 60, 64 * DAY),
        ] {
            let cut = periods(now - age, now, length, now);
            assert_eq!(now - cut.start, expected, "{age} {length}");
            assert_eq!((cut.end, cut.length), (now, length));
        }
        let fit = [1, 5, 10, 20, 30, 60, 120, 86_400];
        assert!(fit.into_iter().all(is_period));
        assert!(![0, -60, 2, 45, 61, 90].into_iter().any(is_period));
    }
}
