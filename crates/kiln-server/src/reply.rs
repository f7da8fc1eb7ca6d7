//! Answers and errors in the wire forms of AWS's protocols.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};

use crate::body::Unread;

/// What a body can fail with while it is sent.
pub(crate) type BodyError = Box<dyn std::error::Error + Send + Sync>;
/// Any answer's body.
pub(crate) type Body = UnsyncBoxBody<Bytes, BodyError>;
/// Any answer.
pub(crate) type Reply = Response<Body>;

/// An error as AWS names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl Fault {
    /// An error that is the caller's: HTTP 400.
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            code,
            message: message.into(),
        }
    }

    /// An error that is the caller's, with a status of its own.
    pub(crate) fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// An error that is ours. The cause goes to the server's log only.
    pub(crate) fn internal(cause: &dyn std::fmt::Display) -> Self {
        tracing::error!(%cause, "a request failed");
        let message = "The request processing has failed because of an unknown error, exception \
            or failure.";
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            code: "InternalFailure",
            message: message.to_owned(),
        }
    }
}

/// The versions of AWS's JSON protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// JSON with `X-Amz-Target`.
    Json,
    /// Form in, XML out.
    Query,
    /// S3's own XML.
    S3,
}

/// A JSON answer; an empty one for operations without output.
pub(crate) fn json(body: impl Into<Bytes>) -> Reply {
    with_type(StatusCode::OK, "application/x-amz-json-1.1", body.into())
}

/// An XML answer.
pub(crate) fn xml(body: String) -> Reply {
    with_type(StatusCode::OK, "text/xml", body.into())
}

/// An error, in the protocol's form.
pub(crate) fn fault(protocol: Protocol, fault: &Fault) -> Reply {
    match protocol {
        Protocol::Json => json_fault(fault),
        Protocol::Query => query_fault(fault),
        Protocol::S3 => s3_fault(fault),
    }
}

fn json_fault(fault: &Fault) -> Reply {
    // Modelled errors spell the member `Message`, others `message`.
    let member = if fault.code.starts_with("Resource") && !fault.code.ends_with("Exception") {
        "Message"
    } else {
        "message"
    };
    let body = serde_json::json!({"__type": fault.code, member: fault.message});
    let mut reply = with_type(
        fault.status,
        "application/x-amz-json-1.1",
        body.to_string().into(),
    );
    if let Ok(value) = HeaderValue::from_str(fault.code) {
        reply.headers_mut().insert("x-amzn-errortype", value);
    }
    reply
}

fn query_fault(fault: &Fault) -> Reply {
    let side = if fault.status.is_server_error() {
        "Receiver"
    } else {
        "Sender"
    };
    let body = format!(
        "<ErrorResponse><Error><Type>{side}</Type><Code>{}</Code><Message>{}</Message></Error>\
         <RequestId>{}</RequestId></ErrorResponse>",
        fault.code,
        quick_xml::escape::escape(&fault.message),
        uuid::Uuid::new_v4()
    );
    with_type(fault.status, "text/xml", body.into())
}

fn s3_fault(fault: &Fault) -> Reply {
    let id = uuid::Uuid::new_v4().to_string();
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{}</Code><Message>{}</Message>\
         <RequestId>{id}</RequestId></Error>",
        fault.code,
        quick_xml::escape::escape(&fault.message),
    );
    let mut reply = plain(fault.status, body);
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert("x-amz-request-id", id);
    }
    reply
}

/// The answer to a request whose body was not read, by the codes of the
/// protocol. Nothing that follows on its connection could be understood.
pub(crate) fn unread(protocol: Protocol, error: Unread) -> Reply {
    let (code, status) = match (error, protocol) {
        (Unread::TooLarge, Protocol::S3) => ("EntityTooLarge", StatusCode::BAD_REQUEST),
        (Unread::TooLarge, _) => (
            "RequestEntityTooLargeException",
            StatusCode::PAYLOAD_TOO_LARGE,
        ),
        (Unread::Stalled, Protocol::S3) => ("RequestTimeout", StatusCode::BAD_REQUEST),
        (Unread::Stalled, Protocol::Query) => ("RequestTimeout", StatusCode::REQUEST_TIMEOUT),
        (Unread::Stalled, Protocol::Json) => {
            ("RequestTimeoutException", StatusCode::REQUEST_TIMEOUT)
        }
        (Unread::Broken, _) => ("IncompleteBody", StatusCode::BAD_REQUEST),
    };
    let error = Fault::new(code, error.to_string()).with_status(status);
    let mut reply = fault(protocol, &error);
    let close = HeaderValue::from_static("close");
    reply.headers_mut().insert(CONNECTION, close);
    reply
}

/// An answer without AWS's trappings.
pub(crate) fn plain(status: StatusCode, body: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(whole(body.into()));
    *reply.status_mut() = status;
    reply
}

fn with_type(status: StatusCode, kind: &'static str, body: Bytes) -> Reply {
    let mut reply = plain(status, body);
    reply
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    identified(reply, "x-amzn-requestid")
}

/// Gives an answer an identity of its own, under the header that its service uses.
pub(crate) fn identified(mut reply: Reply, header: &'static str) -> Reply {
    let id = uuid::Uuid::new_v4().to_string();
    if let Ok(id) = HeaderValue::from_str(&id) {
        reply.headers_mut().insert(header, id);
    }
    reply
}

fn whole(body: Bytes) -> Body {
    Full::new(body)
        .map_err(|never| match never {})
        .boxed_unsync()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_silent_client_is_told_in_its_own_words() {
        let cases = [
            (
                Protocol::Json,
                408,
                "\"__type\":\"RequestTimeoutException\"",
            ),
            (Protocol::Query, 408, "<Code>RequestTimeout</Code>"),
            (Protocol::S3, 400, "<Code>RequestTimeout</Code>"),
        ];
        for (protocol, status, part) in cases {
            let reply = unread(protocol, Unread::Stalled);
            assert_eq!(reply.status(), status);
            assert_eq!(reply.headers()[CONNECTION], "close");
            let body = reply.into_body().collect().await.unwrap().to_bytes();
            let text = String::from_utf8(body.to_vec()).unwrap();
            assert!(text.contains(part), "{text}");
        }
    }
}
