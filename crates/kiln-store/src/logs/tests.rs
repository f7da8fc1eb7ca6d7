//! Logs as the store keeps them: deliveries, order and merged reading.

use proptest::prelude::*;

use super::*;

const GROUP: &str = "/g";
const ALL: Window = Window {
    start: None,
    end: None,
    limit: 100,
    bytes: usize::MAX,
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
    let whole = store
        .merged(GROUP, Sources::Named(&streams), None, ALL)
        .unwrap();
    assert_eq!(whole.len(), 18);
    let mut paged: Vec<LogEvent> = Vec::new();
    loop {
        let after = paged
            .last()
            .map(|event| (event.stream.as_str(), event.position));
        let page = store
            .merged(
                GROUP,
                Sources::Prefix(""),
                after,
                Window { limit: 4, ..ALL },
            )
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

#[tokio::test]
async fn groups_know_how_much_they_hold() {
    let (_directory, store) = store();
    for range in [1..=3, 2..=5] {
        store
            .deliver("i", GROUP, "s", lines(range), 7)
            .await
            .unwrap();
    }
    store
        .deliver("j", GROUP, "t", lines(1..=1), 8)
        .await
        .unwrap();
    let groups = |prefix, part, after| store.groups(prefix, part, after, 9).unwrap();
    let found = groups("/", "", "");
    let expected = LogGroup {
        name: GROUP.to_owned(),
        created: 7,
        stored_bytes: 6 * "line 1".len() as i64,
        retention: None,
    };
    assert_eq!(found, [expected]);
    assert_eq!(store.group(GROUP).unwrap().as_ref(), found.first());
    for (prefix, part, after) in [("/other", "", ""), ("/", "x", ""), ("/", "g", GROUP)] {
        assert_eq!(groups(prefix, part, after), []);
    }
}

#[tokio::test]
async fn a_file_of_the_first_version_opens_with_its_sums() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("logs.db");
    let first = Database::open(&path, &MIGRATIONS[..1]).unwrap();
    let rows = "INSERT INTO streams (id, log_group, name, created, first_event, last_event,
           last_ingestion, appended) VALUES (1, '/g', 'a', 9, 1, 2, 3, 2), (2, '/g', 'b', 5, 1, 1, 3, 1);
         INSERT INTO events VALUES (1, 1, 1, 3, 'äé'), (1, 2, 2, 3, 'xy'), (2, 1, 1, 3, 'z')";
    first
        .write(move |tx| Ok::<_, StoreError>(tx.execute_batch(rows)?))
        .await
        .unwrap();
    drop(first);
    let store = LogStore::open(&path).unwrap();
    let held = |store: &LogStore| {
        let groups = store.groups("", "", "", 9).unwrap();
        groups
            .iter()
            .map(|g| (g.created, g.stored_bytes))
            .collect::<Vec<_>>()
    };
    assert_eq!(held(&store), [(5, 7)]);
    store
        .deliver("i", GROUP, "a", lines(1..=1), 11)
        .await
        .unwrap();
    assert_eq!(held(&store), [(5, 13)]);
    // What a stream held before is taken off when it is deleted.
    assert!(store.delete_stream("/g", "a").await.unwrap());
    assert_eq!(held(&store), [(5, 1)]);
}

#[tokio::test]
async fn reading_ends_with_the_event_that_goes_beyond_the_bytes() {
    let (_directory, store) = store();
    let large = |n: u64| {
        let message = format!("{n}{}", "x".repeat(1000));
        (n, NewEvent { at: 5, message })
    };
    for stream in ["a", "b"] {
        let events = (1..=50).map(large).collect();
        store
            .deliver(stream, GROUP, stream, events, 7)
            .await
            .unwrap();
    }
    let window = Window {
        bytes: 10_000,
        ..ALL
    };
    let merged = store
        .merged(GROUP, Sources::Prefix(""), None, window)
        .unwrap();
    assert_eq!(merged.len(), 10);
    for (direction, from) in [
        (Direction::Forward, Position::START),
        (Direction::Backward, Position::END),
    ] {
        let found = store
            .events(GROUP, "a", from, direction, window)
            .unwrap()
            .unwrap();
        assert_eq!(found.len(), 10);
        let edge = if direction == Direction::Forward {
            1
        } else {
            50
        };
        assert!(found.iter().any(|event| event.position.number == edge));
    }
}

