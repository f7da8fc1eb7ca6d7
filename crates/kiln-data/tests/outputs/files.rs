//! Single files, stored unless that is called off.

use std::fs::{self, File};
use std::future::pending;
use std::ops::ControlFlow;
use std::time::Duration;

use kiln_data::upload;

use crate::material::noise;
use crate::store::{BUCKET, Store};

/// A file of so many bytes, and what is in it.
fn file(directory: &tempfile::TempDir, size: usize) -> (File, Vec<u8>) {
    let (path, body) = (directory.path().join("artifact"), noise(size));
    fs::write(&path, &body).unwrap();
    (File::open(path).unwrap(), body)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_becomes_one_object_whatever_its_size() {
    let store = Store::start().await;
    let directory = tempfile::tempdir().unwrap();
    for size in [0, 5, 20 << 20] {
        let (file, body) = file(&directory, size);
        let stored = upload::file(&store.client, file, (BUCKET, "a/b"), pending::<()>()).await;
        assert!(stored.unwrap().is_continue());
        assert!(store.objects().await["a/b"] == body, "{size}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_called_off_leaves_neither_an_object_nor_an_upload() {
    let store = Store::start().await;
    let directory = tempfile::tempdir().unwrap();
    for size in [5, 60 << 20] {
        let (file, _) = file(&directory, size);
        let at_once = async { "no" };
        let stored = upload::file(&store.client, file, (BUCKET, "x"), at_once).await;
        assert_eq!(stored.unwrap(), ControlFlow::Break("no"));
    }
    let (file, _) = file(&directory, 60 << 20);
    let begun = async {
        while store.bodies() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        "no"
    };
    let stored = upload::file(&store.client, file, (BUCKET, "x"), begun).await;
    assert_eq!(stored.unwrap(), ControlFlow::Break("no"));
    assert!(store.objects().await.is_empty());
    store.keeps(0).await;
}
