//! The protocols that CloudWatch's clients speak: JSON in the present ones of most
//! languages, forms and XML in older ones, CBOR in the newest.

mod cbor;
mod form;
mod json;
mod xml;

use std::borrow::Cow;
use std::io::Read;

use flate2::read::MultiGzDecoder;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderValue, Response};
use http_body_util::{BodyExt, Full};
use serde_json::Value;

use super::answer::Answer;
use super::fault::{shape, unknown_operation};
use crate::reply::{Fault, Protocol, Reply, identified};
use crate::services::Call;

/// What `X-Amz-Target` begins with.
pub(crate) const TARGET: &str = "GraniteServiceVersion20100801";
/// What the path of a request in CBOR begins with; the operation follows.
pub(crate) const CBOR_PREFIX: &str = "/service/GraniteServiceVersion20100801/operation/";

/// What a packed body may hold.
const LARGEST_UNPACKED: u64 = 4 << 20;

/// A protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    Json,
    Query,
    Cbor,
}

impl Wire {
    /// The protocol of a request.
    pub(crate) fn of(parts: &Parts) -> Self {
        if parts.uri.path().starts_with(CBOR_PREFIX) {
            Self::Cbor
        } else if parts.headers.contains_key("x-amz-target") {
            Self::Json
        } else {
            Self::Query
        }
    }

    /// The protocol by whose codes a refused signature is told.
    pub(crate) fn kin(self) -> Protocol {
        match self {
            Self::Json | Self::Cbor => Protocol::Json,
            Self::Query => Protocol::Query,
        }
    }

    /// The operation that a request names.
    pub(super) fn operation(self, call: &Call<'_>) -> Result<String, Fault> {
        match self {
            Self::Json => Ok(call.operation()?.to_owned()),
            Self::Cbor => Ok(call.parts.uri.path()[CBOR_PREFIX.len()..].to_owned()),
            Self::Query => {
                let named = form::read(query(call), &unpacked(call)?).0;
                named.ok_or_else(|| unknown_operation("''"))
            }
        }
    }

    /// The input of a request.
    pub(super) fn read(self, call: &Call<'_>) -> Result<Value, Fault> {
        let body = unpacked(call)?;
        match self {
            Self::Json => json::read(&body),
            Self::Cbor => cbor::read(&body),
            Self::Query => Ok(form::read(query(call), &body).1),
        }
    }

    /// The reply that an operation's answer makes, if it has one.
    pub(super) fn write(self, operation: &str, answer: Option<&Answer>) -> Reply {
        let body = match (self, answer) {
            (Self::Json, Some(answer)) => json::write(answer).to_string().into_bytes(),
            (Self::Json, None) => b"{}".to_vec(),
            (Self::Cbor, Some(answer)) => cbor::write(&cbor::value(answer)),
            (Self::Cbor, None) => cbor::write(&cbor::value(&Answer::Structure(Vec::new()))),
            (Self::Query, answer) => xml::write(operation, answer).into_bytes(),
        };
        self.reply(body)
    }

    fn reply(self, body: Vec<u8>) -> Reply {
        let body = Full::new(body.into()).map_err(|never| match never {});
        let mut reply = Response::new(body.boxed_unsync());
        let kind = match self {
            Self::Json => "application/x-amz-json-1.0",
            Self::Query => "text/xml",
            Self::Cbor => "application/cbor",
        };
        let headers = reply.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        if self == Self::Cbor {
            let protocol = HeaderValue::from_static("rpc-v2-cbor");
            headers.insert("smithy-protocol", protocol);
        }
        identified(reply, "x-amzn-requestid")
    }
}

/// The reply to a request that is refused. Clients that ask for it are told the
/// error's oldest name in a header.
pub(crate) fn refuse(parts: &Parts, fault: &Fault) -> Reply {
    let wire = Wire::of(parts);
    if wire == Wire::Query {
        return crate::reply::fault(Protocol::Query, fault);
    }
    let error = Answer::Structure(vec![
        ("__type", Answer::text(shape(fault.code))),
        ("message", Answer::text(&fault.message)),
    ]);
    let mut reply = wire.write("", Some(&error));
    *reply.status_mut() = fault.status;
    let side = if fault.status.is_server_error() {
        "Receiver"
    } else {
        "Sender"
    };
    let old = HeaderValue::from_str(&format!("{};{side}", fault.code));
    if let (true, Ok(old)) = (parts.headers.contains_key("x-amzn-query-mode"), old) {
        reply.headers_mut().insert("x-amzn-query-error", old);
    }
    reply
}

fn query<'a>(call: &Call<'a>) -> &'a [u8] {
    call.parts.uri.query().unwrap_or_default().as_bytes()
}

/// The body, as it was before a client packed it.
fn unpacked<'a>(call: &Call<'a>) -> Result<Cow<'a, [u8]>, Fault> {
    let packed = call.parts.headers.get(CONTENT_ENCODING);
    match packed.map(HeaderValue::as_bytes) {
        None | Some(b"" | b"identity") => Ok(call.body.into()),
        Some(b"gzip") => gunzip(call.body).map(Cow::Owned),
        Some(_) => Err(unreadable(
            "The request body has an encoding that is not known.",
        )),
    }
}

fn gunzip(packed: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut body = Vec::new();
    let read = MultiGzDecoder::new(packed)
        .take(LARGEST_UNPACKED + 1)
        .read_to_end(&mut body);
    match read {
        Ok(_) if body.len() as u64 <= LARGEST_UNPACKED => Ok(body),
        Ok(_) => Err(Fault::new(
            "RequestEntityTooLarge",
            "The request body is larger than any request may be.",
        )),
        Err(error) => Err(unreadable(format!(
            "The request body is not valid gzip: {error}"
        ))),
    }
}

/// A body that does not say what its protocol would have it say.
fn unreadable(message: impl Into<String>) -> Fault {
    Fault::new("SerializationException", message)
}

#[cfg(test)]
mod tests;
