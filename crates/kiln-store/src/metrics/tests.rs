//! Metrics as the store keeps them: deliveries, sums, periods, listing, ageing.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
/// A full hour.
const NOW: i64 = 1_795_003_200;

fn store() -> (tempfile::TempDir, MetricStore) {
    let directory = tempfile::tempdir().unwrap();
    let store = MetricStore::open(&directory.path().join("metrics.db")).unwrap();
    (directory, store)
}

fn metric(name: &str, dimensions: &[(&str, &str)]) -> Metric {
    let dimensions = dimensions.iter();
    Metric {
        namespace: "/n".to_owned(),
        name: name.to_owned(),
        dimensions: dimensions
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
    }
}

fn new(name: &str, at: i64, value: f64) -> NewPoint {
    NewPoint {
        metric: metric(name, &[("Job", "a")]),
        at,
        unit: "None".to_owned(),
        summary: Summary::of(value),
    }
}

fn periods(start: i64, end: i64, length: i64) -> Periods {
    Periods { start, end, length }
}

/// Time, samples and total of each point.
fn found(store: &MetricStore, name: &str, periods: Periods) -> Vec<(i64, f64, f64)> {
    let points = store.points(&metric(name, &[("Job", "a")]), periods, None);
    let short = |point: Point| (point.at, point.summary.samples, point.summary.total);
    points.unwrap().into_iter().map(short).collect()
}

#[tokio::test]
async fn a_repeated_delivery_adds_nothing() {
    let (_directory, store) = store();
    for range in [1..=3, 2..=5, 1..=5] {
        let last = *range.end();
        let value = |n: u64| TrialValue {
            metric: "loss".to_owned(),
            at: NOW * 1000,
            step: None,
            value: n as f64,
        };
        let delivery = Delivery {
            points: range
                .clone()
                .map(|n| (n, new("loss", NOW, n as f64)))
                .collect(),
            trial: range.map(|n| (n, value(n))).collect(),
            component: "c".to_owned(),
        };
        store.deliver("i", last, delivery, NOW).await.unwrap();
    }
    let expected = [(NOW, 5.0, 15.0)];
    assert_eq!(found(&store, "loss", periods(NOW, NOW + 60, 60)), expected);
    let mut seen = Vec::new();
    let all = (0, i64::MAX);
    let (time, named) = (TrialAxis::Time, ("c", "loss"));
    store
        .trial_values(named, time, all, |_, value| seen.push(value))
        .unwrap();
    assert_eq!(seen, [1.0, 2.0, 3.0, 4.0, 5.0]);
    store.forget_instance("i").await.unwrap();
}

#[tokio::test]
async fn points_are_summed_up_by_period_and_unit() {
    let (_directory, store) = store();
    let (start, end) = (NOW, NOW + 600);
    let mut points: Vec<_> = (0..10).map(|n| new("m", NOW + 30 * n, n as f64)).collect();
    points.push(NewPoint {
        unit: "Percent".to_owned(),
        summary: Summary::of_many(7.0, 3.0),
        ..new("m", NOW + 61, 0.0)
    });
    store.add(points, NOW).await.unwrap();
    let all = store
        .points(
            &metric("m", &[("Job", "a")]),
            periods(start, end, 120),
            None,
        )
        .unwrap();
    let short: Vec<_> = all
        .iter()
        .map(|point| (point.at - NOW, point.unit.as_str(), point.summary))
        .collect();
    let summary = |samples, total, lowest, highest| Summary {
        samples,
        total,
        lowest,
        highest,
    };
    assert_eq!(
        short,
        [
            (0, "None", summary(4.0, 6.0, 0.0, 3.0)),
            (0, "Percent", summary(3.0, 21.0, 7.0, 7.0)),
            (120, "None", summary(4.0, 22.0, 4.0, 7.0)),
            (240, "None", summary(2.0, 17.0, 8.0, 9.0)),
        ]
    );
    let percent = store
        .points(
            &metric("m", &[("Job", "a")]),
            periods(start, end, 120),
            Some("Percent"),
        )
        .unwrap();
    assert_eq!(percent.len(), 1);
    assert_eq!(found(&store, "m", periods(NOW + 60, NOW + 90, 60)).len(), 2);
    assert_eq!(found(&store, "other", periods(start, end, 60)), []);
}

