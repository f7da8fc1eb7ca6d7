//! The internal API: how agents report and are told.
//!
//! An agent shows the token of its own instance as a bearer token; it opens
//! nothing else. Agents live on this machine, as this user, so they are shown
//! where the embedded store keeps the bytes of what they may read.

use std::borrow::Cow;

use http::request::Parts;
use http::{Method, StatusCode};
use kiln_agent::report::{Numbered, ShownBody, known_orders};
use kiln_jobs::{Jobs, ReportError};

use crate::objects::ObjectService;
use crate::reply::{Reply, plain};

/// Every internal path begins with this, which no bucket can be called.
pub(crate) const PREFIX: &str = "/_kiln/";

pub(crate) async fn answer(
    jobs: &Jobs,
    objects: &ObjectService,
    parts: &Parts,
    body: &[u8],
) -> Reply {
    let Some((instance, what)) = target(parts.uri.path()) else {
        return plain(StatusCode::NOT_FOUND, "");
    };
    let Some(token) = bearer(parts) else {
        return plain(StatusCode::UNAUTHORIZED, "");
    };
    match (&parts.method, what) {
        (&Method::POST, "reports") => take_reports(jobs, instance, token, body).await,
        (&Method::GET, "orders") => {
            let known = known_orders(parts.uri.query().unwrap_or_default());
            settle(jobs.orders(instance, token, known).await)
        }
        (&Method::GET, "body") => {
            let query = parts.uri.query().unwrap_or_default();
            settle(show_body(jobs, objects, (instance, token), query))
        }
        _ => plain(StatusCode::NOT_FOUND, ""),
    }
}

/// `/_kiln/instances/<instance>/<what>`
fn target(path: &str) -> Option<(&str, &str)> {
    path.strip_prefix(PREFIX)?
        .strip_prefix("instances/")?
        .split_once('/')
}

fn bearer(parts: &Parts) -> Option<&str> {
    parts
        .headers
        .get(http::header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .strip_prefix("Bearer ")
}

async fn take_reports(jobs: &Jobs, instance: &str, token: &str, body: &[u8]) -> Reply {
    let Ok(reports) = serde_json::from_slice::<Vec<Numbered>>(body) else {
        return plain(StatusCode::BAD_REQUEST, "");
    };
    settle(jobs.report(instance, token, reports).await.map(Some))
}

/// Where the bytes of an object are. Nothing is shown of what the instance may
/// not read, nor of what is not a plain file of this machine.
fn show_body(
    jobs: &Jobs,
    objects: &ObjectService,
    (instance, token): (&str, &str),
    query: &str,
) -> Result<Option<ShownBody>, ReportError> {
    let named = |wanted: &str| -> Cow<'_, str> {
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        let value = pairs.find_map(|(name, value)| (name == wanted).then_some(value));
        value.unwrap_or_default()
    };
    let (bucket, key) = (named("bucket"), named("key"));
    let readable = jobs.may_read(instance, token, (&bucket, &key))?;
    let ObjectService::Embedded(store) = objects else {
        return Ok(None);
    };
    if !readable {
        return Ok(None);
    }
    let found = store.plain_body(&bucket, &key).unwrap_or_else(|error| {
        // The store says it again to whoever asks it for the bytes.
        tracing::warn!(%error, "the file behind an object could not be looked up");
        None
    });
    Ok(found.map(|body| ShownBody {
        path: body.path,
        size: body.size,
        etag: body.etag,
        checksum: body.checksum,
    }))
}

fn settle<T: serde::Serialize>(outcome: Result<Option<T>, ReportError>) -> Reply {
    match outcome.map(|answer| answer.map(|answer| serde_json::to_vec(&answer))) {
        Ok(None) => plain(StatusCode::NO_CONTENT, ""),
        Ok(Some(Ok(body))) => plain(StatusCode::OK, body),
        Err(ReportError::Unknown) => plain(StatusCode::NOT_FOUND, ""),
        Ok(Some(Err(_))) | Err(ReportError::Failed(_)) => {
            plain(StatusCode::INTERNAL_SERVER_ERROR, "")
        }
    }
}
