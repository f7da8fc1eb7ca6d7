//! Trees that are stored file by file.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use kiln_data::upload::{self, Stored};
use kiln_data::{DataError, Objects};

use crate::material::noise;
use crate::store::{BUCKET, Store};

async fn store_tree(objects: &Objects, directory: &Path) -> Result<Stored, DataError> {
    upload::tree(objects, &[directory], BUCKET, "job/output/model").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_file_becomes_an_object() {
    let store = Store::start().await;
    let directory = tempfile::tempdir().unwrap();
    let mut expected = BTreeMap::new();
    for number in 0..150_usize {
        let body = match number {
            0 => noise((33 << 20) + 1),
            1 => noise(8 << 20),
            _ => vec![number as u8; number],
        };
        let name = format!("d{}/ä {number}", number % 7);
        let path = directory.path().join(&name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, &body).unwrap();
        expected.insert(format!("job/output/model/{name}"), body);
    }
    std::os::unix::fs::symlink("/etc/passwd", directory.path().join("link")).unwrap();
    let (client, root) = (store.client.clone(), directory.path().to_owned());
    let stored = tokio::spawn(async move { store_tree(&client, &root).await });
    let stored = stored.await.unwrap().unwrap();
    let bytes = expected.values().map(|body| body.len() as u64).sum();
    assert_eq!(
        stored,
        Stored {
            objects: 150,
            bytes
        }
    );
    assert!(store.objects().await == expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tree_that_is_empty_or_absent_is_no_object() {
    let store = Store::start().await;
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("empty")).unwrap();
    for root in [directory.path(), &directory.path().join("absent")] {
        let stored = store_tree(&store.client, root).await.unwrap();
        assert_eq!(stored, Stored::default());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_stored_is_named() {
    let store = Store::start().await;
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("model.bin"), noise(20 << 20)).unwrap();
    store.only(|action, _| action != "s3:PutObject");
    let error = store_tree(&store.client, directory.path())
        .await
        .unwrap_err();
    let named = "s3://bucket/job/output/model/model.bin";
    assert!(error.to_string().contains(named), "{error}");

    store.only(|_, _| true);
    let odd = std::ffi::OsStr::from_bytes(b"odd-\xff");
    fs::write(directory.path().join(odd), "x").unwrap();
    let error = store_tree(&store.client, directory.path())
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(text.contains("odd-") && text.contains("UTF-8"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_says_to_be_huge_is_the_job_s_fault() {
    let store = Store::start().await;
    let directory = tempfile::tempdir().unwrap();
    let sparse = fs::File::create(directory.path().join("sparse")).unwrap();
    let client = store.client.clone().with_largest_file(1 << 20);
    for (size, is_stored) in [(1 << 20, true), ((1 << 20) + 1, false), (15 << 40, false)] {
        sparse.set_len(size).unwrap();
        let stored = store_tree(&client, directory.path()).await;
        match stored {
            Ok(_) => assert!(is_stored, "{size}"),
            Err(error) => {
                assert!(!is_stored && error.is_the_request_s(), "{size}: {error}");
                assert!(error.to_string().contains("model/sparse"), "{error}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trees_merge_and_the_first_of_equal_names_wins() {
    let store = Store::start().await;
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for (root, name) in [(&one, "a"), (&two, "a"), (&two, "d/b"), (&one, "d/c")] {
        let path = root.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let body = if root.path() == one.path() { "1" } else { "2" };
        fs::write(path, body).unwrap();
    }
    // Of what one has as a file and the other as a directory, the first has its way.
    fs::write(one.path().join("x"), "1").unwrap();
    fs::create_dir(two.path().join("x")).unwrap();
    fs::write(two.path().join("x/hidden"), "2").unwrap();
    let roots = [one.path(), Path::new("/absent"), two.path()];
    let stored = upload::tree(&store.client, &roots, BUCKET, "m").await;
    assert_eq!(stored.unwrap().objects, 4);
    let found: BTreeMap<_, _> = store.objects().await;
    let expected = [("m/a", "1"), ("m/d/b", "2"), ("m/d/c", "1"), ("m/x", "1")];
    let expected = expected.map(|(key, body)| (key.to_owned(), body.as_bytes().to_vec()));
    assert!(found == BTreeMap::from(expected));
}
