//! The text that is signed: a request in its canonical form.

use http::request::Parts;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use ring::{digest, hmac};

use super::Refusal;
use super::claim::{Claim, CredentialScope};

pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// RFC 3986's unreserved characters stay as they are.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The key that signs for a day, region and service.
pub(super) fn signing_key(secret: &str, scope: &CredentialScope) -> hmac::Key {
    let mut key = hmac::Key::new(hmac::HMAC_SHA256, format!("AWS4{secret}").as_bytes());
    for part in [
        scope.day.as_str(),
        &scope.region,
        &scope.service,
        "aws4_request",
    ] {
        key = hmac::Key::new(
            hmac::HMAC_SHA256,
            hmac::sign(&key, part.as_bytes()).as_ref(),
        );
    }
    key
}

/// SHA-256, in hexadecimal digits.
pub(crate) fn hash(body: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, body))
}

/// The request as it is signed, with what stands for its body.
pub(super) fn canonical_request(parts: &Parts, claim: &Claim, payload: &str) -> String {
    let mut text = String::with_capacity(1024);
    text.push_str(parts.method.as_str());
    text.push('\n');
    text.push_str(&canonical_path(parts.uri.path(), &claim.scope.service));
    text.push('\n');
    text.push_str(&canonical_query(parts.uri.query().unwrap_or_default()));
    text.push('\n');
    for name in &claim.signed_headers {
        let values = parts
            .headers
            .get_all(name.as_str())
            .iter()
            .filter_map(|v| v.to_str().ok());
        let values: Vec<String> = values.map(collapsed).collect();
        text.push_str(name);
        text.push(':');
        text.push_str(&values.join(","));
        text.push('\n');
    }
    text.push('\n');
    text.push_str(&claim.signed_headers.join(";"));
    text.push('\n');
    text.push_str(payload);
    text
}

/// What decides a request's meaning must be signed: its host, and every header
/// of AWS's own, such as the one that names the operation.
pub(super) fn require_signed(parts: &Parts, claim: &Claim) -> Result<(), Refusal> {
    let own = parts.headers.keys().map(http::HeaderName::as_str);
    let needed = own
        .filter(|name| name.starts_with("x-amz-"))
        .chain(["host"]);
    let mut unsigned = needed.filter(|name| !claim.signed_headers.iter().any(|s| s == name));
    match unsigned.next() {
        Some(name) => Err(Refusal::Incomplete(format!(
            "'{name}' must be a signed header."
        ))),
        None => Ok(()),
    }
}

/// Trims a header's value and makes runs of spaces one.
fn collapsed(value: &str) -> String {
    value
        .split(' ')
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
        .trim()
        .to_owned()
}

/// Services other than S3 sign the path encoded twice.
fn canonical_path(path: &str, service: &str) -> String {
    if path.is_empty() || path == "/" {
        return "/".to_owned();
    }
    if service == "s3" {
        return path.to_owned();
    }
    let encoded = path
        .split('/')
        .map(|segment| utf8_percent_encode(segment, ENCODED).to_string());
    encoded.collect::<Vec<_>>().join("/")
}

fn canonical_query(query: &str) -> String {
    let encode = |text: &str| {
        let decoded = percent_decode_str(text).collect::<Vec<u8>>();
        percent_encoding::percent_encode(&decoded, ENCODED).to_string()
    };
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .filter(|(name, _)| *name != "X-Amz-Signature")
        .map(|(name, value)| (encode(name), encode(value)))
        .collect();
    pairs.sort();
    let pairs: Vec<String> = pairs
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join("&")
}

/// What the signing key signs.
pub(super) fn string_to_sign(claim: &Claim, canonical: &str) -> String {
    let CredentialScope {
        day,
        region,
        service,
        ..
    } = &claim.scope;
    let hash = hash(canonical.as_bytes());
    format!(
        "{ALGORITHM}\n{}\n{day}/{region}/{service}/aws4_request\n{hash}",
        claim.time
    )
}
