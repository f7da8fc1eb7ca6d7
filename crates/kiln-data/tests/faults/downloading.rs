//! File-mode channels from a store that fails.

use std::path::Path;

use kiln_data::catalogue::{Catalogue, Entry, Piece};
use kiln_data::channel::{Channel, Mode, Shard, Source};
use kiln_data::file::{self, Fetched};
use kiln_data::{DataError, Objects};

use crate::store::{Fault, Store};

pub fn prefix(prefix: &str) -> Source {
    Source::Prefix {
        bucket: "b".to_owned(),
        prefix: prefix.to_owned(),
    }
}

fn channel(source: &Source, shard: Shard) -> Channel {
    Channel {
        name: "train".to_owned(),
        source: source.clone(),
        shard,
        shuffle: None,
        mode: Mode::File,
    }
}

pub async fn download(
    objects: &Objects,
    source: &Source,
    shard: Shard,
    root: &Path,
) -> Result<Fetched, DataError> {
    let catalogue = Catalogue::list(objects, source, &root.join("catalogue")).await?;
    catalogue.write_manifest(&root.join("manifest")).await?;
    let channel = channel(source, shard);
    file::download(objects, &catalogue, &channel, &root.join("data")).await
}

fn files(root: &Path) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    let mut left = vec![root.join("data")];
    while let Some(directory) = left.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                left.push(entry.path());
            } else {
                let path = entry
                    .path()
                    .strip_prefix(root.join("data"))
                    .unwrap()
                    .to_owned();
                let size = entry.metadata().unwrap().len() as usize;
                found.push((path.to_str().unwrap().to_owned(), size));
            }
        }
    }
    found.sort();
    found
}

fn named<const N: usize>(files: [(&str, usize); N]) -> Vec<(String, usize)> {
    files.map(|(name, size)| (name.to_owned(), size)).to_vec()
}

#[tokio::test]
async fn a_prefix_becomes_files_and_a_manifest_in_spite_of_faults() {
    let store = Store::start().await;
    for (key, size) in [
        ("p/a", 3),
        ("p/b/c d+é", 300_000),
        ("p/e", 0),
        ("p/f/", 0),
        ("q", 1),
    ] {
        store.put(key, vec![7; size]);
    }
    store.then([
        Fault::HangUp,
        Fault::CutAfter(100),
        Fault::None,
        Fault::StallAfter(20),
        Fault::None,
        Fault::None,
        Fault::Refuse("503 Slow Down", "SlowDown"),
        Fault::CutAfter(0),
    ]);
    let root = tempfile::tempdir().unwrap();
    let fetched = download(&store.client(), &prefix("p/"), Shard::WHOLE, root.path()).await;
    let expected = Fetched {
        objects: 3,
        bytes: 300_003,
    };
    assert_eq!(fetched.unwrap(), expected);
    let expected = named([("a", 3), ("b/c d+é", 300_000), ("e", 0)]);
    assert_eq!(files(root.path()), expected);
    assert_eq!(
        std::fs::read_to_string(root.path().join("manifest")).unwrap(),
        "s3://b/p/\ns3://b/p/a\ns3://b/p/b/c d+é\ns3://b/p/e\n"
    );
}

#[tokio::test]
async fn machines_share_the_objects_and_all_see_the_same_manifest() {
    let store = Store::start().await;
    for n in 0..7 {
        store.put(&format!("p/{n}"), vec![0; n]);
    }
    let mut all = Vec::new();
    for index in 0..3 {
        let root = tempfile::tempdir().unwrap();
        let shard = Shard { index, count: 3 };
        download(&store.client(), &prefix("p"), shard, root.path())
            .await
            .unwrap();
        let own = files(root.path());
        assert!(own.len() >= 2);
        all.extend(own);
        let manifest = std::fs::read_to_string(root.path().join("manifest")).unwrap();
        assert_eq!(manifest.lines().count(), 8);
    }
    all.sort();
    let expected: Vec<_> = (0..7).map(|n| (n.to_string(), n)).collect();
    assert_eq!(all, expected);
}

#[tokio::test]
async fn a_damaged_object_is_fetched_again_and_not_for_ever() {
    let store = Store::start().await;
    store.put("p/a", "good");
    store.then([Fault::None, Fault::Damage(0), Fault::Damage(1)]);
    let root = tempfile::tempdir().unwrap();
    download(&store.client(), &prefix("p/"), Shard::WHOLE, root.path())
        .await
        .unwrap();
    assert_eq!(std::fs::read(root.path().join("data/a")).unwrap(), b"good");
    store.then([
        Fault::None,
        Fault::Damage(0),
        Fault::Damage(0),
        Fault::Damage(0),
    ]);
    let root = tempfile::tempdir().unwrap();
    let error = download(&store.client(), &prefix("p/"), Shard::WHOLE, root.path()).await;
    assert!(matches!(error, Err(DataError::Corrupt(uri)) if uri == "s3://b/p/a"));
    assert_eq!(files(root.path()), []);
}