#[tokio::test]
async fn names_are_found_by_their_beginning() {
    let (_directory, store) = store();
    for stream in ["job", "job/a", "job/b", "job0", "joc"] {
        store
            .deliver(stream, GROUP, stream, lines(1..=1), 7)
            .await
            .unwrap();
    }
    let names = |prefix: &str, after: Option<&str>, descending: bool| {
        let found = store.streams(GROUP, prefix, after, descending, 2).unwrap();
        found
            .into_iter()
            .map(|stream| stream.name)
            .collect::<Vec<_>>()
    };
    assert_eq!(names("job/", None, false), ["job/a", "job/b"]);
    assert_eq!(names("job/", None, true), ["job/b", "job/a"]);
    assert_eq!(names("job", Some("job/a"), false), ["job/b", "job0"]);
    assert_eq!(names("", Some("job/a"), true), ["job"]);
    let merged = |prefix| {
        store
            .merged(GROUP, Sources::Prefix(prefix), None, ALL)
            .unwrap()
            .len()
    };
    assert_eq!((merged("job/"), merged("jo"), merged("x")), (2, 5, 0));
}

#[tokio::test]
async fn streams_that_stay_where_they_are_are_listed_once_though_others_move() {
    let (_directory, store) = store();
    let write = async |stream: &str, last: u64| {
        let delivered = store.deliver(stream, GROUP, stream, lines(last..=last), 7);
        delivered.await.unwrap();
    };
    for (stream, last) in [("a", 2), ("b", 4), ("c", 4), ("d", 6), ("e", 8)] {
        write(stream, last).await;
    }
    let page = |ascending, after| {
        let found = store.streams_by_time(GROUP, ascending, after, 2).unwrap();
        found
            .into_iter()
            .map(|stream| stream.name)
            .collect::<Vec<_>>()
    };
    for (ascending, first, second) in [
        (true, ["a", "b"], ["c", "d"]),
        (false, ["e", "d"], ["c", "b"]),
    ] {
        assert_eq!(page(ascending, None), first);
        let last = if ascending { (1002, "b") } else { (1003, "d") };
        assert_eq!(page(ascending, Some(last)), second);
    }
    // The first of a page that was read moves behind all others.
    write("a", 10).await;
    assert_eq!(page(true, Some((1002, "b"))), ["c", "d"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn a_merge_is_what_sorting_everything_gives(
        streams in prop::collection::vec(prop::collection::vec(0i64..30, 1..90), 1..8),
        start in prop::option::of(0i64..30),
        end in prop::option::of(0i64..30),
        limit in 1u32..200,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (_directory, store) = store();
        let mut all = Vec::new();
        for (index, times) in streams.into_iter().enumerate() {
            let name = format!("s{index}");
            let event = |at| NewEvent { at, message: format!("{at}") };
            let events = (1..).zip(times.into_iter().map(event)).collect();
            runtime.block_on(store.deliver(&name, GROUP, &name, events, 7)).unwrap();
            let window = Window { limit: 1000, ..ALL };
            let stored = store.events(GROUP, &name, Position::START, Direction::Forward, window);
            all.extend(stored.unwrap().unwrap());
        }
        all.retain(|event| {
            start.is_none_or(|start| event.position.at >= start)
                && end.is_none_or(|end| event.position.at < end)
        });
        all.sort_by(|a, b| {
            let key = |e: &LogEvent| (e.position.at, e.stream.clone(), e.position.number);
            key(a).cmp(&key(b))
        });
        let window = Window { start, end, limit, ..ALL };
        let mut paged: Vec<LogEvent> = Vec::new();
        loop {
            let after = paged.last().map(|event| (event.stream.as_str(), event.position));
            let page = store.merged(GROUP, Sources::Prefix(""), after, window).unwrap();
            prop_assert!(page.len() <= limit as usize);
            if page.is_empty() {
                break;
            }
            paged.extend(page);
        }
        prop_assert_eq!(paged, all);
    }
}
