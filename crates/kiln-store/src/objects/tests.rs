//! Tests of the index: against a reference model for lists, by example for the rest.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const BUCKET: &str = "bucket";

struct Fixture {
    index: ObjectIndex,
    runtime: tokio::runtime::Runtime,
    _directory: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let index = ObjectIndex::open(&directory.path().join("objects.db")).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let fixture = Self {
            index,
            runtime,
            _directory: directory,
        };
        fixture
            .wait(fixture.index.create_bucket(Bucket {
                name: BUCKET.to_owned(),
                created_ms: 1,
            }))
            .unwrap();
        fixture
    }

    fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    fn put(&self, key: &str, body: &str, precondition: Precondition) -> Result<Option<String>> {
        self.wait(self.index.put(BUCKET, key, object(body), precondition))
    }
}

fn object(body: &str) -> Object {
    Object {
        body: body.to_owned(),
        size: 3,
        etag: format!("etag of {body}"),
        modified_ms: 7,
        details: ObjectDetails::default(),
    }
}

fn part(number: u32, body: &str) -> Part {
    Part {
        number,
        body: body.to_owned(),
        size: 5,
        etag: String::new(),
        modified_ms: 7,
        checksum: Checksum {
            algorithm: ChecksumAlgorithm::Crc32,
            kind: ChecksumKind::FullObject,
            value: String::new(),
        },
        data_key: None,
    }
}

fn upload(key: &str, id: &str) -> Upload {
    Upload {
        id: id.to_owned(),
        key: key.to_owned(),
        initiated_ms: 7,
        object: ObjectDetails::default(),
        algorithm: ChecksumAlgorithm::Crc32,
        kind: ChecksumKind::Composite,
        encryption: None,
    }
}

#[test]
fn a_replaced_object_gives_up_its_body() {
    let fixture = Fixture::new();
    assert_eq!(fixture.put("k", "one", Precondition::None).unwrap(), None);
    let replaced = fixture.put("k", "two", Precondition::None).unwrap();
    assert_eq!(replaced.as_deref(), Some("one"));
    assert!(!fixture.index.holds_body("one").unwrap());
    assert!(fixture.index.holds_body("two").unwrap());
}

#[test]
fn writes_keep_their_preconditions() {
    let fixture = Fixture::new();
    let absent_tag = Precondition::Tag("etag of x".to_owned());
    assert!(matches!(
        fixture.put("k", "a", absent_tag.clone()),
        Err(ObjectIndexError::NoSuchKey)
    ));
    fixture.put("k", "b", Precondition::Absent).unwrap();
    assert!(matches!(
        fixture.put("k", "c", Precondition::Absent),
        Err(ObjectIndexError::PreconditionFailed)
    ));
    assert!(matches!(
        fixture.put("k", "d", absent_tag),
        Err(ObjectIndexError::PreconditionFailed)
    ));
    let right_tag = Precondition::Tag("etag of b".to_owned());
    fixture.put("k", "e", right_tag).unwrap();
    fixture.put("k", "f", Precondition::Present).unwrap();
}

#[test]
fn only_an_empty_bucket_is_deleted() {
    let fixture = Fixture::new();
    fixture.put("k", "a", Precondition::None).unwrap();
    assert!(matches!(
        fixture.wait(fixture.index.delete_bucket(BUCKET)),
        Err(ObjectIndexError::BucketNotEmpty)
    ));
    fixture
        .wait(fixture.index.delete(BUCKET, "k", Precondition::None))
        .unwrap();
    fixture
        .wait(fixture.index.create_upload(BUCKET, upload("k", "u")))
        .unwrap();
    fixture
        .wait(fixture.index.put_part("u", part(1, "p")))
        .unwrap();
    let bodies = fixture.wait(fixture.index.delete_bucket(BUCKET)).unwrap();
    assert_eq!(bodies, ["p"]);
    assert!(matches!(
        fixture.index.object(BUCKET, "k"),
        Err(ObjectIndexError::NoSuchBucket)
    ));
}

