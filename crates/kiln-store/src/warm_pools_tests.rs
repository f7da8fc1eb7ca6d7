//! Pools that are left, handed over once, and listed.

use super::*;
use crate::{JobIndex, ListQuery, NewJob, Store};

const KIND: &str = "training-job";

fn entry(status: &str, pool: Option<&str>, until: Option<i64>) -> WarmPoolEntry {
    WarmPoolEntry {
        status: status.to_owned(),
        document: format!("<{status}>"),
        pool: pool.map(str::to_owned),
        offer: until.map(|until| Offer {
            key: "key".to_owned(),
            until,
        }),
    }
}

fn change(warm_pool: Option<WarmPoolEntry>) -> JobChange {
    JobChange {
        request: None,
        state: String::new(),
        description: String::new(),
        index: JobIndex {
            status: "Completed".to_owned(),
            secondary: "Completed".to_owned(),
            created: 1,
            modified: 1,
            ended: Some(1),
        },
        announcements: Vec::new(),
        warm_pool,
    }
}

async fn create(store: &Store, name: &str) {
    let job = NewJob {
        kind: KIND,
        name: name.to_owned(),
        arn: format!("arn:{name}"),
        request: "{}".to_owned(),
        change: change(None),
        tags: Vec::new(),
    };
    store.jobs.create(job).await.unwrap();
}

async fn set(store: &Store, name: &str, entry: WarmPoolEntry) -> Result<(), StoreError> {
    let decide = |_| Ok((Some(change(Some(entry))), ()));
    store.jobs.change(KIND, name, decide).await
}

async fn take(store: &Store, from: &str, to: &str) -> Result<(), StoreError> {
    let given = change(Some(entry("Reused", None, None)));
    let taken = change(Some(entry("InUse", Some("p"), None)));
    store
        .warm_pools
        .hand_over(
            KIND,
            (from, to),
            Vec::new(),
            |_| Ok(given),
            |_| Ok((taken, ())),
        )
        .await
}

fn listed(store: &Store, status: &str) -> Vec<(String, Option<String>)> {
    let query = ListQuery {
        warm_pool: Some(status.to_owned()),
        limit: 10,
        ..ListQuery::default()
    };
    let jobs = store.jobs.list(KIND, &query).unwrap().into_iter();
    jobs.map(|job| (job.name, job.warm_pool)).collect()
}

async fn store(directory: &tempfile::TempDir) -> Store {
    let store = Store::open(directory.path()).unwrap();
    for name in ["a", "b", "c"] {
        create(&store, name).await;
    }
    store
}

#[tokio::test]
async fn a_pool_is_offered_until_it_ends_or_is_handed_over() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory).await;
    let pools = &store.warm_pools;
    assert_eq!(pools.offered(KIND, "key", 0).unwrap(), None);
    let left = entry("Available", Some("p"), Some(100));
    set(&store, "a", left).await.unwrap();
    let cases = [
        ("key", 99, Some("a")),
        ("key", 100, None),
        ("other", 0, None),
    ];
    for (key, now, expected) in cases {
        let offered = pools.offered(KIND, key, now).unwrap();
        assert_eq!(offered.as_deref(), expected, "{key} {now}");
    }

    take(&store, "a", "b").await.unwrap();
    assert_eq!(pools.offered(KIND, "key", 0).unwrap(), None);
    let held = [("b".to_owned(), "p".to_owned())];
    assert_eq!(pools.holders(KIND).unwrap(), held);
    let reused = [("a".to_owned(), Some("<Reused>".to_owned()))];
    assert_eq!(listed(&store, "Reused"), reused);
    assert!(listed(&store, "Available").is_empty());
}

#[tokio::test]
async fn no_two_jobs_hold_one_pool() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory).await;
    let left = entry("Available", Some("p"), Some(100));
    set(&store, "a", left.clone()).await.unwrap();
    assert!(set(&store, "b", left).await.is_err());
    take(&store, "a", "b").await.unwrap();
    // The giver does not hold it any more, and a decider that thinks so fails.
    assert!(take(&store, "a", "c").await.is_err());
    let held = [("b".to_owned(), "p".to_owned())];
    assert_eq!(store.warm_pools.holders(KIND).unwrap(), held);
    assert!(take(&store, "gone", "c").await.is_err());
}

#[tokio::test]
async fn a_deleted_job_is_in_no_list_and_holds_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory).await;
    set(&store, "a", entry("Terminated", None, None))
        .await
        .unwrap();
    assert_eq!(listed(&store, "Terminated").len(), 1);
    assert!(store.jobs.delete(KIND, "a").await.unwrap());
    create(&store, "a").await;
    assert!(listed(&store, "Terminated").is_empty());
}
