//! The courier: carries reports to the control plane and commands back.
//!
//! Deliveries are repeated until they are answered; the control plane drops
//! what it has already. While it is away the courier waits, and goes on where
//! it stopped. Whoever else listens at its address meanwhile is not believed:
//! an answer counts only with the control plane's own identifier on it.

use std::path::Path;
use std::time::Duration;

use reqwest::{Client, Method, StatusCode};
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use crate::AgentError;
use crate::plan::Assignment;
use crate::report::{
    Numbered, Orders, Receipt, Report, SERVER_HEADER, ShownBody, body_path, orders_path,
    reports_path,
};
use crate::runtime::ControlAddress;
use crate::spool::SpoolReader;

/// One delivery carries at most this many reports and about this many bytes.
const BATCH: usize = 10_000;
const BATCH_BYTES: usize = 1 << 20;
/// A delivery of more reports than this comes from work that says much. The next
/// one is left to grow for a while, since each costs the other side the same.
const MANY: usize = 100;
const GROWING: Duration = Duration::from_millis(50);
const FIRST_PAUSE: Duration = Duration::from_millis(25);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// A delivery that takes longer than this is sent again.
const PATIENCE: Duration = Duration::from_secs(30);

/// A file that is not shown in this time is not waited for.
const GLANCE: Duration = Duration::from_secs(2);

/// A question for orders is held open on the other side, so it may take longer.
const POLL_PATIENCE: Duration = Duration::from_secs(60);

/// How to reach the control plane as this instance.
#[derive(Clone)]
pub struct Courier {
    http: Client,
    control: ControlAddress,
    server: String,
    token: String,
    instance: String,
}

impl std::fmt::Debug for Courier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Courier")
            .field("instance", &self.instance)
            .field("control", &self.control)
            .finish_non_exhaustive()
    }
}

/// What came of one request.
enum Reply<T> {
    Done(T),
    /// The control plane is away, or busy.
    Away,
    /// The control plane does not know this instance (any more).
    Unknown,
    /// The control plane will never accept this request.
    Refused(StatusCode),
}

/// What the head of an answer says.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Content,
    NoContent,
    Away,
    Unknown,
    Refused,
}

/// Judges an answer by its status and by whether it is the control plane's.
fn verdict(status: StatusCode, ours: bool) -> Verdict {
    match status {
        _ if !ours => Verdict::Away,
        StatusCode::OK => Verdict::Content,
        StatusCode::NO_CONTENT => Verdict::NoContent,
        StatusCode::NOT_FOUND => Verdict::Unknown,
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => Verdict::Away,
        refusal if refusal.is_client_error() => Verdict::Refused,
        _ => Verdict::Away,
    }
}

impl Courier {
    /// A courier for an instance.
    #[must_use]
    pub fn new(http: Client, assignment: &Assignment) -> Self {
        Self {
            http,
            control: assignment.site.control.clone(),
            server: assignment.server.clone(),
            token: assignment.token.clone(),
            instance: assignment.instance.clone(),
        }
    }

    /// Delivers everything in the spool as it grows. Returns once the report
    /// that ends the instance is durable on the other side, or nobody is left who
    /// could write it.
    ///
    /// # Errors
    /// When the spool cannot be read, or the control plane disowns the instance
    /// or finds fault with a delivery.
    pub async fn deliver_all(
        &self,
        directory: &Path,
        mut last: watch::Receiver<u64>,
    ) -> Result<(), AgentError> {
        let mut reader =
            SpoolReader::open(directory).map_err(AgentError::io("opening the spool"))?;
        loop {
            let batch = reader
                .read(BATCH, BATCH_BYTES)
                .map_err(AgentError::io("reading the spool"))?;
            if batch.is_empty() {
                // An error means that the writing end is gone: nothing will come.
                if last.changed().await.is_err() {
                    return Ok(());
                }
                continue;
            }
            self.deliver(directory, &batch).await?;
            if batch
                .iter()
                .any(|one| matches!(one.report, Report::Ended(_)))
            {
                return Ok(());
            }
            if reader.release().is_err() {
                // Then the spool is as long as all that was said.
                tracing::debug!("the room of delivered reports cannot be given back");
            }
            if is_growing(&batch) {
                tokio::time::sleep(GROWING).await;
            }
        }
    }

