//! The head of a queue: how fast its first jobs start, one after another, with
//! many more behind them, and how soon questions are answered meanwhile.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::usage::Usage;
use crate::client::Client;
use crate::error::BenchError;
use crate::latency::request;
use crate::load;
use crate::occupant::Occupant;
use crate::samples::Samples;
use crate::server::Kiln;

/// How often a question is asked while jobs run.
const POLL: Duration = Duration::from_millis(5);
/// One question of so many is for a list.
const LISTS: usize = 10;

/// What came of the first jobs of a queue.
#[derive(Debug, Clone)]
pub struct Queue {
    /// How many jobs stood in it.
    pub length: usize,
    /// How many of them started a second.
    pub starts_per_second: f64,
    /// How often one started before another that was created sooner.
    pub overtaken: usize,
    /// The server's own processor time for each of them.
    pub processor_per_job: Duration,
    /// How long descriptions took meanwhile.
    pub describe: Samples,
    /// How long lists took meanwhile.
    pub list: Samples,
}

/// Queues jobs that do nothing, and follows the first of them to their ends.
pub fn measure(kiln: &Kiln, length: usize, followed: usize) -> Result<Queue, BenchError> {
    let mut client = Client::new(kiln.endpoint());
    let occupant = Occupant::take_machine(&mut client, &format!("{length}"))?;
    let names: Vec<String> = (0..length)
        .map(|n| format!("queued-{length}-{n}"))
        .collect();
    let (head, rest) = names.split_at(followed.min(length));
    for name in head {
        client.sagemaker("CreateTrainingJob", &request(name, "true"))?;
    }
    let rest = rest
        .iter()
        .map(|name| client.prepare("CreateTrainingJob", &request(name, "true")));
    load::once(kiln.endpoint(), &Vec::from_iter(rest))?;
    let before = Usage::of(kiln.process())?;
    occupant.leave(&mut client)?;
    let (describe, list) = follow(&mut client, head)?;
    let after = Usage::of(kiln.process())?;
    let starts = head.iter().map(|name| start(&mut client, name));
    let starts = starts.collect::<Result<Vec<_>, _>>()?;
    let used = after.processor.saturating_sub(before.processor);
    Ok(Queue {
        length,
        starts_per_second: rate(&starts),
        overtaken: starts.windows(2).filter(|pair| pair[1] < pair[0]).count(),
        processor_per_job: used / u32::try_from(head.len().max(1)).unwrap_or(u32::MAX),
        describe,
        list,
    })
}

/// Asks again and again until the last of the jobs has ended. All must complete.
fn follow(client: &mut Client, names: &[String]) -> Result<(Samples, Samples), BenchError> {
    let (mut describe, mut list) = (Vec::new(), Vec::new());
    for name in names {
        let named = json!({"TrainingJobName": name});
        loop {
            if describe.len() % LISTS == 0 {
                let asked = Instant::now();
                client.sagemaker("ListTrainingJobs", &json!({"MaxResults": 10}))?;
                list.push(asked.elapsed());
            }
            let asked = Instant::now();
            let job = client.sagemaker("DescribeTrainingJob", &named)?;
            describe.push(asked.elapsed());
            match job["TrainingJobStatus"].as_str() {
                Some("InProgress") => std::thread::sleep(POLL),
                Some("Completed") => break,
                _ => return Err(BenchError::job(name, format!("did not complete: {job}"))),
            }
        }
    }
    Ok((describe.into_iter().collect(), list.into_iter().collect()))
}

/// When a job began to start, in seconds since the epoch.
fn start(client: &mut Client, name: &str) -> Result<f64, BenchError> {
    let named = json!({"TrainingJobName": name});
    let job = client.sagemaker("DescribeTrainingJob", &named)?;
    started(&job).ok_or_else(|| BenchError::job(name, format!("does not say when it began: {job}")))
}

fn started(job: &Value) -> Option<f64> {
    job["TrainingStartTime"].as_f64()
}

fn rate(starts: &[f64]) -> f64 {
    match (starts.first(), starts.last()) {
        (Some(first), Some(last)) if last > first => (starts.len() - 1) as f64 / (last - first),
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_that_of_the_gaps() {
        for (starts, expected) in [
            (vec![], 0.0),
            (vec![5.0], 0.0),
            (vec![5.0, 5.0], 0.0),
            (vec![5.0, 6.0, 7.0], 1.0),
            (vec![5.0, 5.25, 5.5], 4.0),
        ] {
            assert!((rate(&starts) - expected).abs() < 1e-9, "{starts:?}");
        }
    }
}
