//! Logs as the store keeps them: deliveries, order and merged reading.

use super::*;

const GROUP: &str = "/g";
const ALL: Window = Window {
    start: None,
    end: None,
    limit: 100,
};

fn store() -> (tempfile::TempDir, LogStore) {
    let directory = tempfile::tempdir().unwrap();
    let store = LogStore::open(&directory.path().join("logs.db")).unwrap();
    (directory, store)
}

fn lines(numbers: std::ops::RangeInclusive<u64>) -> Vec<(u64, NewEvent)> {
    let line = |n: u64| NewEvent {
        at: 1000 + (n / 2) as i64,
        message: format!("line {n}"),
    };
    numbers.map(|n| (n, line(n))).collect()
}

fn messages(events: &[LogEvent]) -> Vec<&str> {
    events.iter().map(|event| event.message.as_str()).collect()
}

#[tokio::test]
async fn a_repeated_delivery_adds_nothing() {
    let (_directory, store) = store();
    for range in [1..=3, 2..=5, 1..=5] {
        store
            .deliver("i", GROUP, "s", lines(range), 7)
            .await
            .unwrap();
    }
    let events = store
        .events(GROUP, "s", Position::START, Direction::Forward, ALL)
        .unwrap();
    let expected = ["line 1", "line 2", "line 3", "line 4", "line 5"];
    assert_eq!(messages(&events.unwrap()), expected);
}

#[tokio::test]
async fn merged_reading_resumes_without_gap_or_repeat() {
    let (_directory, store) = store();
    for stream in ["a", "b", "c"] {
        store
            .deliver(stream, GROUP, stream, lines(1..=6), 7)
            .await
            .unwrap();
    }
    let streams = ["a", "b", "c"].map(str::to_owned);
    let whole = store.merged(GROUP, &streams, None, ALL).unwrap();
    assert_eq!(whole.len(), 18);
    let mut paged: Vec<LogEvent> = Vec::new();
    loop {
        let after = paged
            .last()
            .map(|event| (event.stream.as_str(), event.position));
        let page = store
            .merged(GROUP, &streams, after, Window { limit: 4, ..ALL })
            .unwrap();
        if page.is_empty() {
            break;
        }
        paged.extend(page);
    }
    assert_eq!(paged, whole);
}

#[tokio::test]
async fn a_clock_that_steps_back_does_not_reorder() {
    let (_directory, store) = store();
    let event = |at, message: &str| NewEvent {
        at,
        message: message.to_owned(),
    };
    let events = vec![(1, event(50, "first")), (2, event(40, "second"))];
    store.deliver("i", GROUP, "s", events, 7).await.unwrap();
    let events = store
        .events(GROUP, "s", Position::START, Direction::Forward, ALL)
        .unwrap();
    assert_eq!(messages(&events.unwrap()), ["first", "second"]);
}
