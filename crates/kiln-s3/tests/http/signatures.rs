//! Who is let in: every form of signature of version 4, and what is wrong with each.

use crate::support::signer::{Draft, Key, UNSIGNED};
use crate::support::{BUCKET, JOB, JOB_TOKEN, ROOT, Server};

const OBJECT: &str = "/bucket/key";
const CONTENT: &[u8] = b"hello";

/// The stored object, or the outcome of asking for it.
async fn stored(server: &Server) -> String {
    let answer = server.ask("GET", OBJECT, b"").await;
    if answer.status.is_success() {
        answer.text()
    } else {
        answer.outcome()
    }
}

#[tokio::test]
async fn a_body_must_be_the_one_that_was_signed() {
    let server = Server::start().await;
    let lie = server.signed("PUT", OBJECT, b"other").sign(&ROOT);
    let answer = server.send(lie, CONTENT).await;
    assert_eq!(answer.outcome(), "400 XAmzContentSHA256Mismatch");
    assert_eq!(stored(&server).await, "404 NoSuchKey");
    assert_eq!(server.ask("PUT", OBJECT, CONTENT).await.outcome(), "200");
    assert_eq!(stored(&server).await, "hello");
}

#[tokio::test]
async fn an_unsigned_payload_is_taken_as_it_is() {
    let server = Server::start().await;
    let draft = Draft::new(&server.address, "PUT", OBJECT).payload(UNSIGNED);
    let answer = server.send(draft.sign(&ROOT), CONTENT).await;
    assert_eq!(answer.outcome(), "200");
    assert_eq!(stored(&server).await, "hello");
}

#[tokio::test]
async fn keys_and_signatures_must_be_right() {
    let server = Server::start().await;
    let wrong_secret = Key {
        secret: "other",
        ..ROOT
    };
    let unknown = Key {
        id: "nobody",
        ..ROOT
    };
    let expired = Key { id: "old", ..ROOT };
    let cases = [
        (ROOT, None, 0, "200"),
        (wrong_secret, None, 0, "403 SignatureDoesNotMatch"),
        (unknown, None, 0, "403 InvalidAccessKeyId"),
        (expired, None, 0, "400 ExpiredToken"),
        (ROOT, None, -14, "200"),
        (ROOT, None, -16, "403 RequestTimeTooSkewed"),
        (ROOT, None, 16, "403 RequestTimeTooSkewed"),
        (ROOT, Some("any"), 0, "400 InvalidToken"),
        (JOB, Some("other"), 0, "400 InvalidToken"),
        (JOB, None, 0, "403 InvalidAccessKeyId"),
        (JOB, Some(JOB_TOKEN), 0, "403 AccessDenied"),
    ];
    for (key, token, minutes, expected) in cases {
        let mut draft = server.signed("PUT", OBJECT, CONTENT).minutes_off(minutes);
        if let Some(token) = token {
            draft = draft.header("x-amz-security-token", token);
        }
        let answer = server.send(draft.sign(&key), CONTENT).await;
        assert_eq!(answer.outcome(), expected, "{} {token:?} {minutes}", key.id);
    }
}

#[tokio::test]
async fn the_unsigned_and_the_obsolete_are_turned_away() {
    let server = Server::start().await;
    let anonymous = Draft::new(&server.address, "GET", "/bucket");
    let answer = server.send(anonymous, "").await;
    assert_eq!(answer.outcome(), "403 AccessDenied");
    let obsolete = Draft::new(&server.address, "GET", "/bucket").sign_v2(&ROOT);
    let answer = server.send(obsolete, "").await;
    assert_eq!(answer.outcome(), "400 InvalidRequest");
    let form = Draft::new(&server.address, "POST", "/bucket")
        .header("content-type", "multipart/form-data; boundary=b");
    let body = "--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nk\r\n\
                --b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\nx\r\n--b--\r\n";
    let answer = server.send(form, body).await;
    assert_eq!(answer.outcome(), "403 AccessDenied");
}

