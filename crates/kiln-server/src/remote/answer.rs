//! Answers of the other store on their way to the client, as they are.

use std::sync::{Arc, Mutex, PoisonError};

use http::header::{CONNECTION, TRANSFER_ENCODING};
use http::{HeaderName, HeaderValue, Response};
use http_body_util::BodyExt;
use s3s::S3Response;

use crate::body::{PATIENCE, Watched};
use crate::reply::Reply;

/// Headers that are about one connection only.
const OF_THE_CONNECTION: [HeaderName; 2] = [CONNECTION, TRANSFER_ENCODING];
/// What a store answers to keys that it does not take at all, which is more
/// than to refuse them something.
const BAD_KEYS: [&str; 6] = [
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "InvalidToken",
    "ExpiredToken",
    "InvalidClientTokenId",
    "AuthorizationHeaderMalformed",
];

/// An answer that travels beside an empty output through the protocol crate,
/// which would write it anew.
#[derive(Clone)]
struct Enclosed(Arc<Mutex<Option<Reply>>>);

/// Puts an answer beside an empty output.
pub(super) fn enclose<O: Default>(reply: Reply) -> S3Response<O> {
    let mut response = S3Response::new(O::default());
    let enclosed = Enclosed(Arc::new(Mutex::new(Some(reply))));
    response.extensions.insert(enclosed);
    response
}

/// The answer that was put beside an output, if one was.
pub(crate) fn take<B>(answer: &mut Response<B>) -> Option<Reply> {
    let enclosed = answer.extensions_mut().remove::<Enclosed>()?;
    let mut reply = enclosed.0.lock().unwrap_or_else(PoisonError::into_inner);
    reply.take()
}

/// The store's answer, whose body comes as it is read.
pub(super) fn pass_on(response: reqwest::Response) -> Reply {
    let (mut parts, body) = Response::<reqwest::Body>::from(response).into_parts();
    for name in OF_THE_CONNECTION {
        parts.headers.remove(name);
    }
    let body = Watched::new(body, PATIENCE, None);
    Response::from_parts(parts, body.map_err(Into::into).boxed_unsync())
}

/// Closes the connection behind the answer to a client that `waits` to send a
/// body and is not going to be asked for it.
pub(super) fn hang_up_if(waits: bool, mut reply: Reply) -> Reply {
    if waits && !reply.status().is_success() {
        let close = HeaderValue::from_static("close");
        reply.headers_mut().insert(CONNECTION, close);
    }
    reply
}

/// What a store has against the keys, if anything.
pub(super) fn refused_keys(status: u16, document: &str) -> Option<String> {
    if status < 400 {
        return None;
    }
    let element = |name: &str| {
        let (_, rest) = document.split_once(&format!("<{name}>"))?;
        Some(rest.split_once(&format!("</{name}>"))?.0)
    };
    let code = element("Code").filter(|code| BAD_KEYS.contains(code))?;
    Some(format!(
        "{code}: {}",
        element("Message").unwrap_or_default()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_bad_when_the_store_does_not_know_them() {
        let document =
            |code: &str| format!("<Error><Code>{code}</Code><Message>It said so</Message></Error>");
        let reason = refused_keys(403, &document("InvalidAccessKeyId"));
        assert_eq!(reason.as_deref(), Some("InvalidAccessKeyId: It said so"));
        assert_eq!(refused_keys(403, &document("AccessDenied")), None);
        assert_eq!(refused_keys(501, &document("NotImplemented")), None);
        assert_eq!(refused_keys(200, "<ListAllMyBucketsResult/>"), None);
        assert_eq!(refused_keys(404, "not a document"), None);
    }
}