#[tokio::test]
async fn metrics_are_found_by_all_that_names_them() {
    let (_directory, store) = store();
    let point = |name: &str, dimensions: &[(&str, &str)], at| NewPoint {
        metric: metric(name, dimensions),
        ..new("", at, 1.0)
    };
    let points = [
        point("cpu", &[("Host", "a/1")], NOW),
        point("cpu", &[("Host", "b/1")], NOW - DAY),
        point("loss", &[("Job", "a"), ("Kind", "x")], NOW),
        point("loss", &[("Kind", "x"), ("Job", "b")], NOW),
        point("plain", &[], NOW),
    ];
    for one in points {
        store.add(vec![one], NOW).await.unwrap();
    }
    let filter = MetricFilter::default;
    let named = |name: &str, value: Option<&str>| (name.to_owned(), value.map(str::to_owned));
    let cases = [
        (filter(), vec![1, 2, 3, 4, 5]),
        (
            MetricFilter {
                since: NOW - 60,
                ..filter()
            },
            vec![1, 3, 4, 5],
        ),
        (
            MetricFilter {
                name: Some("cpu".to_owned()),
                namespace: Some("/n".to_owned()),
                ..filter()
            },
            vec![1, 2],
        ),
        (
            MetricFilter {
                namespace: Some("/other".to_owned()),
                ..filter()
            },
            vec![],
        ),
        (
            MetricFilter {
                dimensions: vec![named("Kind", None)],
                ..filter()
            },
            vec![3, 4],
        ),
        (
            MetricFilter {
                dimensions: vec![named("Kind", Some("x")), named("Job", Some("b"))],
                ..filter()
            },
            vec![4],
        ),
        (
            MetricFilter {
                dimension_names: Some(BTreeSet::from(["Kind".to_owned(), "Job".to_owned()])),
                ..filter()
            },
            vec![3, 4],
        ),
        (
            MetricFilter {
                dimension_names: Some(BTreeSet::new()),
                ..filter()
            },
            vec![5],
        ),
    ];
    for (filter, expected) in cases {
        let found = store.metrics(&filter, 0, 100, |_| true).unwrap();
        let ids: Vec<i64> = found.into_iter().map(|(id, _)| id).collect();
        assert_eq!(ids, expected, "{filter:?}");
    }
    let page = store
        .metrics(&filter(), 1, 2, |m| m.name != "loss")
        .unwrap();
    let ids: Vec<i64> = page.into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, [2, 5]);
}

#[tokio::test]
async fn points_become_coarser_with_age_and_go() {
    let (_directory, store) = store();
    let ages = [
        (4 * HOUR, 60),
        (16 * DAY, 300),
        (64 * DAY, HOUR),
        (456 * DAY, 0),
    ];
    for (age, _) in ages.into_iter().rev() {
        let points = [61, 62, 3599].map(|second| new("m", NOW - age + second, 1.0));
        // As if the server had been there at that time.
        store.add(points.to_vec(), NOW - age).await.unwrap();
    }
    store.add(vec![new("other", NOW, 1.0)], NOW).await.unwrap();
    for (age, resolution) in ages {
        let start = NOW - age;
        let points = found(&store, "m", periods(start, start + HOUR, 1));
        let expected = match resolution {
            60 => vec![(start + 60, 2.0, 2.0), (start + 3540, 1.0, 1.0)],
            300 => vec![(start, 2.0, 2.0), (start + 3300, 1.0, 1.0)],
            HOUR => vec![(start, 3.0, 3.0)],
            _ => vec![],
        };
        assert_eq!(points, expected, "{resolution}");
    }
}

proptest! {
    // Each case has many commits.
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn no_order_of_values_changes_what_is_kept_of_them(
        values in prop::collection::vec((0i64..200, -100i32..100), 1..40),
        length in 1i64..90,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (_directory, store) = store();
        let points = |name: &str| -> Vec<NewPoint> {
            values.iter().map(|(at, v)| new(name, NOW + at, f64::from(*v))).collect()
        };
        let mut backwards = points("backwards");
        backwards.reverse();
        runtime.block_on(async {
            store.add(points("together"), NOW).await.unwrap();
            for point in backwards {
                store.add(vec![point], NOW).await.unwrap();
            }
        });
        let window = periods(NOW, NOW + 200, length);
        let together = found(&store, "together", window);
        let samples: f64 = together.iter().map(|(_, samples, _)| samples).sum();
        prop_assert_eq!(samples, values.len() as f64);
        prop_assert_eq!(together, found(&store, "backwards", window));
    }
}
