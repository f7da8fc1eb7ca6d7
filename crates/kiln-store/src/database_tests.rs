//! Groups of changes: what is durable together, and what fails together.

use super::*;

const SCHEMA: &[&str] = &["CREATE TABLE kiln (name TEXT PRIMARY KEY)"];

async fn insert(database: &Database, name: &str) -> Result<(), StoreError> {
    let name = name.to_owned();
    database
        .write(move |tx| {
            tx.execute("INSERT INTO kiln VALUES (?1)", [name])?;
            Ok(())
        })
        .await
}

fn count(database: &Database) -> i64 {
    database
        .read(|c| Ok::<_, StoreError>(c.query_row("SELECT count(*) FROM kiln", [], |r| r.get(0))?))
        .unwrap()
}

#[tokio::test]
async fn a_failed_change_undoes_itself_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::open(&directory.path().join("t.db"), SCHEMA).unwrap();
    let (a, b, c) = tokio::join!(
        insert(&database, "a"),
        insert(&database, "a"),
        insert(&database, "b")
    );
    assert!(a.is_ok() && b.is_err() && c.is_ok(), "{a:?} {b:?} {c:?}");
    assert_eq!(count(&database), 2);
}

#[tokio::test]
async fn what_was_answered_is_there_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.db");
    let database = Database::open(&path, SCHEMA).unwrap();
    insert(&database, "kept").await.unwrap();
    drop(database);
    assert_eq!(count(&Database::open(&path, SCHEMA).unwrap()), 1);
}

#[test]
fn a_file_from_a_newer_version_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.db");
    drop(Database::open(&path, &[SCHEMA[0], "CREATE TABLE later (x)"]).unwrap());
    let error = Database::open(&path, SCHEMA).unwrap_err();
    assert!(error.to_string().contains("newer"), "{error}");
}

/// Holds the writer, so that what is sent meanwhile makes up one group.
async fn as_one_group<T>(database: &Database, sent: impl Future<Output = T>) -> T {
    let (release, held) = std::sync::mpsc::channel::<()>();
    let (begun, holds) = tokio::sync::oneshot::channel();
    let holding = database.write(move |_| {
        let _ = begun.send(());
        let _ = held.recv();
        Ok::<_, StoreError>(())
    });
    let sending = async {
        holds.await.unwrap();
        tokio::pin!(sent);
        // Polled once, every change of it is in the queue.
        let early = poll_once(sent.as_mut()).await;
        assert!(early.is_none());
        drop(release);
        sent.await
    };
    let (held, answers) = tokio::join!(holding, sending);
    held.unwrap();
    answers
}

async fn poll_once<F: Future>(mut future: std::pin::Pin<&mut F>) -> Option<F::Output> {
    std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
        std::task::Poll::Ready(value) => std::task::Poll::Ready(Some(value)),
        std::task::Poll::Pending => std::task::Poll::Ready(None),
    })
    .await
}

/// Lets the file grow by no page more, as a full disk does.
async fn fill_the_disk(database: &Database) {
    database
        .write(|tx| {
            let pages: i64 = tx.pragma_query_value(None, "page_count", |row| row.get(0))?;
            tx.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
            Ok::<_, StoreError>(())
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn a_full_disk_fails_the_whole_group() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.db");
    let database = Database::open(&path, SCHEMA).unwrap();
    insert(&database, "kept").await.unwrap();
    fill_the_disk(&database).await;
    let large = "x".repeat(100_000);
    let sent = async {
        tokio::join!(
            insert(&database, "before"),
            insert(&database, &large),
            insert(&database, "after")
        )
    };
    let (before, large, after) = as_one_group(&database, sent).await;
    assert!(before.is_err() && large.is_err() && after.is_err());
    assert!(large.unwrap_err().to_string().contains("full"));
    insert(&database, "later").await.unwrap();
    drop(database);
    assert_eq!(count(&Database::open(&path, SCHEMA).unwrap()), 2);
}

#[tokio::test]
async fn a_change_that_panics_is_undone_and_the_others_stand() {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::open(&directory.path().join("t.db"), SCHEMA).unwrap();
    let panics = database.write(|tx| {
        tx.execute("INSERT INTO kiln VALUES ('half')", [])?;
        if tx.changes() > 0 {
            panic!("on purpose");
        }
        Ok::<_, StoreError>(())
    });
    let sent = async { tokio::join!(insert(&database, "a"), panics, insert(&database, "b")) };
    let (a, panicked, b) = as_one_group(&database, sent).await;
    assert!(a.is_ok() && b.is_ok(), "{a:?} {b:?}");
    assert!(matches!(panicked, Err(StoreError::Panicked)));
    assert_eq!(count(&database), 2);
}

#[tokio::test]
async fn a_change_that_ends_the_transaction_fails_the_whole_group() {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::open(&directory.path().join("t.db"), SCHEMA).unwrap();
    let ends = database.write(|tx| Ok::<_, StoreError>(tx.execute_batch("ROLLBACK")?));
    let sent = async { tokio::join!(insert(&database, "a"), ends, insert(&database, "b")) };
    let (a, ended, b) = as_one_group(&database, sent).await;
    assert!(a.is_err() && ended.is_err() && b.is_err());
    assert_eq!(count(&database), 0);
}
