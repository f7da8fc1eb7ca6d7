//! Jobs as the store keeps them: names, changes, lists and deliveries.

use super::*;
use crate::instances::Instance;
use crate::{SortKey, Store};

const KIND: &str = "training-job";

fn index(created: i64) -> JobIndex {
    let text = |s: &str| s.to_owned();
    JobIndex {
        status: text("InProgress"),
        secondary: text("Starting"),
        created,
        modified: created,
        ended: None,
    }
}

fn change(state: &str, created: i64) -> JobChange {
    JobChange {
        request: None,
        state: state.to_owned(),
        description: format!("<{state}>"),
        index: index(created),
        announcements: Vec::new(),
        warm_pool: None,
    }
}

fn ended(created: i64) -> JobChange {
    let mut change = change("ended", created);
    change.index.ended = Some(created);
    change
}

async fn end(store: &Store, name: &str) {
    let done: Result<(), StoreError> = store
        .jobs
        .change(KIND, name, |_| Ok((Some(ended(1)), ())))
        .await;
    done.unwrap();
}

fn job(name: &str, created: i64) -> NewJob {
    NewJob {
        kind: KIND,
        name: name.to_owned(),
        arn: format!("arn:{}", name.to_lowercase()),
        request: "{}".to_owned(),
        change: change("new", created),
        tags: vec![("team".to_owned(), "blue".to_owned())],
    }
}

fn instance(id: &str, job: &str) -> Instance {
    Instance {
        id: id.to_owned(),
        kind: KIND.to_owned(),
        job: job.to_owned(),
        attempt: 1,
        host: "algo-1".to_owned(),
        log_stream: format!("{job}/algo-1-0"),
        claim: String::new(),
        delivered: 0,
    }
}

fn open() -> (tempfile::TempDir, Store) {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    (directory, store)
}

#[tokio::test]
async fn a_name_is_taken_once_whatever_its_case() {
    let (_directory, store) = open();
    store.jobs.create(job("Job", 1)).await.unwrap();
    let again = store.jobs.create(job("job", 2)).await;
    assert!(matches!(again, Err(StoreError::NameTaken)), "{again:?}");
}

#[tokio::test]
async fn a_refused_change_leaves_the_job_as_it_was() {
    let (_directory, store) = open();
    store.jobs.create(job("a", 1)).await.unwrap();
    let refused: Result<(), StoreError> = store
        .jobs
        .change(KIND, "a", |_| Err(StoreError::NoSuchResource))
        .await;
    assert!(refused.is_err());
    assert_eq!(store.jobs.description(KIND, "a").unwrap().unwrap(), "<new>");
    let changed: Result<(), StoreError> = store
        .jobs
        .change(KIND, "a", |_| Ok((Some(change("next", 1)), ())))
        .await;
    changed.unwrap();
    assert_eq!(
        store.jobs.description(KIND, "a").unwrap().unwrap(),
        "<next>"
    );
}

#[tokio::test]
async fn pages_cover_every_job_once_in_both_orders() {
    let (_directory, store) = open();
    for n in 0..25 {
        store
            .jobs
            .create(job(&format!("job-{n:02}"), n / 3))
            .await
            .unwrap();
    }
    for descending in [false, true] {
        for sort in [SortKey::Created, SortKey::Name, SortKey::Status] {
            let mut query = ListQuery {
                sort,
                descending,
                limit: 4,
                ..ListQuery::default()
            };
            let mut names = Vec::new();
            loop {
                let page = store.jobs.list(KIND, &query).unwrap();
                let Some(last) = page.last() else { break };
                query.after = Some(last.place.clone());
                names.extend(page.into_iter().map(|summary| summary.name));
            }
            if descending {
                names.reverse();
            }
            let expected: Vec<_> = (0..25).map(|n| format!("job-{n:02}")).collect();
            assert_eq!(names, expected, "{sort:?} {descending}");
        }
    }
}

