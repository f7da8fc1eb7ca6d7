//! Pages of series: as many points as are wanted, from where the last page ended.

use kiln_store::Metric;

use crate::services::monitoring::answer::Answer;
use crate::services::monitoring::paging::Token;

/// Series in one answer: the API's limit.
const MOST_SERIES: usize = 500;

/// One metric of those that a query finds.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Series {
    pub(super) id: String,
    pub(super) label: String,
    pub(super) metric: Metric,
}

/// Where a page begins: at a query, one of its metrics, and beyond one of its times.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// Which query, from 0.
    pub(super) query: i64,
    /// The metric's number; 0 before all that have one.
    metric: i64,
    /// The last time that was shown, epoch seconds; 0 if none was.
    shown: i64,
}

impl Place {
    /// Where a series begins.
    pub(super) fn of(query: i64, metric: i64) -> Self {
        Self {
            query,
            metric,
            shown: 0,
        }
    }

    /// Where the series begins that this is in.
    pub(super) fn beginning(self) -> Self {
        Self { shown: 0, ..self }
    }

    /// Whether a time of that series is still to be shown.
    pub(super) fn is_before(self, at: i64, descending: bool) -> bool {
        match (self.shown, descending) {
            (0, _) => true,
            (shown, true) => at < shown,
            (shown, false) => at > shown,
        }
    }

    pub(super) fn read(token: &str, query: &str) -> Option<Self> {
        let Token([number, metric, shown]) = Token::read(token, query)?;
        Some(Self {
            query: number,
            metric,
            shown,
        })
    }

    pub(super) fn write(self, query: &str) -> String {
        Token([self.query, self.metric, self.shown]).write(query)
    }
}

/// What one answer shows.
pub(super) struct Page {
    pub(super) shown: Vec<Answer>,
    /// Where the next page begins; known once this one is full.
    pub(super) next: Option<Place>,
    /// How many points there is room for.
    left: usize,
}

impl Page {
    pub(super) fn new(most: usize) -> Self {
        Self {
            shown: Vec::new(),
            next: None,
            left: most,
        }
    }

    /// Shows a series as far as there is room. `points` are its epoch seconds and
    /// values that no page has shown, in the order that is wanted.
    pub(super) fn add(&mut self, place: Place, series: &Series, points: &[(i64, f64)]) {
        let is_out_of_room = self.left == 0 && !points.is_empty();
        if is_out_of_room || self.shown.len() == MOST_SERIES {
            self.next = Some(place);
            return;
        }
        let taken = &points[..points.len().min(self.left)];
        self.left -= taken.len();
        let is_whole = taken.len() == points.len();
        self.shown.push(answer(series, taken, is_whole));
        if !is_whole {
            let shown = taken.last().map_or(0, |(at, _)| *at);
            self.next = Some(Place { shown, ..place });
        }
    }
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

    fn series(number: usize) -> Series {
        Series {
            id: format!("s{number}"),
            label: String::new(),
            metric: Metric {
                namespace: "n".to_owned(),
                name: "m".to_owned(),
                dimensions: std::collections::BTreeMap::new(),
            },
        }
    }

    /// Series of so many points, at the times from 1 on.
    fn all(lengths: &[usize]) -> Vec<(Place, Series, Vec<i64>)> {
        let one = |(number, length): (usize, &usize)| {
            let times = (1..=*length as i64).collect();
            (Place::of(number as i64, 0), series(number), times)
        };
        lengths.iter().enumerate().map(one).collect()
    }

    fn page(all: &[(Place, Series, Vec<i64>)], from: Place, most: usize) -> Page {
        let mut page = Page::new(most);
        for (place, series, times) in all {
            let is_first = *place == from.beginning();
            let times = times
                .iter()
                .filter(|at| !is_first || from.is_before(**at, false));
            let points: Vec<_> = times.map(|at| (*at, 1.0)).collect();
            if *place >= from.beginning() && page.next.is_none() {
                page.add(*place, series, &points);
            }
        }
        page
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
        let all = all(&[2, 0, 3]);
        let next = |query, shown| {
            Some(Place {
                shown,
                ..Place::of(query, 0)
            })
        };
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
                next(2, 1),
            ),
            (
                2,
                vec![("s0", 2, "Complete"), ("s1", 0, "Complete")],
                next(2, 0),
            ),
            (1, vec![("s0", 1, "PartialData")], next(0, 1)),
        ];
        for (most, expected, next) in cases {
            let page = page(&all, Place::default(), most);
            let shown: Vec<_> = page.shown.iter().map(read).collect();
            let short: Vec<_> = shown
                .iter()
                .map(|(id, times, status)| (id.as_str(), times.len(), status.as_str()))
                .collect();
            assert_eq!(short, expected);
            assert_eq!(page.next, next);
        }
    }

    #[test]
    fn what_comes_between_two_pages_moves_nothing() {
        let mut all = all(&[3, 2]);
        let first = page(&all, Place::default(), 2);
        all[0].2.insert(0, -5);
        all.insert(0, (Place::of(-1, 0), series(9), vec![1]));
        let next = first.next.unwrap();
        let second: Vec<_> = page(&all, next, 9).shown.iter().map(read).collect();
        let expected = [("s0", vec![3]), ("s1", vec![1, 2])];
        for ((id, times, _), (name, at)) in second.iter().zip(expected) {
            assert_eq!((id.as_str(), times), (name, &at));
        }
    }

    proptest! {
        #[test]
        fn pages_together_are_the_whole(
            lengths in prop::collection::vec(0usize..9, 0..9),
            most in 1usize..9,
        ) {
            let all = all(&lengths);
            let mut seen = vec![Vec::new(); all.len()];
            let mut from = Some(Place::default());
            while let Some(place) = from {
                let page = page(&all, place, most);
                prop_assert!(page.next != Some(place));
                for (id, times, _) in page.shown.iter().map(read) {
                    seen[id[1..].parse::<usize>().unwrap()].extend(times);
                }
                from = page.next;
            }
            for (times, (_, _, expected)) in seen.iter().zip(&all) {
                prop_assert_eq!(times, expected);
            }
        }
    }
}
