//! The head of a request that is sent on: of the client's own, what means the
//! same to every S3, signed with the operator's key.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, EXPECT, HOST};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use md5::{Digest, Md5};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Client, RequestBuilder, Url};
use s3s::{S3Error, S3Request, S3Result};
use time::OffsetDateTime;

use super::invalid;
use super::payload::{CONTENT_HASH, Payload, TRAILER};
use crate::keyring::AccessKey;
use crate::sigv4::sign_payload;

/// Headers of HTTP that go along.
const STANDARD_HEADERS: [&str; 13] = [
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-md5",
    "content-type",
    "expires",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "range",
];
/// Headers of S3 that go along, by how they begin.
const S3_PREFIXES: [&str; 4] = [
    "x-amz-meta-",
    "x-amz-checksum-",
    "x-amz-copy-source-if-",
    "x-amz-server-side-encryption",
];
/// And by their names.
const S3_HEADERS: [&str; 14] = [
    "x-amz-acl",
    "x-amz-copy-source-range",
    "x-amz-max-parts",
    "x-amz-metadata-directive",
    "x-amz-mp-object-size",
    "x-amz-object-attributes",
    "x-amz-object-ownership",
    "x-amz-optional-object-attributes",
    "x-amz-part-number-marker",
    "x-amz-request-payer",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-storage-class",
    "x-amz-tagging",
    "x-amz-tagging-directive",
];
/// Query parameters that go along, besides those that begin with `response-`.
const PARAMETERS: [&str; 26] = [
    "attributes",
    "bucket-region",
    "continuation-token",
    "delete",
    "delimiter",
    "encoding-type",
    "encryption",
    "fetch-owner",
    "key-marker",
    "list-type",
    "location",
    "marker",
    "max-buckets",
    "max-keys",
    "max-parts",
    "max-uploads",
    "part-number-marker",
    "partNumber",
    "prefix",
    "start-after",
    "tagging",
    "upload-id-marker",
    "uploadId",
    "uploads",
    "versionId",
    "x-id",
];
/// RFC 3986's unreserved characters stay as they are.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
const CHUNKED: &str = "aws-chunked";

/// A request's head without its address.
#[derive(Debug)]
pub(super) struct Draft {
    method: Method,
    query: String,
    headers: HeaderMap,
    /// Whether the client sends its body only when it is told to.
    waits: bool,
}

impl Draft {
    /// The question that every key may ask.
    pub(super) fn list_buckets() -> Self {
        Self {
            method: Method::GET,
            query: String::new(),
            headers: HeaderMap::new(),
            waits: false,
        }
    }

    /// What of a request is sent on.
    ///
    /// # Errors
    /// When it says something twice, or something that is not text.
    pub(super) fn of<I>(req: &S3Request<I>, payload: &Payload) -> S3Result<Self> {
        let mut headers = passed_on(&req.headers)?;
        describe(&mut headers, payload)?;
        Ok(Self {
            method: req.method.clone(),
            query: query(&req.uri)?,
            headers,
            waits: req.headers.contains_key(EXPECT),
        })
    }

    /// Whether the client sends its body only when it is told to.
    pub(super) fn waits_to_send(&self) -> bool {
        self.waits
    }

    /// Whether the answer takes as long as the store's work does.
    pub(super) fn is_work(&self) -> bool {
        self.method == Method::POST || self.headers.contains_key("x-amz-copy-source")
    }

    /// The request, signed for this moment.
    ///
    /// # Errors
    /// When something in it cannot be signed.
    pub(super) fn signed(
        self,
        mut url: Url,
        payload: String,
        token: Option<&str>,
        (key, region): (&AccessKey, &str),
        now: OffsetDateTime,
    ) -> S3Result<Signed> {
        url.set_query(Some(self.query.as_str()).filter(|query| !query.is_empty()));
        let mut parts = head(&self.method, &url)?;
        parts.headers = self.headers;
        parts.headers.insert(HOST, value(&host(&url))?);
        parts.headers.insert(CONTENT_HASH, value(&payload)?);
        if let Some(token) = token {
            parts.headers.insert("x-amz-security-token", value(token)?);
        }
        sign_payload(&mut parts, &payload, key, (region, "s3"), now)
            .map_err(|error| invalid(&error.to_string()))?;
        Ok(Signed {
            method: self.method,
            url,
            headers: parts.headers,
        })
    }
}

/// A request's head, ready to be sent.
pub(super) struct Signed {
    method: Method,
    url: Url,
    headers: HeaderMap,
}

impl Signed {
    pub(super) fn request(self, http: &Client) -> RequestBuilder {
        http.request(self.method, self.url).headers(self.headers)
    }
}

fn head(method: &Method, url: &Url) -> S3Result<Parts> {
    let request = Request::builder().method(method).uri(url.as_str()).body(());
    let request = request.map_err(S3Error::internal_error)?;
    Ok(request.into_parts().0)
}

fn host(url: &Url) -> String {
    let name = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{name}:{port}"),
        None => name.to_owned(),
    }
}

fn value(text: &str) -> S3Result<HeaderValue> {
    HeaderValue::from_str(text).map_err(|_| invalid("A value cannot be part of a header."))
}

/// The headers that go along as they are.
fn passed_on(headers: &HeaderMap) -> S3Result<HeaderMap> {
    let mut kept = HeaderMap::new();
    for (name, value) in headers {
        if !goes_along(name) {
            continue;
        }
        if value.to_str().is_err() {
            return Err(invalid(
                "Headers with other characters than ASCII's are not relayed.",
            ));
        }
        kept.append(name, value.clone());
    }
    strip_chunked(&mut kept)?;
    Ok(kept)
}

