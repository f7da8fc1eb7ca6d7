//! The courier: carries reports to the control plane and commands back.
//!
//! Deliveries are repeated until they are answered; the control plane drops
//! what it has already. While it is away the courier waits, and goes on where
//! it stopped.

use std::path::Path;
use std::time::Duration;

use reqwest::{Client, StatusCode};
use tokio::sync::watch;

use crate::AgentError;
use crate::plan::InstancePlan;
use crate::report::{Command, Numbered, Receipt, command_path, reports_path};
use crate::runtime::ControlAddress;
use crate::spool::SpoolReader;

/// One delivery carries at most this many reports and about this many bytes.
const BATCH: usize = 2000;
const BATCH_BYTES: usize = 1 << 20;
const FIRST_PAUSE: Duration = Duration::from_millis(25);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// A delivery that takes longer than this is sent again.
const PATIENCE: Duration = Duration::from_secs(30);

/// How to reach the control plane as this instance.
#[derive(Debug, Clone)]
pub struct Courier {
    http: Client,
    control: ControlAddress,
    token: String,
    instance: String,
}

/// What came of one request.
enum Reply<T> {
    Done(T),
    /// The control plane is away, or busy.
    Away,
    /// The control plane does not know this instance (any more).
    Unknown,
}

impl Courier {
    /// A courier for the plan's instance.
    #[must_use]
    pub fn new(http: Client, plan: &InstancePlan) -> Self {
        Self {
            http,
            control: plan.control.clone(),
            token: plan.token.clone(),
            instance: plan.instance.clone(),
        }
    }

    /// Delivers everything in the spool as it grows. Returns once the report
    /// that ends the instance is durable on the other side.
    ///
    /// # Errors
    /// When the spool cannot be read, or the control plane disowns the instance.
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
        let Ok(address) = self.control.current() else {
            return Reply::Away;
        };
        let url = format!("http://{address}{}", reports_path(&self.instance));
        let request = self
            .http
            .post(url)
            .bearer_auth(&self.token)
            .timeout(PATIENCE)
            .body(body);
        match request.send().await {
            Ok(response) if response.status() == StatusCode::OK => {
                read_json(response).await.map_or(Reply::Away, Reply::Done)
            }
            Ok(response) if response.status() == StatusCode::NOT_FOUND => Reply::Unknown,
            _ => Reply::Away,
        }
    }

    /// Waits until the control plane wants something of this instance.
    pub async fn next_command(&self) -> Command {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.poll().await {
                Reply::Done(Some(command)) => return command,
                // The question timed out on the other side: ask again at once.
                Reply::Done(None) => pause = FIRST_PAUSE,
                Reply::Away | Reply::Unknown => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    async fn poll(&self) -> Reply<Option<Command>> {
        let Ok(address) = self.control.current() else {
            return Reply::Away;
        };
        let url = format!("http://{address}{}", command_path(&self.instance));
        let request = self
            .http
            .get(url)
            .bearer_auth(&self.token)
            .timeout(PATIENCE * 2);
        match request.send().await {
            Ok(response) if response.status() == StatusCode::OK => read_json(response)
                .await
                .map_or(Reply::Away, |command| Reply::Done(Some(command))),
            Ok(response) if response.status() == StatusCode::NO_CONTENT => Reply::Done(None),
            Ok(response) if response.status() == StatusCode::NOT_FOUND => Reply::Unknown,
            _ => Reply::Away,
        }
    }
}

async fn read_json<T: serde::de::DeserializeOwned>(response: reqwest::Response) -> Option<T> {
    serde_json::from_slice(&response.bytes().await.ok()?).ok()
}
