//! The services behind the front door, one module each.

pub(crate) mod iam;
pub(crate) mod logs;
pub(crate) mod monitoring;
pub(crate) mod sagemaker;
pub(crate) mod sts;
pub(crate) mod time_series;

use http::request::Parts;
use std::sync::Arc;

use kiln_jobs::{Identity, Jobs};
use kiln_store::Store;

use crate::keyring::{Keyring, Principal};
use crate::reply::Fault;

/// What services work on.
pub(crate) struct Services {
    pub(crate) identity: Identity,
    pub(crate) jobs: Jobs,
    pub(crate) store: Store,
    pub(crate) keyring: Arc<Keyring>,
}

/// One verified request.
pub(crate) struct Call<'a> {
    pub(crate) caller: Principal,
    pub(crate) parts: &'a Parts,
    pub(crate) body: &'a [u8],
}

impl Call<'_> {
    /// The operation that `X-Amz-Target: <prefix>.<operation>` names.
    pub(crate) fn operation(&self) -> Result<&str, Fault> {
        let target = self
            .parts
            .headers
            .get("x-amz-target")
            .and_then(|t| t.to_str().ok());
        let operation = target
            .and_then(|target| target.rsplit_once('.'))
            .map(|(_, name)| name);
        operation.ok_or_else(|| {
            Fault::new(
                "UnknownOperationException",
                "The request names no operation.",
            )
        })
    }

    /// The body as JSON; an empty one is an empty object.
    pub(crate) fn json(&self) -> Result<serde_json::Value, Fault> {
        if self.body.is_empty() {
            return Ok(serde_json::json!({}));
        }
        let parsed: Result<serde_json::Value, _> = serde_json::from_slice(self.body);
        match parsed {
            Ok(value) if value.is_object() => Ok(value),
            Ok(_) => Err(Fault::new(
                "SerializationException",
                "Start of structure or map found where not expected.",
            )),
            Err(error) => Err(Fault::new(
                "SerializationException",
                format!("The request body is not valid JSON: {error}"),
            )),
        }
    }

    /// Whether it is signed with a session's key: then it carries a token, among its
    /// headers or in its URL.
    pub(crate) fn has_token(&self) -> bool {
        let name = "x-amz-security-token";
        let query = self.parts.uri.query().unwrap_or_default().as_bytes();
        let mut pairs = form_urlencoded::parse(query);
        self.parts.headers.contains_key(name)
            || pairs.any(|(key, _)| key.eq_ignore_ascii_case(name))
    }

    /// A parameter of the query protocol, from the body or the query string.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        let query = self.parts.uri.query().unwrap_or_default().as_bytes();
        let pairs = form_urlencoded::parse(self.body).chain(form_urlencoded::parse(query));
        let mut pairs = pairs.into_iter();
        pairs
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }
}
