//! What an agent reports, numbered and in order.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// One numbered report. Numbers start at 1 and leave none out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Numbered {
    /// The number.
    pub n: u64,
    /// When it happened, epoch milliseconds.
    pub at: i64,
    /// What happened.
    pub report: Report,
}

/// What can happen to an instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    /// It entered a stage.
    Stage(Stage),
    /// Its container wrote a line.
    Log(String),
    /// A line held a metric's value.
    Metric {
        /// The metric definition's name.
        name: String,
        /// The value, as the cloud keeps it: in single precision.
        value: f32,
    },
    /// It ended. Always the last report.
    Ended(Ending),
}

/// The stages of an instance's life, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Stage {
    /// The agent is up.
    Preparing,
    /// Channels are being fetched.
    Downloading,
    /// The image is being made ready.
    DownloadingImage,
    /// The container runs.
    Training,
    /// The time limit has passed; the work is asked to end.
    Stopping,
    /// Outputs are being stored.
    Uploading,
}

/// How an instance ended, and what it stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// How.
    pub outcome: Outcome,
    /// Whether `model.tar.gz` and `output.tar.gz` were stored.
    pub stored: bool,
}

/// How an instance ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The work returned 0 and everything is stored.
    Completed,
    /// It failed, for this reason.
    Failed(String),
    /// It was told to stop.
    Stopped,
    /// It ran out of time.
    MaxRuntimeExceeded,
}

/// What the control plane answers to a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Every report up to this number is durable.
    pub delivered: u64,
}

/// What the control plane can tell an agent to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Stop the work, store what there is, end.
    Stop,
}

/// The file that holds an object's bytes, as a control plane shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownBody {
    /// Its path on the control plane's machine.
    pub path: PathBuf,
    /// Bytes.
    pub size: u64,
    /// The object's entity tag, quotes included.
    pub etag: String,
    /// The header that declares the checksum of all bytes, and its value.
    pub checksum: Option<(String, String)>,
}

/// The header by which every answer of a control plane names it: with the
/// identifier of its data directory, which is in the plan of each instance.
pub const SERVER_HEADER: &str = "x-kiln-server";

/// The path, on the control plane, that takes an instance's reports.
#[must_use]
pub fn reports_path(instance: &str) -> String {
    format!("/_kiln/instances/{instance}/reports")
}

/// The path that answers when there is a [`Command`] for an instance.
#[must_use]
pub fn command_path(instance: &str) -> String {
    format!("/_kiln/instances/{instance}/command")
}

/// The path that answers with the [`ShownBody`] of an object.
#[must_use]
pub fn body_path(instance: &str, bucket: &str, key: &str) -> String {
    let mut object = form_urlencoded::Serializer::new(String::new());
    object.append_pair("bucket", bucket).append_pair("key", key);
    format!("/_kiln/instances/{instance}/body?{}", object.finish())
}
