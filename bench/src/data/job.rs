//! Jobs that take data in or give it out, and how long that took.

use std::time::Duration;

use serde_json::{Value, json};

use crate::client::Client;
use crate::error::BenchError;
use crate::image;
use crate::latency::{self, BUCKET};

/// How often a job is looked at.
const POLL: Duration = Duration::from_millis(10);
/// Room for the longest data and a copy of it.
const VOLUME_GB: u64 = 64;

/// How a job gets its only channel, `data`.
#[derive(Debug, Clone, Copy)]
pub struct Channel {
    pub mode: &'static str,
    pub wrapper: &'static str,
    /// What the keys of its objects begin with.
    pub prefix: &'static str,
}

/// Jobs that run one after another.
pub struct Jobs {
    client: Client,
    name: &'static str,
    count: usize,
}

/// A job that has ended well.
pub struct Ended {
    pub name: String,
    stages: Vec<(String, Duration)>,
    /// What its probes said, in nanoseconds since the epoch.
    times: Vec<u128>,
}

impl Jobs {
    pub fn new(client: Client, name: &'static str) -> Self {
        Self {
            client,
            name,
            count: 0,
        }
    }

    /// Runs a line of shell script over a channel.
    pub fn run(&mut self, channel: Channel, script: &str) -> Result<Ended, BenchError> {
        self.count += 1;
        let name = format!("bench-{}-{}", self.name, self.count);
        let request = request(&name, channel, script);
        self.client.sagemaker("CreateTrainingJob", &request)?;
        let named = json!({"TrainingJobName": name});
        let job = loop {
            let job = self.client.sagemaker("DescribeTrainingJob", &named)?;
            match job["TrainingJobStatus"].as_str() {
                Some("InProgress") => std::thread::sleep(POLL),
                Some("Completed") => break job,
                _ => return Err(BenchError::job(&name, format!("did not complete: {job}"))),
            }
        };
        let said = match script.contains("probe") {
            true => self.client.log_lines(&name)?,
            false => Vec::new(),
        };
        Ok(Ended {
            name,
            stages: latency::stages(&job),
            times: image::times(&said),
        })
    }
}

impl Ended {
    /// How long a secondary status lasted.
    pub fn stage(&self, status: &str) -> Result<Duration, BenchError> {
        let found = self.stages.iter().find(|(name, _)| name == status);
        found
            .map(|(_, lasted)| *lasted)
            .ok_or_else(|| BenchError::job(&self.name, format!("was never {status}")))
    }

    /// The time from the first probe to the last.
    pub fn between_probes(&self) -> Result<Duration, BenchError> {
        match self.times[..] {
            [first, .., last] if last > first => Ok(Duration::from_nanos((last - first) as u64)),
            _ => Err(BenchError::job(&self.name, "did not say two times")),
        }
    }
}

fn request(name: &str, channel: Channel, script: &str) -> Value {
    let mut request = latency::request(name, script);
    request["InputDataConfig"] = json!([{
        "ChannelName": "data",
        "InputMode": channel.mode,
        "RecordWrapperType": channel.wrapper,
        "DataSource": {"S3DataSource": {
            "S3DataType": "S3Prefix", "S3Uri": format!("s3://{BUCKET}/{}", channel.prefix),
        }},
    }]);
    request["ResourceConfig"]["VolumeSizeInGB"] = json!(VOLUME_GB);
    request
}
