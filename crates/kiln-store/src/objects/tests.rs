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
