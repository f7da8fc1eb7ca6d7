//! How requests reach a store: the HTTP client, the style of its URLs, and
//! signed requests.

use std::time::Duration;

use bytes::Bytes;
use reqwest::{Client, Method, RequestBuilder};
use rusty_s3::{Bucket, S3Action, UrlStyle};
use url::Url;

use super::{Objects, answer};
use crate::DataError;

/// How long a signed request stays valid, and the longest that one may take.
const VALIDITY: Duration = Duration::from_secs(900);
/// How long an answer may take to begin.
const ANSWER: Duration = Duration::from_secs(60);
/// Bytes a second that a body takes at the least to be sent.
const SLOWEST: u64 = 64 << 10;
const CONNECT: Duration = Duration::from_secs(10);

/// What a client must be able to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// HTTP without TLS: the control plane and its own store. Nothing is read
    /// from the machine's certificates, which would cost every job milliseconds.
    Plain,
    /// HTTPS too, trusting whom this machine trusts.
    Secure,
}

impl Transport {
    /// What an endpoint's URL asks for.
    #[must_use]
    pub fn of(endpoint: &str) -> Self {
        let scheme = endpoint.split_once(':').map_or("", |(scheme, _)| scheme);
        if scheme.eq_ignore_ascii_case("https") {
            Self::Secure
        } else {
            Self::Plain
        }
    }
}

impl Objects {
    /// A client for stores and the control plane, without proxies.
    ///
    /// # Errors
    /// When none can be made, for example because this machine trusts nobody.
    pub fn http_client(transport: Transport) -> Result<Client, DataError> {
        // A second call finds the provider installed, which is what is wanted.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder()
            .no_proxy()
            .tcp_nodelay(true)
            .connect_timeout(CONNECT);
        if transport == Transport::Plain {
            builder = builder.tls_certs_only([]);
        }
        let built = builder.build().map_err(std::io::Error::other);
        built.map_err(DataError::io("making an HTTP client"))
    }
}

/// A bucket of the store at this URL. AWS's own names a bucket in the host, and
/// may refuse it in the path; all others know the path for sure. A name with
/// dots fits no certificate as part of a host.
pub(super) fn bucket(at: &str, name: &str, region: &str) -> Result<Bucket, DataError> {
    let endpoint: Url = at.parse().map_err(answer::protocol)?;
    let host = endpoint.host_str().unwrap_or_default();
    let is_aws = host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn");
    let style = if is_aws && !name.contains('.') {
        UrlStyle::VirtualHost
    } else {
        UrlStyle::Path
    };
    Bucket::new(endpoint, style, name.to_owned(), region.to_owned())
        .map_err(|error| answer::protocol(format!("{error:?}")))
}

/// The names and values of a request's own headers.
pub(super) type Headers = Vec<(&'static str, String)>;

/// One request, signed for this moment.
pub(super) struct Draft {
    method: Method,
    url: Url,
    headers: Headers,
    body: Bytes,
}

impl Draft {
    /// Signs a request that is nothing but its URL.
    pub(super) fn bare<'a>(action: impl S3Action<'a>) -> Self {
        Self::new(action, Vec::new(), Bytes::new())
    }

    /// Signs a request; of its headers, those that S3 wants signed.
    pub(super) fn new<'a, A: S3Action<'a>>(mut action: A, headers: Headers, body: Bytes) -> Self {
        for (name, value) in &headers {
            if name.starts_with("x-amz-") {
                action.headers_mut().insert(*name, value.clone());
            }
        }
        Self {
            method: match A::METHOD {
                rusty_s3::Method::Head => Method::HEAD,
                rusty_s3::Method::Get => Method::GET,
                rusty_s3::Method::Post => Method::POST,
                rusty_s3::Method::Put => Method::PUT,
                rusty_s3::Method::Delete => Method::DELETE,
            },
            url: action.sign(VALIDITY),
            headers,
            body,
        }
    }

    /// How long to wait until the answer begins. What is posted starts work
    /// whose length the store alone knows.
    pub(super) fn time_to_answer(&self) -> Duration {
        if self.method == Method::POST {
            VALIDITY
        } else {
            ANSWER + Duration::from_secs(self.body.len() as u64 / SLOWEST)
        }
    }

    pub(super) fn request(self, http: &Client) -> RequestBuilder {
        let request = http.request(self.method, self.url).body(self.body);
        self.headers
            .into_iter()
            .fold(request, |request, (name, value)| {
                request.header(name, value)
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_aws_has_buckets_in_its_host_names() {
        let cases = [
            ("http://127.0.0.1:9000", "b", "http://127.0.0.1:9000/b/"),
            (
                "https://minio.example:9000",
                "b",
                "https://minio.example:9000/b/",
            ),
            ("https://example.org/s3", "b", "https://example.org/s3/b/"),
            (
                "https://s3.eu-west-1.amazonaws.com",
                "b",
                "https://b.s3.eu-west-1.amazonaws.com/",
            ),
            (
                "https://s3.eu-west-1.amazonaws.com",
                "b.c",
                "https://s3.eu-west-1.amazonaws.com/b.c/",
            ),
            (
                "https://evilamazonaws.com",
                "b",
                "https://evilamazonaws.com/b/",
            ),
        ];
        for (at, name, expected) in cases {
            let bucket = bucket(at, name, "eu-west-1").unwrap();
            assert_eq!(bucket.base_url().as_str(), expected);
        }
        assert!(bucket("localhost", "b", "r").is_err());
    }

    #[test]
    fn s3_s_own_headers_are_signed_and_others_are_not() {
        let bucket = bucket("http://localhost", "b", "r").unwrap();
        let keys = rusty_s3::Credentials::new("id", "secret");
        let headers = vec![
            ("x-amz-checksum-mode", "ENABLED".to_owned()),
            ("range", "bytes=0-1".to_owned()),
        ];
        let draft = Draft::new(bucket.get_object(Some(&keys), "k"), headers, Bytes::new());
        let signed = "X-Amz-SignedHeaders=host%3Bx-amz-checksum-mode&";
        assert!(draft.url.as_str().contains(signed), "{}", draft.url);
    }

    #[test]
    fn the_scheme_says_what_a_client_must_speak() {
        assert_eq!(Transport::of("http://a:1"), Transport::Plain);
        assert_eq!(Transport::of("HTTPS://a"), Transport::Secure);
    }
}