#[tokio::test]
async fn signed_chunks_are_checked_one_by_one() {
    let server = Server::start().await;
    for (sent, expected) in [
        (CONTENT, "200"),
        (b"jello".as_slice(), "403 SignatureDoesNotMatch"),
    ] {
        let draft = Draft::new(&server.address, "PUT", OBJECT)
            .payload("STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
            .header("content-encoding", "aws-chunked")
            .header("x-amz-decoded-content-length", "5")
            .sign(&ROOT);
        let signed = draft.chunked(&ROOT, CONTENT);
        let body = replace(&signed, CONTENT, sent);
        let answer = server.send(draft, body).await;
        assert_eq!(answer.outcome(), expected);
    }
    let answer = server.ask("GET", OBJECT, b"").await;
    assert_eq!(answer.text(), "hello");
    assert!(!answer.headers.contains_key("content-encoding"));
}

#[tokio::test]
async fn a_trailing_checksum_must_be_true() {
    let server = Server::start().await;
    for (checksum, expected) in [("NhCmhg==", "200"), ("AAAAAA==", "400 BadDigest")] {
        let draft = Draft::new(&server.address, "PUT", OBJECT)
            .payload("STREAMING-UNSIGNED-PAYLOAD-TRAILER")
            .header("content-encoding", "aws-chunked")
            .header("x-amz-decoded-content-length", "5")
            .header("x-amz-trailer", "x-amz-checksum-crc32")
            .sign(&ROOT);
        let body = format!("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:{checksum}\r\n\r\n");
        let answer = server.send(draft, body).await;
        assert_eq!(answer.outcome(), expected);
    }
    let mode = server
        .signed("GET", OBJECT, b"")
        .header("x-amz-checksum-mode", "ENABLED");
    let answer = server.send(mode.sign(&ROOT), "").await;
    assert_eq!(answer.headers["x-amz-checksum-crc32"], "NhCmhg==");
    assert_eq!(answer.headers["x-amz-checksum-type"], "FULL_OBJECT");
}

#[tokio::test]
async fn presigned_urls_are_good_for_a_time_and_for_one_thing() {
    let server = Server::start().await;
    let draft = |method| Draft::new(&server.address, method, OBJECT);
    let put = server.send(draft("PUT").presign(&ROOT, 60), CONTENT).await;
    assert_eq!(put.outcome(), "200");
    let get = server.send(draft("GET").presign(&ROOT, 60), "").await;
    assert_eq!(get.text(), "hello");

    let late = draft("GET").minutes_off(-2).presign(&ROOT, 60);
    assert_eq!(server.send(late, "").await.outcome(), "403 AccessDenied");
    let long = draft("GET").presign(&ROOT, 604_801);
    let answer = server.send(long, "").await;
    assert_eq!(answer.outcome(), "400 AuthorizationQueryParametersError");
    let mut tampered = draft("GET").presign(&ROOT, 60);
    tampered.path = "/bucket/other".to_owned();
    let answer = server.send(tampered, "").await;
    assert_eq!(answer.outcome(), "403 SignatureDoesNotMatch");
    let mut reused = draft("GET").presign(&ROOT, 60);
    reused.method = "DELETE".to_owned();
    let answer = server.send(reused, "").await;
    assert_eq!(answer.outcome(), "403 SignatureDoesNotMatch");
}

#[tokio::test]
async fn what_a_request_means_is_not_changed_by_headers_that_were_not_signed() {
    let server = Server::start().await;
    server.ask("PUT", "/bucket/secret", CONTENT).await;
    let added = [
        ("x-amz-copy-source", "/bucket/secret"),
        ("x-amz-tagging", "a=b"),
        ("x-amz-meta-a", "b"),
    ];
    for (name, value) in added {
        let header = (name.to_owned(), value.to_owned());
        let mut presigned = Draft::new(&server.address, "PUT", OBJECT).presign(&ROOT, 60);
        presigned.headers.push(header.clone());
        let mut signed = server.signed("PUT", OBJECT, b"").sign(&ROOT);
        signed.headers.push(header);
        for request in [presigned, signed] {
            let answer = server.send(request, "").await;
            assert_eq!(answer.outcome(), "403 AccessDenied", "{name}");
        }
    }
    assert_eq!(stored(&server).await, "404 NoSuchKey");
}

#[tokio::test]
async fn a_presigned_url_of_a_temporary_key_carries_its_token() {
    let server = Server::start().await;
    server.ask("PUT", "/bucket/jobs/1", CONTENT).await;
    let bare = Draft::new(&server.address, "GET", "/bucket/jobs/1").presign(&JOB, 60);
    let answer = server.send(bare, "").await;
    assert_eq!(answer.outcome(), "403 InvalidAccessKeyId");
    let target = format!("/bucket/jobs/1?X-Amz-Security-Token={JOB_TOKEN}");
    let whole = Draft::new(&server.address, "GET", &target).presign(&JOB, 60);
    assert_eq!(server.send(whole, "").await.text(), "hello");
}

#[tokio::test]
async fn a_key_reaches_what_it_is_allowed_and_nothing_else() {
    let server = Server::start().await;
    for key in ["jobs/1", "jobs/2", "other"] {
        server
            .ask("PUT", &format!("/{BUCKET}/{key}"), CONTENT)
            .await;
    }
    let delete =
        b"<Delete><Object><Key>jobs/2</Key></Object><Object><Key>other</Key></Object></Delete>";
    let cases: [(&str, &str, &[u8], &str); 8] = [
        ("GET", "/bucket/jobs/1", b"", "200"),
        ("GET", "/bucket/other", b"", "403 AccessDenied"),
        ("GET", "/bucket?list-type=2&prefix=jobs/", b"", "200"),
        ("GET", "/bucket?list-type=2", b"", "403 AccessDenied"),
        ("GET", "/bucket?prefix=oth", b"", "403 AccessDenied"),
        ("GET", "/", b"", "403 AccessDenied"),
        ("PUT", "/other-bucket", b"", "403 AccessDenied"),
        ("POST", "/bucket?delete", delete, "200 AccessDenied"),
    ];
    for (method, target, body, expected) in cases {
        let draft = server
            .signed(method, target, body)
            .header("x-amz-security-token", JOB_TOKEN);
        let answer = server.send(draft.sign(&JOB), body.to_vec()).await;
        assert_eq!(answer.outcome(), expected, "{method} {target}");
    }
    // Copying takes the right to read the source.
    let copy = server
        .signed("PUT", "/bucket/jobs/3", b"")
        .header("x-amz-copy-source", "/bucket/other")
        .header("x-amz-security-token", JOB_TOKEN);
    let answer = server.send(copy.sign(&JOB), "").await;
    assert_eq!(answer.outcome(), "403 AccessDenied");
    // Of the two, only the one that may be deleted is gone.
    assert_eq!(
        server.ask("GET", "/bucket/jobs/2", b"").await.outcome(),
        "404 NoSuchKey"
    );
    assert_eq!(
        server.ask("GET", "/bucket/other", b"").await.outcome(),
        "200"
    );
}

fn replace(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let at = bytes
        .windows(old.len())
        .position(|window| window == old)
        .unwrap();
    [&bytes[..at], new, &bytes[at + old.len()..]].concat()
}
