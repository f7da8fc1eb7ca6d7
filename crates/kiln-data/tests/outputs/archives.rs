//! Archives that are streamed.

use std::fs;
use std::io::Read;
use std::path::Path;

use kiln_data::{DataError, archive};

use crate::material::noise;
use crate::store::{BUCKET, Store};

fn only_file(archive: &[u8]) -> (String, Vec<u8>) {
    let mut tar = tar::Archive::new(flate2::bufread::GzDecoder::new(archive));
    let mut entries = tar.entries().unwrap();
    let mut entry = entries.next().unwrap().unwrap();
    let mut body = Vec::new();
    entry.read_to_end(&mut body).unwrap();
    let name = entry.path().unwrap().display().to_string();
    assert!(entries.next().is_none());
    (name, body)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_archive_goes_in_parts_and_comes_back() {
    let store = Store::start().await;
    let directory = tempfile::tempdir().unwrap();
    let body = noise((40 << 20) + 12_345);
    fs::write(directory.path().join("weights"), &body).unwrap();
    let target = (BUCKET, "job/output/model.tar.gz");
    let roots = [directory.path()];
    let size = archive::upload(&store.client, &roots, target)
        .await
        .unwrap();
    let objects = store.objects().await;
    let stored = &objects[target.1];
    assert_eq!(size, stored.len() as u64);
    assert!(only_file(stored) == ("weights".to_owned(), body));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_archive_is_stored_at_once() {
    let store = Store::start().await;
    store.only(|action, _| action != "s3:AbortMultipartUpload");
    let roots = [Path::new("/absent")];
    let uploaded = archive::upload(&store.client, &roots, (BUCKET, "empty")).await;
    let size = uploaded.unwrap();
    assert_eq!(store.objects().await["empty"].len() as u64, size);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archive_that_is_refused_half_way_leaves_nothing() {
    let store = Store::start().await;
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("weights"), noise(40 << 20)).unwrap();
    let mut allowed = 3;
    store.only(move |action, _| {
        allowed -= i32::from(action == "s3:PutObject");
        allowed > 0 || action != "s3:PutObject"
    });
    let roots = [directory.path()];
    let uploaded = archive::upload(&store.client, &roots, (BUCKET, "x")).await;
    let error = uploaded.unwrap_err();
    assert!(matches!(error, DataError::Refused { .. }), "{error}");
    assert!(store.objects().await.is_empty());
    store.keeps(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archive_that_nobody_waits_for_any_more_leaves_nothing() {
    let store = Store::start().await;
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("weights"), noise(60 << 20)).unwrap();
    let client = store.client.clone();
    let root = directory.path().to_owned();
    let upload =
        tokio::spawn(async move { archive::upload(&client, &[root], (BUCKET, "x")).await });
    while store.bodies() == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    upload.abort();
    assert!(upload.await.unwrap_err().is_cancelled());
    store.keeps(0).await;
    assert!(store.objects().await.is_empty());
}
