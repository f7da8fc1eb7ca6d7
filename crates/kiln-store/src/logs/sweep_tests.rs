//! What users do with groups and streams, and what is swept away after them.

use super::sweep::expiry;
use super::*;

const GROUP: &str = "/g";
const DAY: i64 = 86_400_000;
const ALL: Window = Window {
    start: None,
    end: None,
    limit: 10_000,
    bytes: usize::MAX,
};

async fn store() -> (tempfile::TempDir, LogStore) {
    let directory = tempfile::tempdir().unwrap();
    let store = LogStore::open(&directory.path().join("logs.db")).unwrap();
    store.create_group(GROUP, 1).await.unwrap();
    (directory, store)
}

async fn write(store: &LogStore, stream: &str, times: impl Iterator<Item = i64>) {
    store.create_stream(GROUP, stream, 1).await.unwrap();
    let message = "x".to_owned();
    let event = |at| NewEvent {
        at,
        message: message.clone(),
    };
    let events = times.map(event).collect();
    assert!(store.put(GROUP, stream, events, 1).await.unwrap());
}

fn times(store: &LogStore, stream: &str) -> Option<Vec<i64>> {
    let found = store.events(GROUP, stream, Position::START, Direction::Forward, ALL);
    let times = |events: Vec<LogEvent>| events.iter().map(|event| event.position.at).collect();
    found.unwrap().map(times)
}

/// Sweeps until nothing is left to do; answers how often that was.
async fn sweep(store: &LogStore, now: i64) -> u32 {
    let mut count = 0;
    while store.sweep(now).await.unwrap() {
        count += 1;
    }
    count
}

fn events_stored(store: &LogStore) -> i64 {
    let count = |connection: &rusqlite::Connection| {
        Ok::<_, StoreError>(
            connection.query_row("SELECT count(*) FROM events", [], |row| row.get(0))?,
        )
    };
    store.database.read(count).unwrap()
}

#[tokio::test]
async fn what_users_write_is_ordered_by_its_own_time() {
    let (_directory, store) = store().await;
    assert!(!store.create_group(GROUP, 2).await.unwrap());
    write(&store, "s", [5, 7].into_iter()).await;
    write(&store, "s", [1, 6].into_iter()).await;
    assert_eq!(times(&store, "s").unwrap(), [1, 5, 6, 7]);
    let listed = store.streams(GROUP, "", None, false, 9).unwrap();
    assert_eq!((listed[0].first_event, listed[0].last_event), (Some(1), 7));
    let missing = store.put(GROUP, "t", Vec::new(), 1).await.unwrap();
    assert!(!missing);
    assert!(matches!(
        store.create_stream("/other", "s", 1).await,
        Err(StoreError::NoSuchResource)
    ));
}

#[tokio::test]
async fn a_stream_without_events_is_listed_and_merges_as_nothing() {
    let (_directory, store) = store().await;
    assert!(store.create_stream(GROUP, "empty", 3).await.unwrap());
    assert!(!store.create_stream(GROUP, "empty", 4).await.unwrap());
    write(&store, "s", 1..3).await;
    let listed = store.streams(GROUP, "empty", None, false, 9).unwrap();
    assert_eq!((listed[0].first_event, listed[0].created), (None, 3));
    assert_eq!(times(&store, "empty").unwrap(), [0; 0]);
    let merged = store.merged(GROUP, Sources::Prefix(""), None, ALL).unwrap();
    assert_eq!(merged.len(), 2);
}

#[tokio::test]
async fn what_has_expired_is_deleted_in_small_batches_and_nothing_else() {
    let (_directory, store) = store().await;
    let now = 100 * DAY;
    write(&store, "old", (0..2500).map(|n| 97 * DAY + n)).await;
    write(
        &store,
        "mixed",
        [96 * DAY, 98 * DAY - 1, 98 * DAY, now].into_iter(),
    )
    .await;
    assert_eq!(sweep(&store, now).await, 0);
    assert!(store.keep_for(GROUP, Some(2)).await.unwrap());
    assert_eq!(expiry(2, now), 98 * DAY);
    assert_eq!(sweep(&store, now).await, 4);
    assert_eq!(times(&store, "old").unwrap(), [0; 0]);
    assert_eq!(times(&store, "mixed").unwrap(), [98 * DAY, now]);
    let group = store.group(GROUP).unwrap().unwrap();
    assert_eq!((group.stored_bytes, group.retention), (2, Some(2)));
    store.keep_for(GROUP, None).await.unwrap();
    assert_eq!(sweep(&store, now + 999 * DAY).await, 0);
    assert!(!store.keep_for("/other", Some(1)).await.unwrap());
}

#[tokio::test]
async fn what_is_deleted_is_gone_at_once_and_swept_away_later() {
    let (_directory, store) = store().await;
    write(&store, "s", 0..1500).await;
    write(&store, "t", 0..10).await;
    assert!(store.delete_stream(GROUP, "s").await.unwrap());
    assert!(!store.delete_stream(GROUP, "s").await.unwrap());
    assert_eq!(times(&store, "s"), None);
    assert_eq!(store.group(GROUP).unwrap().unwrap().stored_bytes, 10);
    // The name is free, and what is written under it now is not swept away.
    write(&store, "s", 3..6).await;
    assert_eq!(sweep(&store, 0).await, 2);
    assert_eq!(times(&store, "s").unwrap(), [3, 4, 5]);
    assert_eq!(events_stored(&store), 13);

    assert!(store.delete_group(GROUP).await.unwrap());
    assert!(!store.delete_group(GROUP).await.unwrap());
    assert_eq!(store.group(GROUP).unwrap(), None);
    assert_eq!(store.streams(GROUP, "", None, false, 9).unwrap(), []);
    sweep(&store, 0).await;
    assert_eq!(events_stored(&store), 0);
    // A job that still runs goes on in a stream of the same name.
    let event = NewEvent {
        at: 9,
        message: "on".to_owned(),
    };
    store
        .deliver("i", GROUP, "s", vec![(7, event)], 9)
        .await
        .unwrap();
    assert_eq!(times(&store, "s").unwrap(), [9]);
}

#[tokio::test]
async fn groups_have_tags_while_they_are_there() {
    let (_directory, store) = store().await;
    let tag = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    store
        .tag_group(GROUP, vec![tag("b", "1"), tag("a", "2")])
        .await
        .unwrap();
    store.tag_group(GROUP, vec![tag("b", "3")]).await.unwrap();
    assert_eq!(
        store.group_tags(GROUP).unwrap(),
        [tag("a", "2"), tag("b", "3")]
    );
    store
        .untag_group(GROUP, vec!["a".to_owned(), "x".to_owned()])
        .await
        .unwrap();
    assert_eq!(store.group_tags(GROUP).unwrap(), [tag("b", "3")]);
    let many = (0..50).map(|n| tag(&n.to_string(), "")).collect();
    assert!(matches!(
        store.tag_group(GROUP, many).await,
        Err(StoreError::TooManyTags)
    ));
    assert_eq!(store.group_tags(GROUP).unwrap().len(), 1);
    store.delete_group(GROUP).await.unwrap();
    assert!(store.tag_group(GROUP, Vec::new()).await.is_err());
    store.create_group(GROUP, 1).await.unwrap();
    assert_eq!(store.group_tags(GROUP).unwrap(), []);
}
