//! Statistics, units, and the periods that time is cut into.

use kiln_store::{Detail, Periods, Point, Summary};

use super::percentile::Percentile;

/// A number that says something of many.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Statistic {
    Simple(Simple),
    Percentile(Percentile),
}

/// A statistic that follows from a summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Simple {
    SampleCount,
    Average,
    Sum,
    Minimum,
    Maximum,
}

impl Statistic {
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Simple(simple) => simple.name(),
            Self::Percentile(percentile) => percentile.name(),
        }
    }

    /// What must be known of points.
    pub(super) fn detail(&self) -> Detail {
        match self {
            Self::Simple(_) => Detail::Summaries,
            Self::Percentile(_) => Detail::Values,
        }
    }

    /// The statistic of a point; `None` if too little is known of it.
    pub(super) fn of(&self, point: &Point) -> Option<f64> {
        match self {
            Self::Simple(simple) => Some(simple.of(&point.summary)),
            Self::Percentile(percentile) => percentile.of(point.values.as_ref()?),
        }
    }
}

impl Simple {
    pub(super) const ALL: [Self; 5] = [
        Self::SampleCount,
        Self::Average,
        Self::Sum,
        Self::Minimum,
        Self::Maximum,
    ];

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

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
    /// CloudWatch has it, and Kiln does not.
    NotServed,
    /// There is no such.
    Unknown,
}

impl std::str::FromStr for Statistic {
    type Err = NoStatistic;

    fn from_str(name: &str) -> Result<Self, NoStatistic> {
        let simple = Simple::named(name).map(Self::Simple);
        let known = simple.or_else(|| Percentile::read(name).map(Self::Percentile));
        known.ok_or_else(|| {
            if is_of_a_part(name) {
                NoStatistic::NotServed
            } else {
                NoStatistic::Unknown
            }
        })
    }
}

/// Trimmed means and their kin: `tm90`, `TM(10%:90%)`, `IQM`. How they count what lies at an
/// edge, CloudWatch does not say.
fn is_of_a_part(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let rest = ["tm", "tc", "ts", "wm", "pr"]
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
    use kiln_store::Seen;

    use super::*;

    #[test]
    fn statistics_are_known_by_their_names() {
        for one in Simple::ALL {
            assert_eq!(one.name().parse(), Ok(Statistic::Simple(one)));
        }
        for name in ["p50", "P99.9"] {
            let read: Statistic = name.parse().unwrap();
            assert_eq!((read.name(), read.detail()), (name, Detail::Values));
        }
        for name in ["tm90", "TM(10%:90%)", "IQM", "PR(:300)", "wm98", "ts(:5)"] {
            let refused = name.parse::<Statistic>();
            assert_eq!(refused, Err(NoStatistic::NotServed), "{name}");
        }
        for name in ["average", "Median", "p", "", "pear", "p101"] {
            let refused = name.parse::<Statistic>();
            assert_eq!(refused, Err(NoStatistic::Unknown), "{name}");
        }
    }

    #[test]
    fn a_statistic_is_of_what_is_known() {
        let summary = Summary::of_many(2.0, 3.0).and(Summary::of(6.0));
        let all = Simple::ALL.map(|one| one.of(&summary));
        assert_eq!(all, [4.0, 3.0, 12.0, 2.0, 6.0]);
        let seen = |value, times| Seen { value, times };
        let mut point = Point {
            at: 0,
            unit: "None".to_owned(),
            summary,
            values: Some(vec![seen(2.0, 3.0), seen(6.0, 1.0)]),
        };
        let of = |name: &str, point: &Point| name.parse::<Statistic>().unwrap().of(point);
        assert_eq!(of("p100", &point), Some(6.0));
        point.values = None;
        assert_eq!(
            (of("p100", &point), of("Maximum", &point)),
            (None, Some(6.0))
        );
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
