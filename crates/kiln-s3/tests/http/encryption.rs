//! Encryption at rest: nothing readable on disk, everything readable over HTTP,
//! and never a byte that was not stored.

use crate::support::{Answer, Server};

const SSE: &str = "x-amz-server-side-encryption";
const KEY_ID: &str = "x-amz-server-side-encryption-aws-kms-key-id";
const KEY_ARN: &str = "arn:aws:kms:us-east-1:123456789012:key/k-1";
const AES: &[(&str, &str)] = &[(SSE, "AES256")];
const KMS: &[(&str, &str)] = &[(SSE, "aws:kms"), (KEY_ID, "k-1")];
const PLAIN: &[(&str, &str)] = &[];
const MD5_OF_HELLO: &str = "\"5d41402abc4b2a76b9719d911017c592\"";

/// Bytes in which a shift shows.
fn content(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n % 251) as u8).collect()
}

/// Method and key as an answer says them.
fn said(answer: &Answer) -> (&str, &str) {
    (answer.header(SSE), answer.header(KEY_ID))
}

/// Whether any body file holds these bytes as they are.
fn on_disk(server: &Server, bytes: &[u8]) -> bool {
    let holds = |file: &[u8]| file.windows(bytes.len()).any(|window| window == bytes);
    let mut bodies = server.bodies().into_iter();
    bodies.any(|path| holds(&std::fs::read(path).unwrap()))
}

#[tokio::test]
async fn every_answer_says_how_the_object_is_encrypted() {
    let server = Server::start().await;
    let cases = [
        (AES, ("AES256", "")),
        (KMS, ("aws:kms", KEY_ARN)),
        (PLAIN, ("", "")),
    ];
    for (headers, expected) in cases {
        let put = server.ask_with("PUT", "/bucket/k", headers, b"hello").await;
        assert_eq!(put.outcome(), "200");
        assert_eq!(said(&put), expected);
        let tag_is_md5 = put.header("etag") == MD5_OF_HELLO;
        assert_eq!(tag_is_md5, headers != KMS);
        let get = server.ask("GET", "/bucket/k", b"").await;
        assert_eq!(get.text(), "hello");
        let head = server.ask("HEAD", "/bucket/k", b"").await;
        for answer in [&get, &head] {
            assert_eq!(said(answer), expected);
            assert_eq!(answer.header("etag"), put.header("etag"));
            assert_eq!(answer.header("content-length"), "5");
        }
        assert_eq!(on_disk(&server, b"hello"), headers == PLAIN);
    }
}

#[tokio::test]
async fn any_range_of_an_encrypted_object_is_read() {
    let server = Server::start().await;
    let chunk = 65_536;
    let stored = content(2 * (1 << 20) + 3 * chunk + 7);
    server.ask_with("PUT", "/bucket/k", KMS, &stored).await;
    assert!(!on_disk(&server, &stored[..64]));
    let last = stored.len() - 1;
    let borders = [
        0,
        1,
        chunk - 1,
        chunk,
        chunk + 1,
        (1 << 20) - 1,
        1 << 20,
        last,
    ];
    for start in borders {
        for end in borders.into_iter().filter(|end| *end >= start) {
            let range = format!("bytes={start}-{end}");
            let answer = server
                .ask_with("GET", "/bucket/k", &[("range", &range)], b"")
                .await;
            assert_eq!(answer.outcome(), "206");
            assert!(answer.body == stored[start..=end], "{range}");
        }
    }
    assert!(server.ask("GET", "/bucket/k", b"").await.body == stored);
    server.ask_with("PUT", "/bucket/empty", KMS, b"").await;
    let empty = server.ask("GET", "/bucket/empty", b"").await;
    assert_eq!((empty.outcome().as_str(), empty.body.len()), ("200", 0));
}

#[tokio::test]
async fn an_upload_is_encrypted_as_it_began() {
    let server = Server::start().await;
    let (begun, id) = server.begin("big", KMS).await;
    assert_eq!(said(&begun), ("aws:kms", KEY_ARN));
    let parts = [content(5 << 20), content(5 << 20), content(70_001)];
    let slices: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    let body = server.send_parts("big", &id, &slices).await;
    assert!(!on_disk(&server, &parts[0][..64]));
    let target = format!("/bucket/big?uploadId={id}");
    let completed = server.ask("POST", &target, body.as_bytes()).await;
    assert_eq!(completed.outcome(), "200");
    assert_eq!(said(&completed), ("aws:kms", KEY_ARN));
    assert_eq!(server.settled(1).await, 1);

    let whole = parts.concat();
    let answer = server.ask("GET", "/bucket/big", b"").await;
    assert_eq!(said(&answer), ("aws:kms", KEY_ARN));
    assert!(answer.body == whole);
    let border = 5 << 20;
    let range = format!("bytes={}-{}", border - 2, 2 * border + 1);
    let answer = server
        .ask_with("GET", "/bucket/big", &[("range", &range)], b"")
        .await;
    assert!(answer.body == whole[border - 2..2 * border + 2]);
    let answer = server.ask("GET", "/bucket/big?partNumber=3", b"").await;
    assert!(answer.body == parts[2]);
    // A single part becomes the object without being written again.
    let (_, id) = server.begin("one", AES).await;
    let body = server.send_parts("one", &id, &[b"hello"]).await;
    let target = format!("/bucket/one?uploadId={id}");
    server.ask("POST", &target, body.as_bytes()).await;
    assert_eq!(server.ask("GET", "/bucket/one", b"").await.text(), "hello");
    assert!(!on_disk(&server, b"hello"));
}

