//! Reading past the network, from files that are or are not the object.

use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use kiln_data::channel::Shard;
use kiln_data::{DataError, LocalBodies, LocalBody, ObjectHead, Objects};
use tempfile::NamedTempFile;

use crate::downloading::{download, prefix};
use crate::reading::collect;
use crate::store::{Fault, Store};

const SIZE: u64 = 3 << 20;

/// What is said otherwise of the object than the store says.
type Change<'a> = &'a dyn Fn(&mut ObjectHead);

/// One file, which is said to be every object.
struct Shown {
    file: NamedTempFile,
    head: ObjectHead,
}

impl LocalBodies for Shown {
    fn find<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Option<LocalBody>> {
        let opened = self.file.reopen();
        let shown = opened.ok().map(|file: File| LocalBody {
            file,
            head: self.head.clone(),
        });
        async { shown }.boxed()
    }
}

fn text() -> Vec<u8> {
    (0..SIZE as u32 / 4).flat_map(u32::to_le_bytes).collect()
}

/// A store, and a client that is shown a file of these bytes for its object.
async fn shown(bytes: &[u8], change: impl Fn(&mut ObjectHead)) -> (Store, Objects) {
    let store = Store::start().await;
    store.put("key", text());
    let objects = store.client();
    let mut head = objects.head("b", "key").await.unwrap();
    change(&mut head);
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let objects = objects.with_local_bodies(Arc::new(Shown { file, head }));
    (store, objects)
}

async fn read(objects: &Objects, size: Option<u64>) -> Result<Vec<u8>, DataError> {
    collect(objects.read_listed("b", "key", size).await?).await
}

/// What the store was asked for, beyond the object's head.
fn asked(store: &Store) -> Vec<String> {
    store.ranges().split_off(1)
}

#[tokio::test]
async fn a_long_object_is_read_from_its_file_and_others_are_asked_for() {
    for (size, requests) in [(Some(SIZE), 0), (Some(1000), 1), (None, 1)] {
        let (store, objects) = shown(&text(), |_| {}).await;
        assert!(read(&objects, size).await.unwrap() == text());
        assert_eq!(asked(&store).len(), requests, "{size:?}");
    }
}

#[tokio::test]
async fn a_file_that_ends_too_early_is_gone_on_with_from_the_store() {
    let (store, objects) = shown(&text()[..1 << 20], |_| {}).await;
    assert!(read(&objects, Some(SIZE)).await.unwrap() == text());
    assert_eq!(asked(&store), ["bytes=1048576-3145727"]);
}

#[tokio::test]
async fn a_damaged_file_is_found_out() {
    let mut damaged = text();
    damaged[2 << 20] ^= 1;
    let (_store, objects) = shown(&damaged, |_| {}).await;
    let error = read(&objects, Some(SIZE)).await.unwrap_err();
    assert!(matches!(error, DataError::Corrupt(_)), "{error}");
}

#[tokio::test]
async fn a_pinned_range_comes_from_the_file_of_that_very_object() {
    let long: Range<u64> = 5..SIZE - 7;
    let other = |head: &mut ObjectHead| head.etag = Some("\"other\"".to_owned());
    let short = |head: &mut ObjectHead| head.size = Some(SIZE - 8);
    let cases: [(Change<'_>, Range<u64>, usize); 4] = [
        (&|_| {}, long.clone(), 0),
        (&|_| {}, 5..100, 1),
        (&other, long.clone(), 1),
        (&short, long, 1),
    ];
    for (change, range, requests) in cases {
        let (store, objects) = shown(&text(), change).await;
        let tag = store.client().head("b", "key").await.unwrap().etag;
        let body = objects
            .read_range("b", "key", range.clone(), tag.as_deref())
            .await;
        let bytes = collect(body.unwrap()).await.unwrap();
        let place = range.start as usize..range.end as usize;
        assert!(bytes == text()[place]);
        assert_eq!(asked(&store).len(), requests + 1, "{range:?}");
    }
}

#[tokio::test]
async fn a_body_that_breaks_is_gone_on_with_from_the_file() {
    let (store, objects) = shown(&text(), |_| {}).await;
    store.then([Fault::CutAfter(1000)]);
    assert!(read(&objects, None).await.unwrap() == text());
    assert_eq!(asked(&store), [""]);
}

#[tokio::test]
async fn a_channel_s_file_is_copied_and_held_against_its_checksum() {
    let mut damaged = text();
    damaged[2 << 20] ^= 1;
    let cases = [
        (text(), Ok(text()), false),
        (text()[..1 << 20].to_vec(), Ok(text()), true),
        (damaged, Err(()), false),
    ];
    for (bytes, expected, fetched) in cases {
        let (store, objects) = shown(&bytes, |_| {}).await;
        let root = tempfile::tempdir().unwrap();
        let outcome = download(&objects, &prefix("key"), Shard::WHOLE, root.path()).await;
        let path = root.path().join("data/key");
        match expected {
            Ok(expected) => {
                outcome.unwrap();
                assert!(std::fs::read(path).unwrap() == expected);
            }
            Err(()) => {
                let error = outcome.unwrap_err();
                assert!(matches!(error, DataError::Corrupt(_)), "{error}");
                assert!(!path.exists());
            }
        }
        // The listing is a request as well.
        assert_eq!(asked(&store).len() > 1, fetched);
    }
}