#[test]
fn a_completed_upload_is_one_object_and_no_parts() {
    let fixture = Fixture::new();
    let index = &fixture.index;
    fixture.put("k", "old", Precondition::None).unwrap();
    fixture
        .wait(index.create_upload(BUCKET, upload("k", "u")))
        .unwrap();
    fixture.wait(index.put_part("u", part(2, "p2"))).unwrap();
    fixture.wait(index.put_part("u", part(1, "p1"))).unwrap();
    let replaced = fixture.wait(index.put_part("u", part(2, "p2b"))).unwrap();
    assert_eq!(replaced.as_deref(), Some("p2"));
    let numbers: Vec<_> = index.parts("u", 0, 9).unwrap();
    assert_eq!(numbers.iter().map(|p| p.number).collect::<Vec<_>>(), [1, 2]);
    let mut bodies = fixture
        .wait(index.complete_upload(BUCKET, "k", "u", object("new"), Precondition::None))
        .unwrap();
    bodies.sort();
    assert_eq!(bodies, ["old", "p1", "p2b"]);
    assert_eq!(index.object(BUCKET, "k").unwrap(), Some(object("new")));
    assert!(matches!(
        fixture.wait(index.abort_upload("u")),
        Err(ObjectIndexError::NoSuchUpload)
    ));
}

#[test]
fn a_completed_upload_is_remembered_for_a_day() {
    let fixture = Fixture::new();
    let index = &fixture.index;
    let complete = |id: &str, modified_ms| {
        fixture
            .wait(index.create_upload(BUCKET, upload("k", id)))
            .unwrap();
        let object = Object {
            modified_ms,
            ..object(&format!("body of {id}"))
        };
        fixture
            .wait(index.complete_upload(BUCKET, "k", id, object, Precondition::None))
            .unwrap();
    };
    let etag = |key: &str, id: &str| {
        let completed = index.completed_upload(BUCKET, key, id).unwrap();
        completed.map(|completed| completed.etag)
    };
    complete("u", 7);
    assert_eq!(etag("k", "u").as_deref(), Some("etag of body of u"));
    assert_eq!(etag("other", "u"), None);
    assert_eq!(etag("k", "other"), None);
    complete("next", 7 + 24 * 60 * 60 * 1000);
    assert!(etag("k", "u").is_some() && etag("k", "next").is_some());
    complete("late", 8 + 24 * 60 * 60 * 1000);
    assert!(etag("k", "u").is_none() && etag("k", "next").is_some());
    fixture
        .wait(index.delete(BUCKET, "k", Precondition::None))
        .unwrap();
    fixture.wait(index.delete_bucket(BUCKET)).unwrap();
    assert!(etag("k", "late").is_none());
}

#[test]
fn a_bucket_says_how_its_objects_are_encrypted() {
    let fixture = Fixture::new();
    let index = &fixture.index;
    let kms = Encryption::Kms {
        key: "arn".to_owned(),
        bucket_key: true,
    };
    assert_eq!(index.bucket_encryption(BUCKET).unwrap(), None);
    for encryption in [Some(Encryption::Aes256), Some(kms), None] {
        fixture
            .wait(index.set_bucket_encryption(BUCKET, encryption.clone()))
            .unwrap();
        assert_eq!(index.bucket_encryption(BUCKET).unwrap(), encryption);
    }
    assert!(matches!(
        index.bucket_encryption("other"),
        Err(ObjectIndexError::NoSuchBucket)
    ));
    assert!(matches!(
        fixture.wait(index.set_bucket_encryption("other", None)),
        Err(ObjectIndexError::NoSuchBucket)
    ));
}

#[test]
fn an_index_from_before_encryption_is_read_on() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("objects.db");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let old = Database::open(&path, &MIGRATIONS[..1]).unwrap();
    let filled = runtime.block_on(old.write(|tx| {
        tx.execute_batch(
            "INSERT INTO buckets VALUES ('bucket', 1);
             INSERT INTO objects VALUES ('bucket', CAST('k' AS BLOB), 'one', 3, 'e', 7, '{}');
             INSERT INTO uploads VALUES ('bucket', CAST('k' AS BLOB), 'u', 7,
                 '{\"object\":{},\"algorithm\":\"CRC32\",\"kind\":\"COMPOSITE\"}');
             INSERT INTO parts VALUES ('u', 1, 'p', 5, 'e', 7,
                 '{\"algorithm\":\"CRC32\",\"kind\":\"FULL_OBJECT\",\"value\":\"\"}');",
        )?;
        Ok::<_, StoreError>(())
    }));
    filled.unwrap();
    drop(old);
    let index = ObjectIndex::open(&path).unwrap();
    assert_eq!(index.bucket_encryption(BUCKET).unwrap(), None);
    assert_eq!(index.object(BUCKET, "k").unwrap().unwrap().body, "one");
    assert_eq!(index.upload(BUCKET, "k", "u").unwrap(), upload("k", "u"));
    assert_eq!(index.parts("u", 0, 9).unwrap()[0].data_key, None);
}

