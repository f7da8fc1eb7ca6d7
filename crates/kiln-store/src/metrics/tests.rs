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
    let named = metric(name, &[("Job", "a")]);
    let points = store.points(&named, periods, None, Detail::Summaries);
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
            Detail::Summaries,
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
            Detail::Summaries,
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

/// Time, value and times of each single value; nothing of a period that has lost some.
fn singles(store: &MetricStore, name: &str, periods: Periods) -> Vec<(i64, f64, f64)> {
    let named = metric(name, &[("Job", "a")]);
    let points = store.points(&named, periods, None, Detail::Values).unwrap();
    let values = points.into_iter().flat_map(|Point { at, values, .. }| {
        let values = values.into_iter().flatten();
        values.map(move |seen| (at, seen.value, seen.times))
    });
    values.collect()
}

/// How many single values take room of their own.
fn rows(store: &MetricStore) -> i64 {
    let counted = store.database.read(|connection| {
        let count = "SELECT count(*) FROM single_values";
        Ok::<_, StoreError>(connection.query_row(count, [], |row| row.get(0))?)
    });
    counted.unwrap()
}

#[tokio::test]
async fn single_values_are_counted() {
    let (_directory, store) = store();
    let window = periods(NOW, NOW + 60, 60);
    // What a point says by itself takes no room.
    store.add(vec![new("m", NOW, 2.0)], NOW).await.unwrap();
    store.add(vec![new("m", NOW, 2.0)], NOW).await.unwrap();
    assert_eq!(singles(&store, "m", window), [(NOW, 2.0, 2.0)]);
    assert_eq!(rows(&store), 0);
    let more = [2.0, -1.0, 2.0, 5.0].map(|value| new("m", NOW, value));
    store.add(more.to_vec(), NOW).await.unwrap();
    store.add(vec![new("m", NOW + 7, 5.0)], NOW).await.unwrap();
    let expected = [(NOW, -1.0, 1.0), (NOW, 2.0, 4.0), (NOW, 5.0, 2.0)];
    assert_eq!(singles(&store, "m", window), expected);
    assert_eq!(rows(&store), 3);
    // The values of a summary are not known.
    let sum = NewPoint {
        summary: Summary::of(1.0).and(Summary::of(3.0)),
        ..new("m", NOW + 8, 0.0)
    };
    store.add(vec![sum], NOW).await.unwrap();
    assert_eq!(singles(&store, "m", window), []);
    assert_eq!(singles(&store, "m", periods(NOW, NOW + 8, 8)), expected);
    assert_eq!(found(&store, "m", window), [(NOW, 9.0, 21.0)]);
    // Nor are those of a second that had too many.
    let many = (0..501).map(|n| new("many", NOW, f64::from(n)));
    store.add(many.collect(), NOW).await.unwrap();
    assert_eq!(singles(&store, "many", window), []);
    let some = |from: i32, to: i32| (from..to).map(|n| new("some", NOW, f64::from(n))).collect();
    store.add(some(0, 300), NOW).await.unwrap();
    assert_eq!(singles(&store, "some", window).len(), 300);
    store.add(some(300, 501), NOW).await.unwrap();
    assert_eq!(singles(&store, "some", window), []);
}

#[tokio::test]
async fn single_values_age_with_their_points() {
    let (_directory, store) = store();
    let then = NOW - 4 * HOUR;
    let points = [
        (0, 1.0),
        (0, 2.0),
        (30, 2.0),
        (31, 4.0),
        (60, 7.0),
        (61, 7.0),
    ];
    let mut points: Vec<_> = points
        .map(|(second, value)| new("few", then + second, value))
        .into();
    // A hundred and one different values in a minute are too many.
    points.extend((0..101).map(|n| new("many", then + n / 2, n as f64)));
    points.push(new("many", then + 60, 0.5));
    store.add(points, then).await.unwrap();
    let window = periods(then, then + 120, 60);
    let young = singles(&store, "few", window);
    let expected = [
        (then, 1.0, 1.0),
        (then, 2.0, 2.0),
        (then, 4.0, 1.0),
        (then + 60, 7.0, 2.0),
    ];
    assert_eq!(young, expected);
    assert_eq!(singles(&store, "many", window).len(), 102);
    store.add(vec![new("other", NOW, 1.0)], NOW).await.unwrap();
    assert_eq!(found(&store, "few", periods(then, then + 120, 1)).len(), 2);
    assert_eq!(singles(&store, "few", window), expected);
    assert_eq!(singles(&store, "many", window), [(then + 60, 0.5, 1.0)]);
    let gone = NOW + 456 * DAY;
    store
        .add(vec![new("other", gone, 1.0)], gone)
        .await
        .unwrap();
    assert_eq!(singles(&store, "few", window), []);
    assert_eq!(rows(&store), 0);
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
        let single = singles(&store, "together", window);
        let seen: f64 = single.iter().map(|(_, _, times)| times).sum();
        prop_assert_eq!(seen, values.len() as f64);
        prop_assert_eq!(single, singles(&store, "backwards", window));
    }
}
