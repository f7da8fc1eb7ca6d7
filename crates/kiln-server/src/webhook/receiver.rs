//! The webhook itself: where it is, and one announcement sent to it.

use std::time::Duration;

use kiln_store::Announcement;
use reqwest::{Client, Url, redirect};
use ring::hmac;
use serde::Deserialize;

use super::patience::Answer;

/// How long the webhook may take to answer.
const ANSWER: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(5);
/// Names the event, the same however often it is sent.
const EVENT_HEADER: &str = "x-kiln-event-id";
/// Proves that who sent the body knows the secret.
const SIGNATURE_HEADER: &str = "x-kiln-signature";

/// Where the changes of jobs are told.
#[derive(Clone, Deserialize)]
#[serde(try_from = "Table")]
pub struct Webhook {
    url: Url,
    secret: Option<String>,
}

/// A webhook as a person writes it down.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    url: String,
    secret: Option<String>,
}

/// Why a webhook cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// The URL is none.
    #[error("the webhook's url is not a URL: {0}")]
    NotAUrl(String),
    /// The URL is for another protocol.
    #[error("the webhook's url must begin with http:// or https://")]
    Scheme,
    /// The secret would prove nothing.
    #[error("the webhook's secret is empty; without one, leave it out")]
    EmptySecret,
    /// There is no HTTP client for it.
    #[error("no HTTP client for the webhook can be made: {0}")]
    Client(#[from] reqwest::Error),
}

impl TryFrom<Table> for Webhook {
    type Error = WebhookError;

    fn try_from(Table { url, secret }: Table) -> Result<Self, WebhookError> {
        let url = Url::parse(&url).map_err(|error| WebhookError::NotAUrl(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(WebhookError::Scheme);
        }
        if secret.as_ref().is_some_and(String::is_empty) {
            return Err(WebhookError::EmptySecret);
        }
        Ok(Self { url, secret })
    }
}

/// Neither the secret nor what may be one in the URL.
impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhook")
            .field("host", &self.url.host_str())
            .finish_non_exhaustive()
    }
}

/// A webhook that can be spoken to. Clones share their connections.
#[derive(Clone)]
pub(super) struct Receiver {
    client: Client,
    url: Url,
    key: Option<hmac::Key>,
}

impl Receiver {
    pub(super) fn new(webhook: &Webhook) -> Result<Self, WebhookError> {
        // A second call finds the provider installed, which is what is wanted.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder()
            .no_proxy()
            // One that was followed would turn the event into a mere visit.
            .redirect(redirect::Policy::none())
            .user_agent(concat!("kiln/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .timeout(ANSWER);
        if webhook.url.scheme() == "http" {
            builder = builder.tls_certs_only([]);
        }
        let key = |secret: &String| hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        Ok(Self {
            client: builder.build()?,
            url: webhook.url.clone(),
            key: webhook.secret.as_ref().map(key),
        })
    }

    /// Sends an announcement, once.
    pub(super) async fn tell(&self, announcement: &Announcement) -> Answer {
        let mut request = self
            .client
            .post(self.url.clone())
            .header("content-type", "application/json")
            .header(EVENT_HEADER, &announcement.id);
        if let Some(key) = &self.key {
            request = request.header(SIGNATURE_HEADER, signature(key, &announcement.body));
        }
        match request.body(announcement.body.clone()).send().await {
            Ok(response) => Answer::of(response.status()),
            // The URL may hold a secret of its own.
            Err(error) => Answer::Failed(reason(&error.without_url())),
        }
    }
}

/// `sha256=` and the body's HMAC in hexadecimal digits, as GitHub's webhooks
/// have it.
fn signature(key: &hmac::Key, body: &str) -> String {
    let tag = hmac::sign(key, body.as_bytes());
    format!("sha256={}", hex::encode(tag))
}

/// An error and what caused it: the client's own words say little.
fn reason(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str, secret: Option<&str>) -> Result<Webhook, WebhookError> {
        Webhook::try_from(Table {
            url: url.to_owned(),
            secret: secret.map(str::to_owned),
        })
    }

    #[test]
    fn what_cannot_be_a_webhook_is_refused() {
        assert!(read("https://example.org/hook?token=x", Some("s")).is_ok());
        assert!(read("http://127.0.0.1:9000", None).is_ok());
        let refused = [
            ("nonsense", None, "the webhook's url is not a URL"),
            ("ftp://example.org", None, "must begin with http://"),
            ("http://example.org", Some(""), "secret is empty"),
        ];
        for (url, secret, part) in refused {
            let error = read(url, secret).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn the_debug_form_shows_no_secret() {
        let webhook = read(
            "https://u:hunter1@example.org/hook?t=hunter2",
            Some("hunter3"),
        );
        let shown = format!("{:?}", webhook.unwrap());
        assert!(!shown.contains("hunter"), "{shown}");
    }

    /// The example of GitHub's documentation.
    #[test]
    fn signatures_are_those_of_other_webhooks() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"It's a Secret to Everybody");
        let expected = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        assert_eq!(signature(&key, "Hello, World!"), expected);
    }
}
