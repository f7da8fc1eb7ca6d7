//! Following a job: its status changes and its log, as they happen.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::Failure;
use crate::client::{Client, Service};

const LOG_GROUP: &str = "/aws/sagemaker/TrainingJobs";
/// Often enough to look live.
const POLL: Duration = Duration::from_millis(100);

/// Submits the job and prints what happens to it until it has ended. Answers
/// its last description.
pub async fn submit_and_follow(client: &Client, request: &Value) -> Result<Value, Failure> {
    client
        .call(Service::SageMaker, "CreateTrainingJob", request)
        .await?;
    let name = request["TrainingJobName"].as_str().unwrap_or_default();
    println!("• Submitted  {name}\n");
    let mut shown = Shown::default();
    loop {
        // The log is complete before the end is visible, so it is read after.
        let input = json!({"TrainingJobName": name});
        let described = client
            .call(Service::SageMaker, "DescribeTrainingJob", &input)
            .await?;
        shown.transitions(&described);
        shown.log(client, name).await?;
        let status = described["TrainingJobStatus"].as_str().unwrap_or_default();
        if !matches!(status, "InProgress" | "Stopping") {
            return Ok(described);
        }
        tokio::time::sleep(POLL).await;
    }
}

/// What the terminal shows already.
#[derive(Default)]
struct Shown {
    /// A line for each status.
    lines: Vec<String>,
    stream: Option<String>,
    token: Option<String>,
}

impl Shown {
    /// Prints the statuses entered since last time, and a message that changed.
    fn transitions(&mut self, described: &Value) {
        let all = described["SecondaryStatusTransitions"].as_array();
        let lines: Vec<String> = all.into_iter().flatten().map(line).collect();
        let known = self.lines.len().saturating_sub(1);
        for (n, line) in lines.iter().enumerate().skip(known) {
            if self.lines.get(n) != Some(line) {
                println!("▸ {line}");
            }
        }
        self.lines = lines;
    }

    async fn log(&mut self, client: &Client, job: &str) -> Result<(), Failure> {
        if self.stream.is_none() {
            self.stream = find_stream(client, job).await;
        }
        let Some(stream) = &self.stream else {
            return Ok(());
        };
        loop {
            let mut input = json!({
                "logGroupName": LOG_GROUP, "logStreamName": stream, "startFromHead": true,
            });
            if let Some(token) = &self.token {
                input["nextToken"] = json!(token);
            }
            let page = client.call(Service::Logs, "GetLogEvents", &input).await?;
            let events = page["events"]
                .as_array()
                .map(Vec::as_slice)
                .unwrap_or_default();
            for event in events {
                println!("    {}", event["message"].as_str().unwrap_or_default());
            }
            self.token = page["nextForwardToken"].as_str().map(str::to_owned);
            if events.is_empty() {
                return Ok(());
            }
        }
    }
}

fn line(transition: &Value) -> String {
    let text = |name: &str| transition[name].as_str().unwrap_or_default();
    format!("{:<12} {}", text("Status"), text("StatusMessage"))
}

/// The job's log stream; there is none before its first line.
async fn find_stream(client: &Client, job: &str) -> Option<String> {
    let input = json!({"logGroupName": LOG_GROUP, "logStreamNamePrefix": format!("{job}/")});
    let found = client
        .call(Service::Logs, "DescribeLogStreams", &input)
        .await
        .ok()?;
    Some(
        found["logStreams"].get(0)?["logStreamName"]
            .as_str()?
            .to_owned(),
    )
}
