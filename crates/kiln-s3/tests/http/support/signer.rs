//! Signatures of version 4, written from AWS's description of them and not
//! from the code that verifies them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ring::{digest, hmac};
use time::OffsetDateTime;

pub const UNSIGNED: &str = "UNSIGNED-PAYLOAD";
const REGION: &str = "us-east-1";
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

#[derive(Clone, Copy)]
pub struct Key {
    pub id: &'static str,
    pub secret: &'static str,
}

/// A request on its way to a signature.
pub struct Draft {
    pub method: String,
    pub path: String,
    pub query: Vec<(String, String)>,
    pub headers: Vec<(String, String)>,
    payload: String,
    time: OffsetDateTime,
    /// The signature in the headers, from which those of chunks go on.
    pub seed: String,
}

impl Draft {
    /// `target` is the path as it is to be sent and, behind `?`, the query decoded.
    pub fn new(host: &str, method: &str, target: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let query = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            headers: vec![("host".to_owned(), host.to_owned())],
            payload: UNSIGNED.to_owned(),
            time: OffsetDateTime::now_utc(),
            seed: String::new(),
        }
    }

    pub fn payload(mut self, payload: &str) -> Self {
        self.payload = payload.to_owned();
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Signs as of this many minutes from now.
    pub fn minutes_off(mut self, minutes: i64) -> Self {
        self.time += time::Duration::minutes(minutes);
        self
    }

    /// What goes into the request line.
    pub fn target(&self) -> String {
        if self.query.is_empty() {
            return self.path.clone();
        }
        format!("{}?{}", self.path, self.canonical_query())
    }

    /// Signs in the headers.
    pub fn sign(self, key: &Key) -> Self {
        let stamp = self.stamp();
        let payload = self.payload.clone();
        let mut draft = self
            .header("x-amz-date", &stamp)
            .header("x-amz-content-sha256", &payload);
        let signature = draft.signature(key);
        let credential = format!("{}/{}", key.id, draft.scope());
        let names = draft.signed_names();
        draft.seed.clone_from(&signature);
        draft.header(
            "authorization",
            &format!(
                "AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, \
                 Signature={signature}"
            ),
        )
    }

    /// Signs in the query.
    pub fn presign(mut self, key: &Key, seconds: u32) -> Self {
        let parameters = [
            ("X-Amz-Algorithm", "AWS4-HMAC-SHA256".to_owned()),
            ("X-Amz-Credential", format!("{}/{}", key.id, self.scope())),
            ("X-Amz-Date", self.stamp()),
            ("X-Amz-Expires", seconds.to_string()),
            ("X-Amz-SignedHeaders", self.signed_names()),
        ];
        let parameters = parameters.map(|(name, value)| (name.to_owned(), value));
        self.query.extend(parameters);
        self.payload = UNSIGNED.to_owned();
        let signature = self.signature(key);
        self.query.push(("X-Amz-Signature".to_owned(), signature));
        self
    }

    /// Signs a request without a query by the obsolete version 2.
    pub fn sign_v2(self, key: &Key) -> Self {
        let date = "Sat, 21 Nov 2026 00:00:00 GMT";
        let text = format!("{}\n\n\n{date}\n{}", self.method, self.path);
        let secret = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key.secret.as_bytes());
        let signature = BASE64.encode(hmac::sign(&secret, text.as_bytes()));
        self.header("date", date)
            .header("authorization", &format!("AWS {}:{signature}", key.id))
    }

    /// A body of one signed chunk and the final empty one.
    pub fn chunked(&self, key: &Key, content: &[u8]) -> Vec<u8> {
        let first = self.chunk_signature(key, &self.seed, content);
        let last = self.chunk_signature(key, &first, b"");
        let head = format!("{:x};chunk-signature={first}\r\n", content.len());
        let tail = format!("\r\n0;chunk-signature={last}\r\n\r\n");
        [head.as_bytes(), content, tail.as_bytes()].concat()
    }

    fn chunk_signature(&self, key: &Key, previous: &str, content: &[u8]) -> String {
        let to_sign = format!(
            "AWS4-HMAC-SHA256-PAYLOAD\n{}\n{}\n{previous}\n{}\n{}",
            self.stamp(),
            self.scope(),
            sha256(b""),
            sha256(content)
        );
        self.sign_text(key, &to_sign)
    }

    fn signature(&self, key: &Key) -> String {
        let mut headers = self.headers.clone();
        headers.sort();
        let headers: String = headers
            .iter()
            .map(|(name, value)| format!("{name}:{}\n", value.trim()))
            .collect();
        let canonical = format!(
            "{}\n{}\n{}\n{headers}\n{}\n{}",
            self.method,
            self.path,
            self.canonical_query(),
            self.signed_names(),
            self.payload
        );
        let to_sign = format!(
            "AWS4-HMAC-SHA256\n{}\n{}\n{}",
            self.stamp(),
            self.scope(),
            sha256(canonical.as_bytes())
        );
        self.sign_text(key, &to_sign)
    }

    fn sign_text(&self, key: &Key, text: &str) -> String {
        let date = self.stamp()[..8].to_owned();
        let mut secret = format!("AWS4{}", key.secret).into_bytes();
        for step in [date.as_str(), REGION, "s3", "aws4_request"] {
            secret = mac(&secret, step.as_bytes());
        }
        hex::encode(mac(&secret, text.as_bytes()))
    }

    fn canonical_query(&self) -> String {
        let encode = |text: &str| utf8_percent_encode(text, UNRESERVED).to_string();
        let mut pairs: Vec<_> = self
            .query
            .iter()
            .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
            .collect();
        pairs.sort();
        pairs.join("&")
    }

    fn signed_names(&self) -> String {
        let mut names: Vec<_> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names.join(";")
    }

    fn scope(&self) -> String {
        format!("{}/{REGION}/s3/aws4_request", &self.stamp()[..8])
    }

    fn stamp(&self) -> String {
        let (date, time) = (self.time.date(), self.time.time());
        format!(
            "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
            date.year(),
            u8::from(date.month()),
            date.day(),
            time.hour(),
            time.minute(),
            time.second()
        )
    }
}

pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes))
}

fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, text).as_ref().to_vec()
}
