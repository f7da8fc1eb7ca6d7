//! The way into S3, the embedded one or another. The protocol crate checks
//! signatures and reads bodies; what it leaves to a server is here: to let go of
//! silent clients, and to say what was wrong with a document.

use http::request::Parts;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use s3s::service::S3Service;

use crate::body::{PATIENCE, Sight, Unread, Watched};
use crate::remote;
use crate::reply::{Fault, Protocol, Reply, fault, identified, unread};

/// What a PUT to an object's path may be about besides its bytes.
const PROPERTIES: [&str; 4] = ["acl", "legal-hold", "retention", "tagging"];

/// Answers a request to S3.
pub(crate) async fn answer(service: &S3Service, request: Request<Incoming>) -> Reply {
    let (parts, body) = request.into_parts();
    let body = Watched::new(body, PATIENCE, document_hash(&parts));
    let sight = body.sight();
    let request = Request::from_parts(parts, s3s::Body::http_body(body));
    match service.call(request).await {
        Ok(mut answer) => remote::take(&mut answer).unwrap_or_else(|| {
            mistaken(answer.status(), &sight).unwrap_or_else(|| {
                let answer = answer.map(|body| body.map_err(Into::into).boxed_unsync());
                identified(answer, "x-amz-request-id")
            })
        }),
        Err(error) => fault(Protocol::S3, &Fault::internal(&format!("{error:?}"))),
    }
}

/// The answer in place of one that failed for what was seen of the body. The
/// protocol crate takes both for failures of the server.
fn mistaken(status: StatusCode, sight: &Sight) -> Option<Reply> {
    let failed = status.is_client_error() || status.is_server_error();
    if failed && sight.stalled() {
        return Some(unread(Protocol::S3, Unread::Stalled));
    }
    let differs = status.is_server_error() && sight.differs();
    differs.then(|| {
        let message =
            "The provided 'x-amz-content-sha256' header does not match what was computed.";
        fault(
            Protocol::S3,
            &Fault::new("XAmzContentSHA256Mismatch", message),
        )
    })
}

/// The hash that a request says its document has. (The bytes of objects are
/// hashed where they are stored.)
fn document_hash(parts: &Parts) -> Option<String> {
    let said = parts.headers.get("x-amz-content-sha256")?.to_str().ok()?;
    let hash = said.len() == 64 && said.bytes().all(|byte| byte.is_ascii_hexdigit());
    (hash && carries_document(parts)).then(|| said.to_ascii_lowercase())
}

/// Whether the body is a document about something, and not an object's bytes.
fn carries_document(parts: &Parts) -> bool {
    let query = parts.uri.query().unwrap_or_default();
    let mut names = query
        .split('&')
        .map(|pair| pair.split('=').next().unwrap_or_default());
    let path = parts.uri.path().trim_start_matches('/');
    let names_object = path.split_once('/').is_some_and(|(_, key)| !key.is_empty());
    match parts.method {
        Method::POST => true,
        Method::PUT => !names_object || names.any(|name| PROPERTIES.contains(&name)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_told_from_objects() {
        let hash = "AB".repeat(32);
        let cases = [
            ("POST", "/bucket?delete", true),
            ("POST", "/bucket/key?uploadId=u", true),
            ("PUT", "/bucket", true),
            ("PUT", "/bucket/?cors", true),
            ("PUT", "/bucket/key?tagging", true),
            ("PUT", "/bucket/key", false),
            ("PUT", "/bucket/a/b?partNumber=1&uploadId=tagging", false),
            ("GET", "/bucket/key?tagging", false),
        ];
        for (method, uri, document) in cases {
            let request = Request::builder().method(method).uri(uri);
            let request = request.header("x-amz-content-sha256", &hash);
            let parts = request.body(()).unwrap().into_parts().0;
            let expected = document.then(|| hash.to_lowercase());
            assert_eq!(document_hash(&parts), expected, "{method} {uri}");
        }
        let unsigned =
            Request::post("/b?delete").header("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
        let parts = unsigned.body(()).unwrap().into_parts().0;
        assert_eq!(document_hash(&parts), None);
    }
}
