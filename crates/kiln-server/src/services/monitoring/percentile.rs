//! Percentiles: below which value so much of what was measured lies.

use kiln_store::Seen;

/// Digits behind the point: the API's limit.
const MOST_DECIMALS: usize = 10;

/// A percentile as it was asked for: `p50`, `p99.9`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Percentile {
    name: String,
    percent: f64,
}

impl Percentile {
    /// The percentile of a name, if it is one.
    pub(super) fn read(name: &str) -> Option<Self> {
        let number = name.strip_prefix(['p', 'P'])?;
        let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
        let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !are_digits(whole) || !are_digits(decimals) || decimals.len() > MOST_DECIMALS {
            return None;
        }
        let percent = number.parse().ok().filter(|percent| *percent <= 100.0)?;
        Some(Self {
            name: name.to_owned(),
            percent,
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Of values in order: the one at its place among all that were seen, or what lies
    /// between the two that it falls between. Of no values there is none.
    pub(super) fn of(&self, values: &[Seen]) -> Option<f64> {
        let samples: f64 = values.iter().map(|seen| seen.times).sum();
        let place = (self.percent / 100.0 * (samples - 1.0)).max(0.0);
        let before = at(values, place.floor())?;
        let after = at(values, place.floor() + 1.0)?;
        Some(before + (after - before) * place.fract())
    }
}

/// The value that so many samples come before, or the last one.
fn at(values: &[Seen], place: f64) -> Option<f64> {
    let mut passed = 0.0;
    let beyond = values.iter().find(|seen| {
        passed += seen.times;
        place < passed
    });
    beyond.or(values.last()).map(|seen| seen.value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn percentile(name: &str) -> Percentile {
        Percentile::read(name).unwrap()
    }

    /// Values, and how often each was seen.
    type Counted<'a> = &'a [(f64, f64)];

    fn seen(values: Counted<'_>) -> Vec<Seen> {
        let values = values.iter();
        values
            .map(|&(value, times)| Seen { value, times })
            .collect()
    }

    #[test]
    fn percentiles_are_known_by_their_names() {
        for name in [
            "p0",
            "p50",
            "P99",
            "p99.9",
            "p99.1234567890",
            "p100",
            "p100.0",
            "p007",
        ] {
            assert_eq!(percentile(name).name(), name);
        }
        for name in [
            "",
            "p",
            "p.5",
            "p5.",
            "p100.1",
            "p-1",
            "p1e1",
            "50",
            "p99.12345678901",
            "pp1",
        ] {
            assert_eq!(Percentile::read(name), None, "{name}");
        }
    }

    #[test]
    fn what_lies_between_two_values_is_interpolated() {
        let ten: Vec<(f64, f64)> = (1..=10).map(|n| (f64::from(n), 1.0)).collect();
        let cases: [(Counted<'_>, &str, f64); 12] = [
            (&ten, "p0", 1.0),
            (&ten, "p10", 1.9),
            (&ten, "p50", 5.5),
            (&ten, "p90", 9.1),
            (&ten, "p100", 10.0),
            (&[(7.0, 1.0)], "p99.9", 7.0),
            (&[(-2.0, 1.0), (2.0, 1.0)], "p25", -1.0),
            // What was seen often counts as often.
            (&[(1.0, 9.0), (5.0, 1.0)], "p50", 1.0),
            (&[(1.0, 3.0), (5.0, 2.0)], "p75", 5.0),
            (&[(1.0, 2.0), (5.0, 2.0)], "p50", 3.0),
            // Who samples may say less than one.
            (&[(4.0, 0.5)], "p50", 4.0),
            (&[(1.0, 0.5), (4.0, 0.25)], "p99", 1.0),
        ];
        for (values, name, expected) in cases {
            let found = percentile(name).of(&seen(values)).unwrap();
            assert!(
                (found - expected).abs() < 1e-9,
                "{name} of {values:?}: {found}"
            );
        }
        assert_eq!(percentile("p50").of(&[]), None);
    }

    proptest! {
        #[test]
        fn percentiles_are_those_of_the_values_one_by_one(
            mut all in prop::collection::vec(-9..9_i32, 1..40),
            percent in 0..=100_u32,
        ) {
            all.sort_unstable();
            let mut counted: Vec<Seen> = Vec::new();
            for value in all.iter().copied().map(f64::from) {
                match counted.last_mut() {
                    Some(last) if last.value == value => last.times += 1.0,
                    _ => counted.push(Seen { value, times: 1.0 }),
                }
            }
            let place = f64::from(percent) / 100.0 * (all.len() - 1) as f64;
            let (before, after) = (all[place.floor() as usize], all[place.ceil() as usize]);
            let expected = f64::from(before) + f64::from(after - before) * place.fract();
            let found = percentile(&format!("p{percent}")).of(&counted).unwrap();
            prop_assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
        }
    }
}
