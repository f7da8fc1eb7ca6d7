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
    /// How hard its container used its machine within a minute.
    Usage {
        /// The start of the minute, epoch seconds.
        minute: i64,
        /// The metrics.
        metrics: Vec<Measured>,
    },
    /// Its work has failed, for this reason, and what that has left is not stored
    /// yet.
    Failing(String),
    /// It has compiled a model. Comes before the end of a compilation that
    /// completes.
    Compiled(Compiled),
    /// It has optimized a model. Comes before the end of an optimization that
    /// completes.
    Optimized(Optimized),
    /// It ended. Always the last report.
    Ended(Ending),
}

/// What came of a compilation, apart from the artifact.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compiled {
    /// The BLAKE2 digest of the artifact as it is stored.
    pub artifact_digest: String,
    /// The `DataInputConfig` that was derived from the model, where it could be.
    pub derived_data_input_config: Option<String>,
    /// The image that serves the artifact, where one is known.
    pub inference_image: Option<String>,
}

/// What came of an optimization, apart from the model.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Optimized {
    /// The image of the last step, where that had one of its own.
    pub own_image: Option<String>,
    /// Whether what is stored is a model in Hugging Face's layout, with a
    /// `config.json`, and no GGUF file.
    pub is_hugging_face: bool,
    /// Objects stored.
    pub files: u64,
    /// Bytes in them.
    pub bytes: u64,
}

/// What was seen of one number within a minute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The metric's name.
    pub name: String,
    /// How often it was looked at.
    pub samples: u32,
    /// The sum of what was seen.
    pub total: f64,
    /// The least that was seen.
    pub lowest: f64,
    /// The most that was seen.
    pub highest: f64,
}

impl Measured {
    /// What was seen at the first look.
    #[must_use]
    pub fn of(name: &str, value: f64) -> Self {
        Self {
            name: name.to_owned(),
            samples: 1,
            total: value,
            lowest: value,
            highest: value,
        }
    }

    /// Takes in what was seen at one more look.
    pub fn add(&mut self, value: f64) {
        self.samples += 1;
        self.total += value;
        self.lowest = self.lowest.min(value);
        self.highest = self.highest.max(value);
    }
}

/// The stages of an instance's life, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Stage {
    /// The agent is up.
    Preparing,
    /// Inputs are being fetched.
    Downloading,
    /// The image is being made ready, or what stands for one.
    DownloadingImage,
    /// The container runs.
    #[serde(alias = "Training")]
    Working,
    /// The work is asked to end: it is to stop, or the time limit has passed. Not
    /// entered by what is interrupted.
    Stopping,
    /// The work has ended, and outputs are being stored. Not entered by what
    /// stops or is interrupted.
    Uploading,
}

/// How an instance ended, and what it stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// How.
    pub outcome: Outcome,
    /// Whether it has stored `model.tar.gz` and `output.tar.gz`, which only the
    /// first host does, for all.
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
    /// Its machine was wanted for something else.
    Interrupted,
}

/// What the control plane answers to a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Every report up to this number is durable.
    pub delivered: u64,
}

/// What the control plane wants of an instance. An agent asks again and again
/// whether it is something else than what it knows, so that no order is lost or
/// comes twice, whoever restarts meanwhile.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orders {
    /// Whether the work must end, and how.
    pub cut: Option<Cut>,
    /// Whether what the instance waits for at its end is there. The first host
    /// waits until the work of all others has ended, and stores what all have
    /// made; the others keep what they have made until the first has stored it.
    pub proceed: bool,
    /// Whether the profiler that the plan asks for measures nothing for now.
    #[serde(default)]
    pub profiler_off: bool,
}

/// Why the work must end before it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cut {
    /// Its user wants it to stop, or another host has failed: what there is is
    /// stored.
    Stop,
    /// Its machine is wanted for something else: checkpoints are stored, nothing
    /// else is, and the job goes on later. If this becomes [`Cut::Stop`] while the
    /// work is ending, the instance ends as stopped, and that is all.
    Interrupt,
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

/// The path that answers with an instance's [`Orders`] once they are others than
/// those that it knows.
#[must_use]
pub fn orders_path(instance: &str, known: Orders) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    let cut = match known.cut {
        None => "",
        Some(Cut::Stop) => "stop",
        Some(Cut::Interrupt) => "interrupt",
    };
    let said = |yes| if yes { "yes" } else { "no" };
    query
        .append_pair("cut", cut)
        .append_pair("proceed", said(known.proceed))
        .append_pair("profiler_off", said(known.profiler_off));
    format!("/_kiln/instances/{instance}/orders?{}", query.finish())
}

/// The orders that the query of such a path says are known.
#[must_use]
pub fn known_orders(query: &str) -> Orders {
    let mut known = Orders::default();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match (&*name, &*value) {
            ("cut", "stop") => known.cut = Some(Cut::Stop),
            ("cut", "interrupt") => known.cut = Some(Cut::Interrupt),
            ("proceed", "yes") => known.proceed = true,
            ("profiler_off", "yes") => known.profiler_off = true,
            _ => {}
        }
    }
    known
}

/// The path that answers with the [`ShownBody`] of an object.
#[must_use]
pub fn body_path(instance: &str, bucket: &str, key: &str) -> String {
    let mut object = form_urlencoded::Serializer::new(String::new());
    object.append_pair("bucket", bucket).append_pair("key", key);
    format!("/_kiln/instances/{instance}/body?{}", object.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_that_are_known_are_read_as_they_were_written() {
        for cut in [None, Some(Cut::Stop), Some(Cut::Interrupt)] {
            for (proceed, profiler_off) in [(false, false), (true, false), (false, true)] {
                let known = Orders {
                    cut,
                    proceed,
                    profiler_off,
                };
                let path = orders_path("i", known);
                let (_, query) = path.split_once('?').unwrap();
                assert_eq!(known_orders(query), known);
            }
        }
    }
}
