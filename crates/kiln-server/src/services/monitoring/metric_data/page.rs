//! Pages of series: as many points as are wanted, from where the last page ended.

use crate::services::monitoring::answer::Answer;
use crate::services::monitoring::paging::Token;

/// Series in one answer: the API's limit.
const MOST_SERIES: usize = 500;

/// What was found of one metric.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Series {
    pub(super) id: String,
    pub(super) label: String,
    /// Epoch seconds and values, in the order that is wanted.
    pub(super) points: Vec<(i64, f64)>,
}

/// The page from a place on (a series, and a point of it), and where the next one
/// begins.
pub(super) fn page(all: &[Series], from: Token, most: usize) -> (Vec<Answer>, Option<Token>) {
    let Token([first, skipped]) = from;
    let first = usize::try_from(first).unwrap_or(usize::MAX);
    let mut skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
    let mut left = most;
    let mut shown = Vec::new();
    for (number, series) in all.iter().enumerate().skip(first) {
        let points = series.points.get(skipped..).unwrap_or_default();
        let is_out_of_room = left == 0 && !points.is_empty();
        if is_out_of_room || shown.len() == MOST_SERIES {
            return (shown, Some(place(number, skipped)));
        }
        let taken = points.len().min(left);
        left -= taken;
        let is_whole = taken == points.len();
        shown.push(answer(series, &points[..taken], is_whole));
        if !is_whole {
            return (shown, Some(place(number, skipped + taken)));
        }
        skipped = 0;
    }
    (shown, None)
}

fn place(series: usize, point: usize) -> Token {
    Token([series, point].map(|n| i64::try_from(n).unwrap_or(i64::MAX)))
}

fn answer(series: &Series, points: &[(i64, f64)], is_whole: bool) -> Answer {
    let status = if is_whole { "Complete" } else { "PartialData" };
    let times = points.iter().map(|(at, _)| Answer::Time(*at));
    let values = points.iter().map(|(_, value)| Answer::Number(*value));
    Answer::Structure(vec![
        ("Id", Answer::text(&series.id)),
        ("Label", Answer::text(&series.label)),
        ("Timestamps", Answer::list(times)),
        ("Values", Answer::list(values)),
        ("StatusCode", Answer::text(status)),
    ])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn series(lengths: &[usize]) -> Vec<Series> {
        let one = |(number, length): (usize, &usize)| Series {
            id: format!("s{number}"),
            label: String::new(),
            points: (0..*length).map(|at| (at as i64, 1.0)).collect(),
        };
        lengths.iter().enumerate().map(one).collect()
    }

    /// Id, times and status of what is shown.
    fn read(shown: &Answer) -> (String, Vec<i64>, String) {
        let Answer::Structure(members) = shown else {
            panic!("{shown:?}")
        };
        let text = |at: usize| match &members[at].1 {
            Answer::Text(text) => text.clone(),
            other => panic!("{other:?}"),
        };
        let Answer::List(times) = &members[2].1 else {
            panic!("{members:?}")
        };
        let times = times.iter().map(|time| match time {
            Answer::Time(at) => *at,
            other => panic!("{other:?}"),
        });
        (text(0), times.collect(), text(4))
    }

    #[test]
    fn a_page_ends_within_a_series_or_after_one() {
        let all = series(&[2, 0, 3]);
        let cases = [
            (
                5,
                vec![
                    ("s0", 2, "Complete"),
                    ("s1", 0, "Complete"),
                    ("s2", 3, "Complete"),
                ],
                None,
            ),
            (
                3,
                vec![
                    ("s0", 2, "Complete"),
                    ("s1", 0, "Complete"),
                    ("s2", 1, "PartialData"),
                ],
                Some([2, 1]),
            ),
            (
                2,
                vec![("s0", 2, "Complete"), ("s1", 0, "Complete")],
                Some([2, 0]),
            ),
            (1, vec![("s0", 1, "PartialData")], Some([0, 1])),
        ];
        for (most, expected, next) in cases {
            let (shown, token) = page(&all, Token([0, 0]), most);
            let shown: Vec<_> = shown.iter().map(read).collect();
            let short: Vec<_> = shown
                .iter()
                .map(|(id, times, status)| (id.as_str(), times.len(), status.as_str()))
                .collect();
            assert_eq!(short, expected);
            assert_eq!(token, next.map(Token));
        }
    }

    proptest! {
        #[test]
        fn pages_together_are_the_whole(
            lengths in prop::collection::vec(0usize..9, 0..9),
            most in 1usize..9,
        ) {
            let all = series(&lengths);
            let mut seen = vec![Vec::new(); all.len()];
            let mut from = Some(Token([0, 0]));
            while let Some(token) = from {
                let (shown, next) = page(&all, token, most);
                prop_assert!(next != Some(token));
                for (id, times, _) in shown.iter().map(read) {
                    seen[id[1..].parse::<usize>().unwrap()].extend(times);
                }
                from = next;
            }
            for (times, series) in seen.iter().zip(&all) {
                let expected: Vec<i64> = series.points.iter().map(|(at, _)| *at).collect();
                prop_assert_eq!(times, &expected);
            }
        }
    }
}