#[tokio::test]
async fn copies_are_encrypted_as_their_requests_say() {
    let server = Server::start().await;
    let stored = content(200_000);
    for (source, headers) in [("plain", PLAIN), ("aes", AES), ("kms", KMS)] {
        let target = format!("/bucket/{source}");
        server.ask_with("PUT", &target, headers, &stored).await;
    }
    let md5 = server.ask("HEAD", "/bucket/plain", b"").await;
    let md5 = md5.header("etag");
    // (source, what the request says, what the copy is)
    let cases = [
        ("plain", PLAIN, ("", "")),
        ("plain", AES, ("AES256", "")),
        ("plain", KMS, ("aws:kms", KEY_ARN)),
        ("aes", AES, ("AES256", "")),
        ("aes", KMS, ("aws:kms", KEY_ARN)),
        ("kms", AES, ("AES256", "")),
        ("kms", KMS, ("aws:kms", KEY_ARN)),
        // What was encrypted is not laid open by a copy.
        ("aes", PLAIN, ("AES256", "")),
        ("kms", PLAIN, ("AES256", "")),
    ];
    for (source, headers, expected) in cases {
        let source = format!("/bucket/{source}");
        let headers = [&[("x-amz-copy-source", source.as_str())], headers].concat();
        let copied = server.ask_with("PUT", "/bucket/copy", &headers, b"").await;
        assert_eq!(copied.outcome(), "200", "{headers:?}");
        assert_eq!(said(&copied), expected, "{headers:?}");
        let answer = server.ask("GET", "/bucket/copy", b"").await;
        assert_eq!(said(&answer), expected, "{headers:?}");
        assert!(answer.body == stored, "{headers:?}");
        let tag_is_md5 = answer.header("etag") == md5;
        assert_eq!(tag_is_md5, expected.0 != "aws:kms", "{headers:?}");
    }
    // Onto itself, to change nothing but the encryption.
    let headers = [("x-amz-copy-source", "/bucket/plain"), (SSE, "AES256")];
    let copied = server.ask_with("PUT", "/bucket/plain", &headers, b"").await;
    assert_eq!(copied.outcome(), "200");
    server.settled(4).await;
    assert!(!on_disk(&server, &stored[..64]));
}

#[tokio::test]
async fn parts_are_copied_from_and_to_encrypted_objects() {
    let server = Server::start().await;
    let stored = content(150_000);
    server
        .ask_with("PUT", "/bucket/plain", PLAIN, &stored)
        .await;
    server.ask_with("PUT", "/bucket/kms", KMS, &stored).await;
    for (source, upload) in [("plain", KMS), ("kms", KMS), ("kms", PLAIN)] {
        let (_, id) = server.begin("copy", upload).await;
        let target = format!("/bucket/copy?partNumber=1&uploadId={id}");
        let source = format!("/bucket/{source}");
        let headers = [
            ("x-amz-copy-source", source.as_str()),
            ("x-amz-copy-source-range", "bytes=65535-140000"),
        ];
        let copied = server.ask_with("PUT", &target, &headers, b"").await;
        let text = copied.text();
        let etag = crate::support::between(&text, "<ETag>", "</ETag>");
        let body = format!(
            "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>\
             </CompleteMultipartUpload>"
        );
        let target = format!("/bucket/copy?uploadId={id}");
        let answer = server.ask("POST", &target, body.as_bytes()).await;
        assert_eq!(answer.outcome(), "200");
        let answer = server.ask("GET", "/bucket/copy", b"").await;
        assert!(answer.body == stored[65_535..=140_000]);
    }
}

#[tokio::test]
async fn what_was_changed_on_disk_is_an_error() {
    let server = Server::start().await;
    server.ask_with("PUT", "/bucket/one", AES, b"hello").await;
    let first = server.bodies().remove(0);
    server.ask_with("PUT", "/bucket/two", AES, b"world").await;
    let second = server.bodies().into_iter().find(|body| *body != first);
    let second = second.unwrap();
    let stored = std::fs::read(&first).unwrap();
    let broken = "500 InternalError";
    let mut changed = stored.clone();
    changed[0] ^= 1;
    for bad in [&changed, &stored[..5], &std::fs::read(&second).unwrap()] {
        std::fs::write(&first, bad).unwrap();
        let answer = server.ask("GET", "/bucket/one", b"").await;
        assert_eq!(answer.outcome(), broken);
        assert!(!answer.text().contains("hel"), "{}", answer.text());
    }
    std::fs::write(&first, &stored).unwrap();
    assert_eq!(server.ask("GET", "/bucket/one", b"").await.text(), "hello");
    let answer = server.ask("GET", "/bucket/two", b"").await;
    assert_eq!(answer.text(), "world");
}

