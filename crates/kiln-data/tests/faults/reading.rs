//! Reading an object whose body breaks.

use kiln_data::{DataError, ObjectBody, Objects};

use crate::store::{Fault, Store};

fn text() -> Vec<u8> {
    (0..100_000u32).flat_map(u32::to_le_bytes).collect()
}

async fn read(objects: &Objects, key: &str) -> Result<Vec<u8>, DataError> {
    collect(objects.read("b", key).await?).await
}

pub async fn collect(mut body: ObjectBody) -> Result<Vec<u8>, DataError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = body.chunk().await? {
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

#[tokio::test]
async fn every_broken_body_is_gone_on_with_from_where_it_stopped() {
    let cases: [(&[Fault], &[&str]); 6] = [
        (&[Fault::None], &[""]),
        (&[Fault::HangUp, Fault::HangUp], &["", "", ""]),
        (&[Fault::Refuse("503 Slow Down", "SlowDown")], &["", ""]),
        (&[Fault::CutAfter(1000)], &["", "bytes=1000-399999"]),
        (&[Fault::StallAfter(1000)], &["", "bytes=1000-399999"]),
        (
            &[
                Fault::CutAfter(1000),
                Fault::Refuse("500 Internal Server Error", "InternalError"),
                Fault::CutAfter(0),
                Fault::WholeBody,
            ],
            &[
                "",
                "bytes=1000-399999",
                "bytes=1000-399999",
                "bytes=1000-399999",
            ],
        ),
    ];
    for (faults, ranges) in cases {
        let store = Store::start().await;
        store.put("key", text());
        store.then(faults.to_vec());
        assert!(read(&store.client(), "key").await.unwrap() == text());
        // The connection that was cut may have been asked again at once.
        let mut seen = store.ranges();
        seen.dedup();
        let mut ranges = ranges.to_vec();
        ranges.dedup();
        assert_eq!(seen, ranges);
    }
}

#[tokio::test]
async fn a_damaged_body_is_found_out_by_checksum_and_by_tag() {
    let store = Store::start().await;
    store.put("key", text());
    store.then([Fault::Damage(70)]);
    let error = read(&store.client(), "key").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "what arrived of s3://b/key is not what was stored there"
    );
    store.without_checksums();
    store.then([Fault::Damage(70)]);
    let error = read(&store.client(), "key").await.unwrap_err();
    assert!(matches!(error, DataError::Corrupt(_)), "{error}");
    assert!(read(&store.client(), "key").await.is_ok());
}

#[tokio::test]
async fn two_objects_are_never_mixed() {
    let store = Store::start().await;
    store.put("key", text());
    store.then([Fault::CutAfter(1000), Fault::Replace(b"another one")]);
    let error = read(&store.client(), "key").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "s3://b/key was replaced while it was read"
    );
    store.put("key", "abc");
    let pinned = store.client();
    let other = pinned.read_range("b", "key", 0..2, Some("\"other\"")).await;
    assert!(matches!(other, Err(DataError::Replaced(_))));
}

#[tokio::test]
async fn a_range_brings_its_own_bytes_and_no_others() {
    let store = Store::start().await;
    store.put("key", text());
    let objects = store.client();
    let all = text();
    for (range, faults) in [
        (0..10, vec![]),
        (10..10, vec![]),
        (399_990..400_000, vec![]),
        (5..9000, vec![Fault::CutAfter(77), Fault::StallAfter(3)]),
        (5..9000, vec![Fault::WholeBody]),
    ] {
        store.then(faults);
        let body = objects.read_range("b", "key", range.clone(), None).await;
        let bytes = collect(body.unwrap()).await.unwrap();
        let expected = &all[range.start as usize..range.end as usize];
        assert!(bytes == expected, "{range:?}");
    }
}

#[tokio::test]
async fn who_is_away_too_long_is_given_up_and_a_refusal_is_final() {
    let store = Store::start().await;
    let objects = store.client();
    let error = read(&objects, "key").await.unwrap_err();
    assert_eq!(error.to_string(), "NoSuchKey: It said NoSuchKey");
    assert_eq!(store.ranges().len(), 1);
    store.then(vec![Fault::HangUp; 1000]);
    let error = read(&objects, "key").await.unwrap_err();
    assert!(matches!(error, DataError::Unreachable(_)), "{error}");
}