#[tokio::test]
async fn lists_are_narrowed_by_name_and_time() {
    let (_directory, store) = open();
    for (name, created) in [("alpha", 1), ("Beta", 2), ("alphabet", 3)] {
        store.jobs.create(job(name, created)).await.unwrap();
    }
    let names = |query: ListQuery| -> Vec<String> {
        let page = store
            .jobs
            .list(KIND, &ListQuery { limit: 9, ..query })
            .unwrap();
        page.into_iter().map(|summary| summary.name).collect()
    };
    let containing = |text: &str| ListQuery {
        name_contains: Some(text.to_owned()),
        ..ListQuery::default()
    };
    assert_eq!(names(containing("BET")), ["Beta", "alphabet"]);
    assert_eq!(
        names(ListQuery {
            created_after: Some(2),
            ..containing("a")
        }),
        ["Beta", "alphabet"]
    );
    assert_eq!(
        names(ListQuery {
            created_before: Some(1),
            ..containing("a")
        }),
        ["alpha"]
    );
}

#[tokio::test]
async fn tags_live_and_die_with_their_job() {
    let (_directory, store) = open();
    store.jobs.create(job("a", 1)).await.unwrap();
    let more = vec![
        ("team".to_owned(), "red".to_owned()),
        ("x".to_owned(), "y".to_owned()),
    ];
    let all = store.tags.add("arn:a", more.clone()).await.unwrap();
    assert_eq!(all, more);
    store
        .tags
        .delete("arn:a", vec!["x".to_owned(), "absent".to_owned()])
        .await
        .unwrap();
    assert_eq!(store.tags.list("arn:a").unwrap(), more[..1]);
    assert!(
        !store.jobs.delete(KIND, "a").await.unwrap(),
        "it has not ended"
    );
    end(&store, "a").await;
    assert!(store.jobs.delete(KIND, "a").await.unwrap());
    assert!(matches!(
        store.tags.list("arn:a"),
        Err(StoreError::NoSuchResource)
    ));
    store.jobs.create(job("a", 2)).await.unwrap();
    assert_eq!(store.tags.list("arn:a").unwrap(), job("a", 2).tags);
}

#[tokio::test]
async fn a_report_that_comes_twice_is_seen_as_old() {
    let (_directory, store) = open();
    store.jobs.create(job("a", 1)).await.unwrap();
    let instance = instance("i-1", "a");
    let placed: Result<(), StoreError> = store
        .instances
        .place((KIND, "a"), vec![instance], |_| {
            Ok((change("placed", 1), ()))
        })
        .await;
    placed.unwrap();
    for (last, expected) in [(5, 0), (3, 5), (9, 5)] {
        let before: Result<u64, StoreError> = store
            .instances
            .deliver("i-1", last, |before, _| Ok((None, before)))
            .await;
        assert_eq!(before.unwrap(), expected);
    }
    assert_eq!(store.instances.find("i-1").unwrap().unwrap().delivered, 9);
}

#[tokio::test]
async fn a_job_of_the_same_name_inherits_no_instance() {
    let (_directory, store) = open();
    store.jobs.create(job("a", 1)).await.unwrap();
    let placed: Result<(), StoreError> = store
        .instances
        .place((KIND, "a"), vec![instance("i-1", "a")], |_| {
            Ok((change("placed", 1), ()))
        })
        .await;
    placed.unwrap();
    end(&store, "a").await;
    store.jobs.delete(KIND, "a").await.unwrap();
    store.jobs.create(job("a", 2)).await.unwrap();
    assert_eq!(store.instances.find("i-1").unwrap(), None);
}

#[tokio::test]
async fn a_list_is_narrowed_by_what_jobs_do() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    for (name, label) in [
        ("a", "Quantization"),
        ("b", "Quantization Sharding"),
        ("c", ""),
    ] {
        let mut job = job(name, 1);
        job.change.index.secondary = label.to_owned();
        store.jobs.create(job).await.unwrap();
    }
    let found = |label: &str| {
        let query = ListQuery {
            label_contains: Some(label.to_owned()),
            limit: 9,
            ..ListQuery::default()
        };
        let found = store.jobs.list(KIND, &query).unwrap();
        found.into_iter().map(|job| job.name).collect::<String>()
    };
    for (label, names) in [
        ("quantization", "ab"),
        ("Sharding", "b"),
        ("Compilation", ""),
    ] {
        assert_eq!(found(label), names, "{label}");
    }
}
