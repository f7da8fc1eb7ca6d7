//! Storing objects whose answers get lost.

use std::fs::File;
use std::future::pending;
use std::io;

use bytes::Bytes;
use kiln_data::upload::{Journal, Turn, Uploader};
use kiln_data::{DataError, Objects};

use crate::store::{Fault, Store};

async fn upload(objects: &Objects, store: &Store, fault: Fault) -> Result<(), DataError> {
    let target = ("b", "key");
    let upload = objects.begin_upload("b", "key").await.unwrap();
    let mut tags = Vec::new();
    for number in 1..=3 {
        let body = Bytes::from(vec![b'0' + number as u8; 4]);
        let tag = objects.upload_part(target, &upload, number, body).await;
        tags.push(tag.unwrap());
    }
    store.then([fault]);
    objects.complete_upload(target, &upload, &tags).await
}

#[tokio::test]
async fn a_completed_upload_stands_even_when_its_answer_is_lost() {
    for fault in [
        Fault::None,
        Fault::HangUp,
        Fault::LoseAnswer,
        Fault::Refuse("503 Slow Down", "SlowDown"),
        // The beginning of an answer can say 200 before the end is known.
        Fault::Refuse("200 OK", "InternalError"),
    ] {
        let store = Store::start().await;
        upload(&store.client(), &store, fault).await.unwrap();
        assert_eq!(store.body("key").unwrap(), b"111122223333");
    }
}

#[tokio::test]
async fn an_upload_that_another_object_took_the_place_of_is_not_taken_for_done() {
    let store = Store::start().await;
    let objects = store.client();
    let tags = vec!["\"00000000000000000000000000000000\"".to_owned()];
    store.put("key", "older");
    store.then([Fault::HangUp]);
    let lost = objects.complete_upload(("b", "key"), "gone", &tags).await;
    assert!(
        matches!(&lost, Err(DataError::Refused { code, .. }) if code == "NoSuchUpload"),
        "{lost:?}"
    );
    let refused = upload(&objects, &store, Fault::Refuse("200 OK", "AccessDenied")).await;
    assert_eq!(
        refused.unwrap_err().to_string(),
        "AccessDenied: It said AccessDenied"
    );
}

/// A journal on a disk that is full when an upload comes to this turn, or before all of them.
struct FullAt(Option<Turn>);

impl FullAt {
    fn write(&self, turn: Option<Turn>) -> io::Result<()> {
        match turn == self.0 {
            true => Err(io::ErrorKind::StorageFull.into()),
            false => Ok(()),
        }
    }
}

impl Journal for FullAt {
    fn intend(&self, _: &str) -> io::Result<()> {
        self.write(None)
    }

    fn note(&self, turn: Turn, _: &str, _: &str) -> io::Result<()> {
        self.write(Some(turn))
    }
}

#[tokio::test]
async fn an_upload_that_cannot_be_written_down_fails_and_is_forgotten() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("file");
    std::fs::write(&path, "body").unwrap();
    let cases = [
        (None, None),
        (Some(Turn::Begun), Some("DELETE")),
        (Some(Turn::Completing), Some("DELETE")),
    ];
    for (turn, last) in cases {
        let store = Store::start().await;
        let uploader = Uploader::new(&store.client());
        let (file, journal) = (File::open(&path).unwrap(), FullAt(turn));
        let stored = uploader.store_unless(file, ("b", "key"), &journal, pending::<()>());
        let error = stored.await.unwrap_err();
        assert!(matches!(error, DataError::Io { .. }), "{error}");
        assert_eq!(store.body("key"), None);
        let asked = store.seen(|seen| seen.method.clone());
        assert_eq!(asked.last().map(String::as_str), last, "{turn:?}");
    }
}

#[tokio::test]
async fn what_is_written_asks_for_its_key() {
    let store = Store::start().await;
    let objects = store.client();
    objects
        .put("b", "a key+", Bytes::from_static(b"x"))
        .await
        .unwrap();
    assert_eq!(store.body("a key+").unwrap(), b"x");
    objects.begin_upload("b", "key").await.unwrap();
    objects.head("b", "a key+").await.unwrap();
    objects.delete("b", "a key+").await.unwrap();
    assert_eq!(store.body("a key+"), None);
    let name = "x-amz-server-side-encryption-aws-kms-key-id";
    let asked = store.seen(|seen| {
        let signed = seen.query("X-Amz-SignedHeaders").unwrap().contains(name);
        assert_eq!(signed, seen.headers.contains_key(name));
        (seen.method.clone(), signed)
    });
    let expected = [
        ("PUT", true),
        ("POST", true),
        ("HEAD", false),
        ("DELETE", false),
    ];
    assert_eq!(
        asked,
        expected.map(|(method, signed)| (method.to_owned(), signed))
    );
}
