//! The body of a request that is sent on: nothing, a document, or an object's
//! bytes as they come in.
//!
//! A checksum that follows the bytes cannot be told before them, so such bodies
//! go out in the form that they came in: in chunks, with the checksum behind.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::{BufMut, Bytes, BytesMut};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use http::HeaderMap;
use s3s::dto::StreamingBlob;
use s3s::{S3ErrorCode, S3Request, S3Result, StdError, TrailingHeaders};

use super::target::Carried;
use crate::sigv4::hash;

/// The header that says what hash a body has.
pub(super) const CONTENT_HASH: &str = "x-amz-content-sha256";
/// The header that names what follows a body.
pub(super) const TRAILER: &str = "x-amz-trailer";
const DECODED_LENGTH: &str = "x-amz-decoded-content-length";
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";
const UNSIGNED_TRAILER: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";

/// What a request carries, ready to be sent.
pub(super) enum Payload {
    Nothing,
    Source(String),
    Document(Bytes),
    Parts(Bytes),
    Bytes(Object),
}

/// An object's bytes on their way.
pub(super) struct Object {
    body: Option<StreamingBlob>,
    pub(super) length: u64,
    hash: String,
    pub(super) trailer: Option<Trailer>,
}

/// A checksum behind the bytes.
pub(super) struct Trailer {
    pub(super) name: String,
    headers: TrailingHeaders,
}

impl Payload {
    /// What a request carries.
    ///
    /// # Errors
    /// When it does not say how much that is.
    pub(super) fn of<I>(carried: Carried, req: &S3Request<I>) -> S3Result<Self> {
        Ok(match carried {
            Carried::Nothing => Self::Nothing,
            Carried::Source(name) => Self::Source(name),
            Carried::Document(text) => Self::Document(text),
            Carried::Parts(text) => Self::Parts(text),
            Carried::Bytes(body) => Self::Bytes(Object {
                length: length(&req.headers, body.is_some())?,
                hash: content_hash(&req.headers),
                trailer: trailer(&req.headers, req.trailing_headers.as_ref()),
                body,
            }),
        })
    }

    /// What stands for the body in the signature.
    pub(super) fn hash(&self) -> String {
        match self {
            Self::Nothing | Self::Source(_) => hash(b""),
            Self::Document(text) | Self::Parts(text) => hash(text),
            Self::Bytes(object) if object.trailer.is_some() => UNSIGNED_TRAILER.to_owned(),
            Self::Bytes(object) => object.hash.clone(),
        }
    }

    /// The number of bytes, without what frames them.
    pub(super) fn length(&self) -> u64 {
        match self {
            Self::Nothing | Self::Source(_) => 0,
            Self::Document(text) | Self::Parts(text) => text.len() as u64,
            Self::Bytes(object) => object.length,
        }
    }

    /// The body to send, and where it says why it broke off.
    pub(super) fn into_body(self) -> (reqwest::Body, Broken) {
        let broken = Broken::default();
        let body = match self {
            Self::Nothing | Self::Source(_) => reqwest::Body::default(),
            Self::Document(text) | Self::Parts(text) => text.into(),
            Self::Bytes(Object { body: None, .. }) => reqwest::Body::default(),
            Self::Bytes(Object {
                body: Some(body),
                trailer,
                ..
            }) => {
                let bytes: BoxStream<'static, _> = match trailer {
                    None => body.boxed(),
                    Some(trailer) => framed(body, trailer).boxed(),
                };
                let kept = broken.clone();
                reqwest::Body::wrap_stream(bytes.map_err(move |error| kept.keep(error)))
            }
        };
        (body, broken)
    }
}

/// Why a body broke off, for who gave it away to be sent.
#[derive(Clone, Default)]
pub(super) struct Broken(Arc<Mutex<Option<StdError>>>);

impl Broken {
    fn keep(&self, error: StdError) -> std::io::Error {
        let told = std::io::Error::other(error.to_string());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        told
    }

    pub(super) fn cause(&self) -> Option<StdError> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.take()
    }
}

/// The number of an object's bytes, which S3 wants to know before them.
fn length(headers: &HeaderMap, has_body: bool) -> S3Result<u64> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.parse().ok();
    match number(DECODED_LENGTH).or_else(|| number("content-length")) {
        Some(length) => Ok(length),
        None if !has_body => Ok(0),
        None => Err(S3ErrorCode::MissingContentLength.into()),
    }
}

/// The hash that the client has signed, which the other store checks too.
fn content_hash(headers: &HeaderMap) -> String {
    let said = headers
        .get(CONTENT_HASH)
        .and_then(|said| said.to_str().ok());
    let is_hash = |said: &&str| said.len() == 64 && said.bytes().all(|b| b.is_ascii_hexdigit());
    said.filter(is_hash).unwrap_or(UNSIGNED).to_owned()
}

fn trailer(headers: &HeaderMap, trailing: Option<&TrailingHeaders>) -> Option<Trailer> {
    let name = headers.get(TRAILER)?.to_str().ok()?.to_ascii_lowercase();
    let headers = trailing?.clone();
    name.starts_with("x-amz-checksum-")
        .then_some(Trailer { name, headers })
}

/// Bytes in chunks that say how long they are, and what follows them.
fn framed(
    body: StreamingBlob,
    trailer: Trailer,
) -> impl futures::Stream<Item = Result<Bytes, StdError>> + Send {
    let end = stream::once(async move {
        let value = trailer.headers.take().and_then(|headers| {
            let value = headers.get(&trailer.name)?;
            value.to_str().ok().map(str::to_owned)
        });
        let value = value.ok_or("the checksum that was to follow the body is missing")?;
        Ok(Bytes::from(format!(
            "0\r\n{}:{value}\r\n\r\n",
            trailer.name
        )))
    });
    body.try_filter(|chunk| futures::future::ready(!chunk.is_empty()))
        .map_ok(|chunk| frame(&chunk))
        .chain(end)
}

fn frame(chunk: &Bytes) -> Bytes {
    let head = format!("{:x}\r\n", chunk.len());
    let mut framed = BytesMut::with_capacity(head.len() + chunk.len() + 2);
    framed.put_slice(head.as_bytes());
    framed.put_slice(chunk);
    framed.put_slice(b"\r\n");
    framed.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn lengths_are_those_of_the_object() {
        let decoded = [("content-length", "90"), (DECODED_LENGTH, "7")];
        assert_eq!(length(&headers(&decoded), true).unwrap(), 7);
        let plain = [("content-length", "9")];
        assert_eq!(length(&headers(&plain), true).unwrap(), 9);
        assert_eq!(length(&headers(&[]), false).unwrap(), 0);
        assert!(length(&headers(&[]), true).is_err());
    }

    #[test]
    fn only_hashes_are_told_on() {
        let hash = "ab".repeat(32);
        let cases = [
            (hash.as_str(), hash.as_str()),
            ("UNSIGNED-PAYLOAD", UNSIGNED),
            ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", UNSIGNED),
        ];
        for (said, expected) in cases {
            assert_eq!(content_hash(&headers(&[(CONTENT_HASH, said)])), expected);
        }
        assert_eq!(content_hash(&headers(&[])), UNSIGNED);
    }

    #[test]
    fn chunks_are_framed_with_their_length() {
        let framed = frame(&Bytes::from_static(&[b'x'; 17]));
        assert_eq!(
            &framed[..],
            format!("11\r\n{}\r\n", "x".repeat(17)).as_bytes()
        );
    }
}
