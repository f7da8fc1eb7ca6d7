//! Announcements are written with their change or not at all, and kept in order.

use super::*;
use crate::{JobChange, JobIndex, NewJob, Store};

const KIND: &str = "training-job";

fn about(subject: &str, id: &str) -> NewAnnouncement {
    NewAnnouncement {
        id: id.to_owned(),
        subject: subject.to_owned(),
        created: 7,
        body: format!("{{\"{id}\":1}}"),
    }
}

fn change(announcements: Vec<NewAnnouncement>) -> JobChange {
    JobChange {
        request: None,
        state: "{}".to_owned(),
        description: "{}".to_owned(),
        index: JobIndex {
            status: "InProgress".to_owned(),
            secondary: "Starting".to_owned(),
            created: 1,
            modified: 1,
            ended: None,
        },
        announcements,
        warm_pool: None,
    }
}

fn job(name: &str, announcements: Vec<NewAnnouncement>) -> NewJob {
    NewJob {
        kind: KIND,
        name: name.to_owned(),
        arn: name.to_owned(),
        request: "{}".to_owned(),
        change: change(announcements),
        tags: Vec::new(),
    }
}

fn open() -> (tempfile::TempDir, Store) {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    (directory, store)
}

async fn tell_more(store: &Store, name: &str, more: Vec<NewAnnouncement>) {
    let done: Result<(), StoreError> = store
        .jobs
        .change(KIND, name, |_| Ok((Some(change(more)), ())))
        .await;
    done.unwrap();
}

fn subjects(store: &Store, after: i64) -> Vec<String> {
    let found = store.announcements.subjects_after(after).unwrap();
    found.into_iter().map(|(_, subject)| subject).collect()
}

fn first(store: &Store, subject: &str) -> Option<Announcement> {
    store.announcements.first(subject).unwrap()
}

#[tokio::test]
async fn they_come_out_in_the_order_of_their_changes() {
    let (_directory, store) = open();
    store
        .jobs
        .create(job("a", vec![about("a", "a1")]))
        .await
        .unwrap();
    store
        .jobs
        .create(job("b", vec![about("b", "b1")]))
        .await
        .unwrap();
    tell_more(&store, "a", vec![about("a", "a2"), about("a", "a3")]).await;
    assert_eq!(subjects(&store, 0), ["a", "b", "a", "a"]);
    for id in ["a1", "a2", "a3"] {
        let next = first(&store, "a").unwrap();
        assert_eq!((next.id.as_str(), next.created), (id, 7));
        assert_eq!(next.body, format!("{{\"{id}\":1}}"));
        store.announcements.remove(next.number).await.unwrap();
    }
    assert_eq!(first(&store, "a"), None);
    assert_eq!(subjects(&store, 0), ["b"]);
}

#[tokio::test]
async fn a_change_that_does_not_happen_announces_nothing() {
    let (_directory, store) = open();
    store.jobs.create(job("a", Vec::new())).await.unwrap();
    let taken = store.jobs.create(job("a", vec![about("a", "a1")])).await;
    assert!(matches!(taken, Err(StoreError::NameTaken)));
    let undone: Result<(), StoreError> = store
        .instances
        .deliver("nobody", 1, |_, _| {
            Ok((Some(change(vec![about("a", "a2")])), ()))
        })
        .await;
    assert!(undone.is_err());
    assert_eq!(subjects(&store, 0), Vec::<String>::new());
}

#[tokio::test]
async fn numbers_grow_even_past_those_that_are_gone() {
    let (directory, store) = open();
    store
        .jobs
        .create(job("a", vec![about("a", "a1")]))
        .await
        .unwrap();
    let one = first(&store, "a").unwrap().number;
    store.announcements.remove(one).await.unwrap();
    drop(store);
    let store = Store::open(directory.path()).unwrap();
    tell_more(&store, "a", vec![about("a", "a2")]).await;
    assert_eq!(subjects(&store, one), ["a"]);
}

#[tokio::test]
async fn a_commit_is_noticed() {
    let (_directory, store) = open();
    let mut commits = store.announcements.commits();
    commits.borrow_and_update();
    store
        .jobs
        .create(job("a", vec![about("a", "a1")]))
        .await
        .unwrap();
    commits.changed().await.unwrap();
    assert_eq!(subjects(&store, 0), ["a"]);
}