#[tokio::test]
async fn a_large_object_is_put_together_from_parts() {
    let store = Store::start().await;
    let mut body = Vec::new();
    for mebibyte in 1..=150 {
        body.resize(mebibyte << 20, mebibyte as u8);
    }
    body.extend(b"and a little");
    store.put("p/large", body.clone());
    // The listing, the head, and then parts.
    let mut faults = vec![Fault::None, Fault::None, Fault::CutAfter(10_000_000)];
    faults.extend([Fault::HangUp, Fault::CutAfter(5)]);
    store.then(faults);
    let root = tempfile::tempdir().unwrap();
    download(&store.client(), &prefix("p/"), Shard::WHOLE, root.path())
        .await
        .unwrap();
    assert!(std::fs::read(root.path().join("data/large")).unwrap() == body);
    let whole = store.seen(|seen| seen.method == "GET" && !seen.headers.contains_key("range"));
    assert_eq!(
        whole.iter().filter(|whole| **whole).count(),
        1,
        "only the listing"
    );
}

#[tokio::test]
async fn a_manifest_s_objects_lie_where_it_says() {
    let store = Store::start().await;
    store.put("m.json", r#"[{"prefix": "s3://b/p/"}, "a", "sub/b"]"#);
    store.put("p/a", "1");
    store.put("p/sub/b", "22");
    store.put("p/other", "333");
    let source = Source::Manifest {
        bucket: "b".to_owned(),
        key: "m.json".to_owned(),
    };
    let root = tempfile::tempdir().unwrap();
    download(&store.client(), &source, Shard::WHOLE, root.path())
        .await
        .unwrap();
    assert_eq!(files(root.path()), named([("a", 1), ("sub/b", 2)]));
    assert_eq!(
        std::fs::read_to_string(root.path().join("manifest")).unwrap(),
        "s3://b/p/\ns3://b/p/a\ns3://b/p/sub/b\n"
    );
    let beside: Vec<_> = std::fs::read_dir(root.path()).unwrap().collect();
    assert_eq!(beside.len(), 3, "the fetched manifest is gone");
}

#[tokio::test]
async fn failures_name_the_object() {
    let cases = [
        (
            r#"[{"prefix": "s3://b/p/"}, "absent"]"#,
            "Unable to download object s3://b/p/absent (NoSuchKey: It said NoSuchKey)",
        ),
        (
            r#"[{"prefix": "s3://b/p/"}, "../etc"]"#,
            "S3 key: s3://b/p/../etc has an illegal char sub-sequence '..' in it",
        ),
        (r#"[{"prefix": "/p/"}, "x"]"#, "/p/\" is not an S3 URI"),
        (
            r#"[{"prefix": "s3://b/p/"}, "a", "a/b"]"#,
            "clashes with another object's path",
        ),
        ("{}", "s3://b/m.json: the manifest must be a list"),
    ];
    for (manifest, expected) in cases {
        let store = Store::start().await;
        store.put("m.json", manifest);
        store.put("p/a", "1");
        store.put("p/a/b", "1");
        let source = Source::Manifest {
            bucket: "b".to_owned(),
            key: "m.json".to_owned(),
        };
        let root = tempfile::tempdir().unwrap();
        let error = download(&store.client(), &source, Shard::WHOLE, root.path()).await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn lines_of_an_augmented_manifest_are_entries() {
    let store = Store::start().await;
    let lines = "{\"image-ref\": \"s3://b/i/1\", \"class\": 3}\n\n{\"image-ref\": \"s3://b/i/2\", \"class\": 4}\n";
    store.put("lines", lines);
    let source = Source::AugmentedManifest {
        bucket: "b".to_owned(),
        key: "lines".to_owned(),
        attributes: vec!["image-ref".to_owned(), "class".to_owned()],
    };
    let root = tempfile::tempdir().unwrap();
    let objects = store.client();
    let catalogue = Catalogue::list(&objects, &source, &root.path().join("catalogue")).await;
    let catalogue = catalogue.unwrap();
    let entries: Result<Vec<_>, _> = catalogue.turn(Shard::WHOLE, None, 0).collect();
    let line = |n: u32| {
        Entry::Line(vec![
            Piece::Object {
                bucket: "b".to_owned(),
                key: format!("i/{n}"),
            },
            Piece::Text((n + 2).to_string()),
        ])
    };
    assert_eq!(entries.unwrap(), [line(1), line(2)]);
    let refused = download(&objects, &source, Shard::WHOLE, root.path()).await;
    assert!(matches!(refused, Err(DataError::NoFiles)));
    store.put(
        "lines",
        "{\"image-ref\": \"s3://b/i/1\", \"class\": 3}\n[]\n",
    );
    let error = download(&objects, &source, Shard::WHOLE, root.path())
        .await
        .unwrap_err();
    assert!(
        error.to_string().starts_with("s3://b/lines, line 2: "),
        "{error}"
    );
}