    async fn deliver(&self, directory: &Path, batch: &[Numbered]) -> Result<(), AgentError> {
        let body = serde_json::to_vec(batch).map_err(std::io::Error::from);
        let body = body.map_err(AgentError::io("writing down reports"))?;
        let last = batch.last().map_or(0, |report| report.n);
        let mut pause = FIRST_PAUSE;
        loop {
            match self.post(body.clone()).await {
                Reply::Done(receipt) if receipt.delivered >= last => return Ok(()),
                Reply::Unknown => return Err(AgentError::Disowned),
                // Sent again it would be refused again, and without it the end
                // of the job could never be told.
                Reply::Refused(status) => return Err(AgentError::Refused(status.as_u16())),
                // Whoever removed the instance's directory wants none of it.
                Reply::Done(_) | Reply::Away if !directory.exists() => {
                    return Err(AgentError::Disowned);
                }
                Reply::Done(_) | Reply::Away => tokio::time::sleep(pause).await,
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn post(&self, body: Vec<u8>) -> Reply<Receipt> {
        let path = reports_path(&self.instance);
        match self.ask(Method::POST, &path, PATIENCE, body).await {
            Reply::Done(Some(receipt)) => Reply::Done(receipt),
            Reply::Done(None) | Reply::Away => Reply::Away,
            Reply::Unknown => Reply::Unknown,
            Reply::Refused(status) => Reply::Refused(status),
        }
    }

    /// Waits until the control plane wants something else of the instance whose
    /// directory this is than what is known, and answers what.
    ///
    /// # Errors
    /// When the control plane disowns the instance or finds fault with it.
    pub async fn next_orders(&self, directory: &Path, known: Orders) -> Result<Orders, AgentError> {
        let path = orders_path(&self.instance, known);
        let mut pause = FIRST_PAUSE;
        loop {
            let asked = self.ask(Method::GET, &path, POLL_PATIENCE, Vec::new());
            match asked.await {
                Reply::Done(Some(orders)) => return Ok(orders),
                // The question timed out on the other side: ask again at once.
                Reply::Done(None) => pause = FIRST_PAUSE,
                Reply::Unknown => return Err(AgentError::Disowned),
                Reply::Refused(status) => return Err(AgentError::Refused(status.as_u16())),
                // Whoever removed the instance's directory wants nothing of it.
                Reply::Away if !directory.exists() => return Err(AgentError::Disowned),
                Reply::Away => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// Where the bytes of an object are on the control plane's machine, if it
    /// shows that.
    pub async fn shown_body(&self, bucket: &str, key: &str) -> Option<ShownBody> {
        let path = body_path(&self.instance, bucket, key);
        match self.ask(Method::GET, &path, GLANCE, Vec::new()).await {
            Reply::Done(shown) => shown,
            Reply::Away | Reply::Unknown | Reply::Refused(_) => None,
        }
    }

    /// Sends one request and reads the answer; `None` is an empty one.
    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        patience: Duration,
        body: Vec<u8>,
    ) -> Reply<Option<T>> {
        let Ok(address) = self.control.current() else {
            return Reply::Away;
        };
        let request = self
            .http
            .request(method, format!("http://{address}{path}"))
            .bearer_auth(&self.token)
            .timeout(patience)
            .body(body);
        let Ok(response) = request.send().await else {
            return Reply::Away;
        };
        let status = response.status();
        match verdict(status, self.is_from_control_plane(&response)) {
            Verdict::Content => read_json(response)
                .await
                .map_or(Reply::Away, |content| Reply::Done(Some(content))),
            Verdict::NoContent => Reply::Done(None),
            Verdict::Away => Reply::Away,
            Verdict::Unknown => Reply::Unknown,
            Verdict::Refused => {
                tracing::error!(path, %status, "the control plane refuses a request");
                Reply::Refused(status)
            }
        }
    }

    fn is_from_control_plane(&self, response: &reqwest::Response) -> bool {
        let named = response.headers().get(SERVER_HEADER);
        named.is_some_and(|server| server.as_bytes() == self.server.as_bytes())
    }
}

/// Whether more like this is on its way, and nothing has waited for it long.
fn is_growing(batch: &[Numbered]) -> bool {
    let only_lines = |one: &Numbered| matches!(one.report, Report::Log(_));
    (MANY..BATCH / 2).contains(&batch.len()) && batch.iter().all(only_lines)
}

async fn read_json<T: DeserializeOwned>(response: reqwest::Response) -> Option<T> {
    serde_json::from_slice(&response.bytes().await.ok()?).ok()
}

#[cfg(test)]
#[path = "courier_tests.rs"]
mod tests;
