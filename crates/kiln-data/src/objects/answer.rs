//! What a store's answers say: an object's head, and errors.

use std::time::Duration;

use reqwest::Response;
use reqwest::header::{CONTENT_LENGTH, ETAG, HeaderMap};
use tokio::time::timeout;

use super::checksum::Checksum;
use crate::DataError;

/// The longest error document that is read.
const LONGEST_ERROR: usize = 64 << 10;

/// What a store says of an object before its bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectHead {
    /// Bytes, when the store says.
    pub size: Option<u64>,
    /// The entity tag, quotes included.
    pub etag: Option<String>,
    /// What all bytes must add up to.
    pub checksum: Option<Checksum>,
}

impl ObjectHead {
    /// Reads the head off an answer that is about the whole object.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let size = text(headers, CONTENT_LENGTH.as_str()).and_then(|size| size.parse().ok());
        Self {
            size,
            etag: text(headers, ETAG.as_str()).map(str::to_owned),
            checksum: Checksum::declared(headers, size),
        }
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// Reads an error answer, of which a store that falls silent may never send the
/// rest.
pub(super) async fn refusal(mut response: Response, patience: Duration) -> DataError {
    let status = response.status();
    let mut document = Vec::new();
    while let Ok(Ok(Some(chunk))) = timeout(patience, response.chunk()).await {
        document.extend_from_slice(&chunk);
        if document.len() > LONGEST_ERROR {
            break;
        }
    }
    let text = String::from_utf8_lossy(&document);
    let reason = status.canonical_reason().unwrap_or("Unknown");
    refused(status.as_u16(), reason, &text)
}

/// The error in a document: `<Error><Code>…</Code><Message>…</Message></Error>`.
pub(super) fn refused(status: u16, reason: &str, document: &str) -> DataError {
    let element = |name: &str| {
        let (_, rest) = document.split_once(&format!("<{name}>"))?;
        let text = rest.split_once(&format!("</{name}>"))?.0;
        // What is no XML after all is shown as it came.
        let plain = quick_xml::escape::unescape(text).unwrap_or(text.into());
        Some(plain.into_owned())
    };
    DataError::Refused {
        status,
        code: element("Code").unwrap_or_else(|| reason.replace(' ', "")),
        message: element("Message").unwrap_or_else(|| reason.to_owned()),
    }
}

pub(super) fn unreachable(error: reqwest::Error) -> DataError {
    // The outer error names only the URL, which carries a signature.
    let error = error.without_url();
    if error.is_builder() {
        return protocol(error);
    }
    let mut cause: &(dyn std::error::Error + 'static) = &error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    if is_distrust(cause) {
        return DataError::Untrusted(cause.to_string());
    }
    DataError::Unreachable(cause.to_string())
}

/// Whether TLS refused the other side, which no other try will change.
fn is_distrust(cause: &(dyn std::error::Error + 'static)) -> bool {
    let carried = cause
        .downcast_ref::<std::io::Error>()
        .and_then(|error| error.get_ref());
    let refusal = match carried {
        Some(carried) => carried.downcast_ref(),
        None => cause.downcast_ref(),
    };
    matches!(refusal, Some(rustls::Error::InvalidCertificate(_)))
}

pub(super) fn broken(how: &str) -> DataError {
    DataError::Unreachable(how.to_owned())
}

pub(super) fn stalled() -> DataError {
    broken("it fell silent in the middle of a request")
}

pub(super) fn protocol(error: impl std::fmt::Display) -> DataError {
    DataError::Protocol(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_read_as_it_was_meant() {
        let cases = [
            (
                "<Error><Code>AccessDenied</Code><Message>&quot;a&quot; &amp; b</Message></Error>",
                ("AccessDenied", "\"a\" & b"),
            ),
            (
                "<Error><Code>X</Code><Message>A & B</Message></Error>",
                ("X", "A & B"),
            ),
            ("not found here", ("NotFound", "Not Found")),
            ("", ("NotFound", "Not Found")),
        ];
        for (document, expected) in cases {
            let DataError::Refused { code, message, .. } = refused(404, "Not Found", document)
            else {
                panic!("{document}");
            };
            assert_eq!((code.as_str(), message.as_str()), expected, "{document}");
        }
    }
}
