//! Waiting until a training job has come to its end.

use std::thread;
use std::time::Duration;

use crate::client::Client;
use crate::failure::Failure;
use crate::model::Operation;
use crate::value::{Members, Value};

/// The waiters of the service's model, by name. Only the one for training jobs
/// is of operations that Kiln serves.
pub(crate) const NAMES: [&str; 13] = [
    "endpoint-deleted",
    "endpoint-in-service",
    "image-created",
    "image-deleted",
    "image-updated",
    "image-version-created",
    "image-version-deleted",
    "notebook-instance-deleted",
    "notebook-instance-in-service",
    "notebook-instance-stopped",
    "processing-job-completed-or-stopped",
    "training-job-completed-or-stopped",
    "transform-job-completed-or-stopped",
];

/// The waiter that can be asked for.
pub(crate) const TRAINING_JOB: &str = "training-job-completed-or-stopped";
/// The operation that it asks.
pub(crate) const OPERATION: &str = "DescribeTrainingJob";

const DELAY: Duration = Duration::from_secs(120);
const ATTEMPTS: u32 = 180;

/// Asks every two minutes, for six hours, whether the job has ended.
pub(crate) fn wait(
    client: &Client<'_>,
    operation: &Operation,
    request: &Members,
) -> Result<(), Failure> {
    for attempt in 1..=ATTEMPTS {
        if has_ended(client.call(operation, request.clone()))? {
            return Ok(());
        }
        if attempt < ATTEMPTS {
            thread::sleep(DELAY);
        }
    }
    Err(failed("Max attempts exceeded"))
}

/// What an answer says of the job.
fn has_ended(answer: Result<Members, Failure>) -> Result<bool, Failure> {
    let description = match answer {
        Ok(description) => description,
        Err(Failure::Service { code, message, .. }) => {
            return Err(failed(&match code.as_str() {
                "ValidationException" => {
                    terminal(&format!("Matched expected service error code: {code}"))
                }
                _ => format!("An error occurred ({code}): {message}"),
            }));
        }
        Err(other) => return Err(other),
    };
    match description
        .get("TrainingJobStatus")
        .and_then(Value::as_text)
    {
        Some("Completed" | "Stopped") => Ok(true),
        Some("Failed") => Err(failed(&terminal(
            "For expression \"TrainingJobStatus\" we matched expected path: \"Failed\"",
        ))),
        _ => Ok(false),
    }
}

fn terminal(reason: &str) -> String {
    format!("Waiter encountered a terminal failure state: {reason}")
}

fn failed(reason: &str) -> Failure {
    Failure::General(format!(
        "Waiter TrainingJobCompletedOrStopped failed: {reason}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_says_whether_the_job_has_ended() {
        for (status, expected) in [
            ("Completed", Some(true)),
            ("Stopped", Some(true)),
            ("InProgress", Some(false)),
            ("Failed", None),
        ] {
            let mut description = Members::default();
            description.set("TrainingJobStatus", Value::text(status));
            assert_eq!(has_ended(Ok(description)).ok(), expected, "{status}");
        }
    }
}