#[test]
fn lists_walk_the_primary_key() {
    let fixture = Fixture::new();
    let plan = |sql: &str| {
        let steps = fixture.index.database.read(|connection| {
            let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
            let rows = explain.raw_query();
            let rows = rows.mapped(|row| row.get::<_, String>("detail"));
            Ok::<_, StoreError>(rows.collect::<rusqlite::Result<Vec<_>>>()?)
        });
        steps.unwrap().join("; ")
    };
    assert_eq!(
        plan(list::RANGE),
        "SEARCH objects USING PRIMARY KEY (bucket=? AND key>? AND key<?)"
    );
    let uploads = plan(uploads::RANGE);
    assert!(
        uploads.starts_with("SEARCH uploads USING PRIMARY KEY (bucket=? AND ")
            && !uploads.contains(';'),
        "{uploads}"
    );
}

#[test]
fn a_completion_that_fails_keeps_the_upload() {
    let fixture = Fixture::new();
    let index = &fixture.index;
    fixture.put("k", "old", Precondition::None).unwrap();
    fixture
        .wait(index.create_upload(BUCKET, upload("k", "u")))
        .unwrap();
    let refused =
        fixture.wait(index.complete_upload(BUCKET, "k", "u", object("n"), Precondition::Absent));
    assert!(matches!(refused, Err(ObjectIndexError::PreconditionFailed)));
    assert!(index.upload(BUCKET, "k", "u").is_ok());
}

#[test]
fn uploads_are_listed_in_pages() {
    let fixture = Fixture::new();
    for (key, id) in [
        ("a/x", "1"),
        ("a/y", "2"),
        ("b", "3"),
        ("b", "4"),
        ("c", "5"),
    ] {
        fixture
            .wait(fixture.index.create_upload(BUCKET, upload(key, id)))
            .unwrap();
    }
    let mut query = ListQuery {
        delimiter: Some("/".to_owned()),
        limit: 1,
        ..ListQuery::default()
    };
    let mut id = None;
    let mut seen = Vec::new();
    loop {
        let page = fixture
            .index
            .uploads(BUCKET, &query, id.as_deref())
            .unwrap();
        seen.extend(page.common_prefixes);
        seen.extend(page.uploads.into_iter().map(|upload| upload.id));
        let Some((key, next)) = page.next else { break };
        (query.after, id) = (Some(key), next);
    }
    assert_eq!(seen, ["a/", "3", "4", "5"]);
}

/// What a list should hold, computed from all keys.
fn expected(keys: &BTreeSet<String>, query: &ListQuery) -> (Vec<String>, bool) {
    let mut names = Vec::new();
    for key in keys.iter().filter(|key| key.starts_with(&query.prefix)) {
        let delimiter = query.delimiter.as_deref().filter(|text| !text.is_empty());
        let rest = &key[query.prefix.len()..];
        let name = match delimiter.and_then(|text| rest.find(text).map(|at| at + text.len())) {
            Some(end) => &key[..query.prefix.len() + end],
            None => key.as_str(),
        };
        let behind = query
            .after
            .as_ref()
            .is_none_or(|after| key > after && name != after);
        if behind && names.last().map(String::as_str) != Some(name) {
            names.push(name.to_owned());
        }
    }
    let truncated = query.limit > 0 && names.len() > query.limit;
    names.truncate(query.limit);
    (names, truncated)
}

fn short_key() -> impl Strategy<Value = String> {
    prop::collection::vec(
        prop::sample::select(vec!["a", "b", "/", "//", ".", "é", "\u{10FFFF}", "\u{1}"]),
        0..5,
    )
    .prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn lists_agree_with_the_model(
        keys in prop::collection::btree_set(short_key().prop_filter("not empty", |k| !k.is_empty()), 0..40),
        queries in prop::collection::vec(
            (short_key(), prop::option::of(prop::sample::select(vec!["/", "//", "a", "é", ""])),
             prop::option::of(short_key()), 0usize..6),
            1..12,
        ),
    ) {
        let fixture = Fixture::new();
        for (number, key) in keys.iter().enumerate() {
            fixture.put(key, &number.to_string(), Precondition::None).unwrap();
        }
        for (prefix, delimiter, after, limit) in queries {
            let mut query = ListQuery {
                prefix, delimiter: delimiter.map(str::to_owned), after, limit,
            };
            // One page, and then all the pages behind it.
            loop {
                let listing = fixture.index.list(BUCKET, &query).unwrap();
                let names: Vec<_> =
                    listing.entries.iter().map(|entry| entry.name().to_owned()).collect();
                prop_assert_eq!((names.clone(), listing.truncated), expected(&keys, &query), "{:?}", query);
                if !listing.truncated { break }
                query.after = names.last().cloned();
            }
        }
    }
}
