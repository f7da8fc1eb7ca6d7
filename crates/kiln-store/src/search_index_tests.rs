//! The index of searches: what is marked, and what columns come back.

use super::*;
use crate::{JobChange, JobIndex, NewJob, Store};

const KIND: &str = "training-job";

fn open() -> (tempfile::TempDir, Store) {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    (directory, store)
}

fn change() -> JobChange {
    JobChange {
        request: None,
        state: "{}".to_owned(),
        description: "{}".to_owned(),
        index: JobIndex {
            status: "Completed".to_owned(),
            secondary: "Completed".to_owned(),
            created: 1,
            modified: 1,
            ended: Some(1),
        },
        announcements: Vec::new(),
        warm_pool: None,
    }
}

async fn create(store: &Store, kind: &'static str, name: &str) {
    let job = NewJob {
        kind,
        name: name.to_owned(),
        arn: format!("arn:{kind}/{name}"),
        request: "{}".to_owned(),
        change: change(),
        tags: vec![("team".to_owned(), "blue".to_owned())],
    };
    store.jobs.create(job).await.unwrap();
}

/// A visit of all blocks.
fn whole(descending: bool) -> Visit {
    Visit {
        descending,
        visits: 1,
        number: 0,
    }
}

fn marked(store: &Store) -> Vec<i64> {
    let marks = store.search.marks(100).unwrap();
    marks.iter().map(|mark| mark.row).collect()
}

async fn unmark_all(store: &Store) {
    let marks = store.search.marks(100).unwrap();
    store.search.unmark(marks).await.unwrap();
    assert!(marked(store).is_empty());
}

#[tokio::test]
async fn whatever_a_search_could_notice_marks_a_job() {
    let (_directory, store) = open();
    create(&store, KIND, "a").await;
    create(&store, "compilation-job", "b").await;
    create(&store, KIND, "c").await;
    assert_eq!(marked(&store), [1, 3]);
    unmark_all(&store).await;

    let changed: Result<(), StoreError> = store
        .jobs
        .change(KIND, "a", |_| Ok((Some(change()), ())))
        .await;
    changed.unwrap();
    assert_eq!(marked(&store), [1]);
    unmark_all(&store).await;

    let arn = "arn:training-job/c";
    for value in ["red", "green"] {
        let tag = ("team".to_owned(), value.to_owned());
        store.tags.add(arn, vec![tag]).await.unwrap();
        assert_eq!(marked(&store), [3], "{value}");
        unmark_all(&store).await;
    }
    store
        .tags
        .delete(arn, vec!["team".to_owned()])
        .await
        .unwrap();
    assert_eq!(marked(&store), [3]);
    unmark_all(&store).await;

    store.jobs.delete(KIND, "a").await.unwrap();
    store.jobs.delete("compilation-job", "b").await.unwrap();
    assert_eq!(marked(&store), [1]);
}

#[tokio::test]
async fn a_job_that_changed_again_stays_marked() {
    let (_directory, store) = open();
    create(&store, KIND, "a").await;
    let before = store.search.marks(100).unwrap();
    let changed: Result<(), StoreError> = store
        .jobs
        .change(KIND, "a", |_| Ok((Some(change()), ())))
        .await;
    changed.unwrap();
    store.search.unmark(before).await.unwrap();
    assert_eq!(marked(&store), [1]);
}

#[tokio::test]
async fn an_index_that_was_lost_is_behind_with_all_jobs() {
    let (directory, store) = open();
    store.search.bind("c").await.unwrap();
    create(&store, KIND, "a").await;
    let change = store.search.marks(1).unwrap()[0].change;
    store.search.write(0, Vec::new(), change).await.unwrap();
    unmark_all(&store).await;
    drop(store);
    for (catalogue, lost, expected) in [("c", false, vec![]), ("c", true, vec![1])] {
        if lost {
            for file in ["search.db", "search.db-wal", "search.db-shm"] {
                let _ = std::fs::remove_file(directory.path().join(file));
            }
        }
        let store = Store::open(directory.path()).unwrap();
        store.search.bind(catalogue).await.unwrap();
        assert_eq!(marked(&store), expected);
    }
}

#[tokio::test]
async fn an_index_of_other_properties_is_emptied() {
    let (_directory, store) = open();
    store.search.bind("c").await.unwrap();
    create(&store, KIND, "a").await;
    let marks = store.search.marks(100).unwrap();
    let columns = vec![("name".to_owned(), b"1".to_vec())];
    store
        .search
        .write(0, columns, marks[0].change)
        .await
        .unwrap();
    store.search.unmark(marks).await.unwrap();
    let blocks = || {
        let mut blocks = 0;
        let visit = |_: &SearchBlock<'_>| -> Result<(), StoreError> {
            blocks += 1;
            Ok(())
        };
        store.search.visit(&["name"], whole(false), visit).unwrap();
        blocks
    };
    store.search.bind("c").await.unwrap();
    assert_eq!((blocks(), marked(&store)), (1, vec![]));
    store.search.bind("d").await.unwrap();
    assert_eq!((blocks(), marked(&store)), (0, vec![1]));
}

#[tokio::test]
async fn blocks_are_visited_as_they_were_last_written() {
    let (_directory, store) = open();
    let column = |property: &str, content: &[u8]| (property.to_owned(), content.to_vec());
    let first = vec![column("name", b"1"), column("size", b"2")];
    store.search.write(0, first, 0).await.unwrap();
    let second = vec![column("name", b"3"), column("place", b"4")];
    store.search.write(7, second, 0).await.unwrap();
    let rewritten = vec![column("name", b"long"), column("place", b"6")];
    store.search.write(0, rewritten, 0).await.unwrap();
    for descending in [false, true] {
        let mut seen = Vec::new();
        let visited: Result<(), StoreError> =
            store
                .search
                .visit(&["name", "size", "place"], whole(descending), |block| {
                    let column = |place| Ok(block.column(place)?.map(<[u8]>::to_vec));
                    let columns: Result<Vec<_>, StoreError> = (0..3).map(column).collect();
                    seen.push((block.block, columns?));
                    Ok(())
                });
        visited.unwrap();
        let some = |content: &[u8]| Some(content.to_vec());
        let mut expected = vec![
            (0, vec![some(b"long"), None, some(b"6")]),
            (7, vec![some(b"3"), None, some(b"4")]),
        ];
        if descending {
            expected.reverse();
        }
        assert_eq!(seen, expected);
    }
    for (number, only) in [(0, 0), (1, 7)] {
        let (visits, mut seen) = (2, Vec::new());
        let visit = Visit {
            visits,
            number,
            ..whole(false)
        };
        let visited: Result<(), StoreError> = store.search.visit(&["name"], visit, |block| {
            seen.push(block.block);
            Ok(())
        });
        visited.unwrap();
        assert_eq!(seen, [only]);
    }
}

#[tokio::test]
async fn a_block_has_the_jobs_of_its_rows() {
    let (_directory, store) = open();
    for number in 0..3 {
        create(&store, KIND, &format!("job-{number}")).await;
    }
    create(&store, "compilation-job", "other").await;
    let documents = store.search.documents(KIND, 0).unwrap();
    let rows: Vec<i64> = documents.iter().map(|one| one.place.row).collect();
    assert_eq!(rows, [1, 2, 3]);
    assert_eq!(documents[0].tags.len(), 1);
    assert!(store.search.documents(KIND, 1).unwrap().is_empty());
}
