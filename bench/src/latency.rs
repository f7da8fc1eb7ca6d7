//! How soon a job's own code begins, and how long a job that does nothing
//! takes: jobs with a shell entrypoint in the embedded runtime, one by one.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::client::Client;
use crate::error::BenchError;
use crate::image;
use crate::options::Options;
use crate::samples::Samples;
use crate::server::Kiln;

/// The bucket that all jobs write to.
pub const BUCKET: &str = "kiln-bench";
/// Jobs that are run first and not counted.
const WARM_UP: usize = 2;
/// How often a job is looked at.
const POLL: Duration = Duration::from_millis(2);

/// What jobs that do nothing took.
#[derive(Debug, Clone, Default)]
pub struct Latency {
    /// From the answer to the create call to the first instruction.
    pub first_instruction: Samples,
    /// From sending the create call to a describe call that says `Completed`.
    pub whole: Samples,
    /// Where the time went, by secondary status, in their order.
    pub stages: Vec<(String, Samples)>,
}

/// What one job took.
struct Run {
    first_instruction: Duration,
    whole: Duration,
    stages: Vec<(String, Duration)>,
}

/// Runs the jobs.
pub fn measure(options: &Options) -> Result<Latency, BenchError> {
    let kiln = Kiln::start(options)?;
    let mut client = Client::new(kiln.endpoint());
    client.put(&format!("/{BUCKET}"), b"")?;
    follow(&mut client, options.shell_jobs(), |name| {
        request(name, "/bin/probe")
    })
}

/// A request for a job that runs a line of shell script.
pub fn request(name: &str, script: &str) -> Value {
    json!({
        "TrainingJobName": name,
        "RoleArn": "arn:aws:iam::123456789012:role/Bench",
        "AlgorithmSpecification": {
            "TrainingImage": image::NAME,
            "TrainingInputMode": "File",
            "ContainerEntrypoint": image::entrypoint(script),
        },
        "OutputDataConfig": {"S3OutputPath": format!("s3://{BUCKET}/out")},
        "ResourceConfig": {
            "InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    })
}

/// Runs some jobs to warm up and then `count` that are measured. Each must say
/// when it began, as the probe does.
pub fn follow(
    client: &mut Client,
    count: usize,
    request: impl Fn(&str) -> Value,
) -> Result<Latency, BenchError> {
    let mut runs = Vec::with_capacity(count);
    for n in 0..WARM_UP + count {
        let name = format!("bench-{n}");
        let run = follow_one(client, &name, &request(&name))?;
        if n >= WARM_UP {
            runs.push(run);
        }
    }
    Ok(summary(&runs))
}

fn follow_one(client: &mut Client, name: &str, request: &Value) -> Result<Run, BenchError> {
    let sent = Instant::now();
    client.sagemaker("CreateTrainingJob", request)?;
    let created = SystemTime::now();
    let named = json!({"TrainingJobName": name});
    let job = loop {
        let job = client.sagemaker("DescribeTrainingJob", &named)?;
        match job["TrainingJobStatus"].as_str() {
            Some("InProgress") => std::thread::sleep(POLL),
            Some("Completed") => break job,
            _ => return Err(BenchError::job(name, format!("did not complete: {job}"))),
        }
    };
    let whole = sent.elapsed();
    let lines = client.log_lines(name)?;
    let began = image::began(&lines)
        .ok_or_else(|| BenchError::job(name, format!("did not say when it began: {lines:?}")))?;
    let created = created.duration_since(UNIX_EPOCH).unwrap_or_default();
    let nanoseconds = began.saturating_sub(created.as_nanos());
    Ok(Run {
        first_instruction: Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX)),
        whole,
        stages: stages(&job),
    })
}

/// How long each secondary status lasted, as the description says; the last one
/// lasts for ever.
pub fn stages(job: &Value) -> Vec<(String, Duration)> {
    let transitions = job["SecondaryStatusTransitions"].as_array();
    let lasted = |transition: &Value| {
        let seconds = transition["EndTime"].as_f64()? - transition["StartTime"].as_f64()?;
        let duration = Duration::try_from_secs_f64(seconds).ok()?;
        Some((transition["Status"].as_str()?.to_owned(), duration))
    };
    let passed = transitions
        .and_then(|all| all.split_last())
        .map(|(_, passed)| passed);
    passed.into_iter().flatten().filter_map(lasted).collect()
}

fn summary(runs: &[Run]) -> Latency {
    let first = runs
        .first()
        .map(|run| run.stages.as_slice())
        .unwrap_or_default();
    let of_stage = |name: &String| {
        let stages = runs.iter().flat_map(|run| &run.stages);
        stages
            .filter(|(other, _)| other == name)
            .map(|(_, lasted)| *lasted)
            .collect()
    };
    Latency {
        first_instruction: runs.iter().map(|run| run.first_instruction).collect(),
        whole: runs.iter().map(|run| run.whole).collect(),
        stages: first
            .iter()
            .map(|(name, _)| (name.clone(), of_stage(name)))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_last_from_one_transition_to_the_next() {
        let job = json!({"SecondaryStatusTransitions": [
            {"Status": "Starting", "StartTime": 10.0, "EndTime": 10.5},
            {"Status": "Training", "StartTime": 10.5, "EndTime": 12.5},
            {"Status": "Completed", "StartTime": 12.5},
        ]});
        let expected = [("Starting", 500), ("Training", 2000)]
            .map(|(name, millis)| (name.to_owned(), Duration::from_millis(millis)));
        assert_eq!(stages(&job), expected);
        assert_eq!(stages(&json!({})), []);
    }
}
