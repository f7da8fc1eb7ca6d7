//! The internal API: how agents report and are told.
//!
//! An agent shows the token of its own instance as a bearer token; it opens
//! nothing else.

use http::request::Parts;
use http::{Method, StatusCode};
use kiln_agent::report::Numbered;
use kiln_jobs::training::{ReportError, TrainingJobs};

use crate::reply::{Reply, plain};

/// Every internal path begins with this, which no bucket can be called.
pub(crate) const PREFIX: &str = "/_kiln/";

pub(crate) async fn answer(jobs: &TrainingJobs, parts: &Parts, body: &[u8]) -> Reply {
    let Some((instance, what)) = target(parts.uri.path()) else {
        return plain(StatusCode::NOT_FOUND, "");
    };
    let Some(token) = bearer(parts) else {
        return plain(StatusCode::UNAUTHORIZED, "");
    };
    match (&parts.method, what) {
        (&Method::POST, "reports") => take_reports(jobs, instance, token, body).await,
        (&Method::GET, "command") => tell(jobs, instance, token).await,
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

async fn take_reports(jobs: &TrainingJobs, instance: &str, token: &str, body: &[u8]) -> Reply {
    let Ok(reports) = serde_json::from_slice::<Vec<Numbered>>(body) else {
        return plain(StatusCode::BAD_REQUEST, "");
    };
    settle(jobs.report(instance, token, reports).await.map(Some))
}

async fn tell(jobs: &TrainingJobs, instance: &str, token: &str) -> Reply {
    settle(jobs.command(instance, token).await)
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