#[test]
fn encrypted_objects_outlive_the_server() {
    let directory = tempfile::tempdir().unwrap();
    let ask = |method: &'static str, body: &'static [u8]| {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let server = Server::start_in(directory.path()).await;
            server
                .ask_with(
                    method,
                    "/bucket/k",
                    if method == "PUT" { KMS } else { PLAIN },
                    body,
                )
                .await
        })
    };
    assert_eq!(ask("PUT", b"kept").outcome(), "200");
    assert_eq!(ask("GET", b"").text(), "kept");
    // Another master key opens nothing.
    std::fs::write(directory.path().join("s3-master.key"), [7; 32]).unwrap();
    assert_eq!(ask("GET", b"").outcome(), "500 InternalError");
}

#[tokio::test]
async fn a_bucket_encrypts_what_does_not_say() {
    let server = Server::start().await;
    let target = "/bucket?encryption";
    let missing = "404 ServerSideEncryptionConfigurationNotFoundError";
    assert_eq!(server.ask("GET", target, b"").await.outcome(), missing);
    let rules = "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault>\
                 <SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>k-1</KMSMasterKeyID>\
                 </ApplyServerSideEncryptionByDefault><BucketKeyEnabled>true</BucketKeyEnabled>\
                 </Rule></ServerSideEncryptionConfiguration>";
    let answer = server.ask("PUT", target, rules.as_bytes()).await;
    assert_eq!(answer.outcome(), "200");
    let text = server.ask("GET", target, b"").await.text();
    assert!(text.contains(KEY_ARN), "{text}");
    let put = server.ask("PUT", "/bucket/k", b"hello").await;
    assert_eq!(said(&put), ("aws:kms", KEY_ARN));
    assert_eq!(
        put.header("x-amz-server-side-encryption-bucket-key-enabled"),
        "true"
    );
    let put = server.ask_with("PUT", "/bucket/own", AES, b"hello").await;
    assert_eq!(said(&put), ("AES256", ""));
    let (begun, _) = server.begin("big", PLAIN).await;
    assert_eq!(said(&begun), ("aws:kms", KEY_ARN));
    assert_eq!(server.ask("DELETE", target, b"").await.outcome(), "204");
    assert_eq!(server.ask("GET", target, b"").await.outcome(), missing);
    let put = server.ask("PUT", "/bucket/k", b"hello").await;
    assert_eq!(said(&put), ("", ""));
}

#[tokio::test]
async fn what_cannot_be_encrypted_so_is_refused() {
    let server = Server::start().await;
    let invalid = "400 InvalidArgument";
    let lacking = "501 NotImplemented";
    let customer = "x-amz-server-side-encryption-customer-algorithm";
    let cases: [(&[(&str, &str)], &str); 6] = [
        (&[(SSE, "AES512")], invalid),
        (&[(SSE, "AES256"), (KEY_ID, "k-1")], invalid),
        (&[(KEY_ID, "k-1")], invalid),
        (
            &[(SSE, "aws:kms"), (KEY_ID, "not a key")],
            "400 KMS.NotFoundException",
        ),
        (&[(SSE, "aws:kms:dsse")], lacking),
        (&[(customer, "AES256")], lacking),
    ];
    for (headers, expected) in cases {
        let answer = server.ask_with("PUT", "/bucket/k", headers, b"x").await;
        assert_eq!(answer.outcome(), expected, "{headers:?}");
    }
    let answer = server.ask_with("GET", "/bucket/k", AES, b"").await;
    assert_eq!(answer.outcome(), invalid);
    assert_eq!(server.bodies().len(), 0);
}

#[tokio::test]
async fn what_a_client_says_of_its_bytes_is_checked_before_they_are_sealed() {
    let server = Server::start().await;
    let right = ("content-md5", "XUFAKrxLKna5cZ2REBfFkg==");
    let wrong = ("content-md5", "AUFAKrxLKna5cZ2REBfFkg==");
    let checksum = ("x-amz-checksum-crc32", "NhCmhg==");
    for (header, expected) in [(right, "200"), (wrong, "400 BadDigest"), (checksum, "200")] {
        let headers = [KMS, &[header]].concat();
        let answer = server
            .ask_with("PUT", "/bucket/k", &headers, b"hello")
            .await;
        assert_eq!(answer.outcome(), expected);
    }
    let mode = [("x-amz-checksum-mode", "ENABLED")];
    let answer = server.ask_with("GET", "/bucket/k", &mode, b"").await;
    assert_eq!(answer.header("x-amz-checksum-crc32"), "NhCmhg==");
}