fn goes_along(name: &HeaderName) -> bool {
    let name = name.as_str();
    STANDARD_HEADERS.contains(&name)
        || S3_HEADERS.contains(&name)
        || S3_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// The body's chunks were taken apart, and it has the other encodings still.
fn strip_chunked(headers: &mut HeaderMap) -> S3Result<()> {
    let values = headers.get_all(CONTENT_ENCODING).iter();
    let text: Vec<&str> = values.filter_map(|value| value.to_str().ok()).collect();
    let joined = text.join(",");
    let others: Vec<&str> = joined
        .split(',')
        .map(str::trim)
        .filter(|encoding| !encoding.is_empty() && *encoding != CHUNKED)
        .collect();
    let others = others.join(",");
    headers.remove(CONTENT_ENCODING);
    if !others.is_empty() {
        headers.insert(CONTENT_ENCODING, value(&others)?);
    }
    Ok(())
}

/// Says in the headers what the request carries.
fn describe(headers: &mut HeaderMap, payload: &Payload) -> S3Result<()> {
    match payload {
        Payload::Nothing => {}
        Payload::Source(name) => {
            headers.insert("x-amz-copy-source", value(name)?);
        }
        Payload::Document(text) => {
            let sums = headers
                .keys()
                .filter(|name| name.as_str().starts_with("x-amz-checksum-"));
            let sums: Vec<HeaderName> = sums.cloned().collect();
            for name in sums {
                headers.remove(name);
            }
            headers.remove("x-amz-sdk-checksum-algorithm");
            headers.insert("content-md5", value(&STANDARD.encode(Md5::digest(text)))?);
        }
        Payload::Parts(_) => {
            headers.remove("content-md5");
            headers.remove("x-amz-sdk-checksum-algorithm");
        }
        Payload::Bytes(object) => match &object.trailer {
            None => {
                headers.insert(CONTENT_LENGTH, object.length.into());
            }
            Some(trailer) => {
                headers.insert(TRAILER, value(&trailer.name)?);
                headers.insert("x-amz-decoded-content-length", object.length.into());
                let encoding = match headers.get(CONTENT_ENCODING).map(HeaderValue::to_str) {
                    Some(Ok(others)) => format!("{others},{CHUNKED}"),
                    _ => CHUNKED.to_owned(),
                };
                headers.insert(CONTENT_ENCODING, value(&encoding)?);
            }
        },
    }
    Ok(())
}

/// The query parameters that go along. None is said twice, since the two sides
/// might each believe another one.
fn query(uri: &Uri) -> S3Result<String> {
    let text = uri.query().unwrap_or_default();
    let mut kept: Vec<(String, String)> = Vec::new();
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        if !PARAMETERS.contains(&&*name) && !name.starts_with("response-") {
            continue;
        }
        if kept.iter().any(|(earlier, _)| *earlier == name) {
            return Err(invalid(&format!("The parameter {name} is given twice.")));
        }
        kept.push((name.into_owned(), value.into_owned()));
    }
    let encode = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
    let pairs = kept.iter().map(|(name, value)| match value.as_str() {
        "" => encode(name),
        value => format!("{}={}", encode(name), encode(value)),
    });
    Ok(pairs.collect::<Vec<_>>().join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn only_what_every_s3_knows_goes_along() {
        let cases = [
            ("range", true),
            ("if-none-match", true),
            ("x-amz-meta-colour", true),
            ("x-amz-server-side-encryption-aws-kms-key-id", true),
            ("x-amz-checksum-crc32", true),
            ("authorization", false),
            ("host", false),
            ("x-amz-date", false),
            ("x-amz-security-token", false),
            ("x-amz-content-sha256", false),
            ("x-amz-copy-source", false),
            ("x-amz-expected-bucket-owner", false),
            ("x-amz-write-offset-bytes", false),
            ("x-forwarded-for", false),
            ("connection", false),
        ];
        for (name, expected) in cases {
            assert_eq!(goes_along(&name.parse().unwrap()), expected, "{name}");
        }
    }

    #[test]
    fn encodings_lose_their_chunks() {
        let cases = [
            ("aws-chunked", None),
            ("gzip, aws-chunked", Some("gzip")),
            ("gzip,br", Some("gzip,br")),
        ];
        for (said, expected) in cases {
            let kept = passed_on(&headers(&[("content-encoding", said)])).unwrap();
            let found = kept.get(CONTENT_ENCODING).map(|it| it.to_str().unwrap());
            assert_eq!(found, expected, "{said}");
        }
    }

    #[test]
    fn queries_lose_what_signs_them_and_what_nobody_knows() {
        let cases = [
            (
                "/b?list-type=2&prefix=a%2Fb%20c",
                "list-type=2&prefix=a%2Fb%20c",
            ),
            ("/b/k?uploads=", "uploads"),
            (
                "/b/k?X-Amz-Signature=1&partNumber=2&x-other=3",
                "partNumber=2",
            ),
            (
                "/b/k?response-content-type=a%2Bb",
                "response-content-type=a%2Bb",
            ),
            ("/b?prefix=a+b", "prefix=a%20b"),
            ("/", ""),
        ];
        for (uri, expected) in cases {
            assert_eq!(query(&uri.parse().unwrap()).unwrap(), expected);
        }
        assert!(query(&"/b?prefix=a&prefix=b".parse().unwrap()).is_err());
    }

    #[test]
    fn documents_are_described_anew() {
        let mut said = headers(&[
            ("content-md5", "b2xk"),
            ("x-amz-checksum-crc32", "AAAAAA=="),
            ("x-amz-sdk-checksum-algorithm", "CRC32"),
        ]);
        describe(&mut said, &Payload::Document("x".into())).unwrap();
        assert_eq!(said.len(), 1);
        assert_eq!(said["content-md5"], "ndTkYSaMgDT1yFZOFVxnpg==");
    }
}
