//! A training job as the API describes it, read for people.

use serde_json::{Value, json};

use crate::client::{Client, ClientError, Service};
use crate::commands::Failure;

/// A training job's description.
#[derive(Debug, Clone)]
pub struct Job(Value);

impl Job {
    /// Reads a description, or one of a search's results.
    pub fn new(described: Value) -> Self {
        Self(described)
    }

    /// Asks for the job of this name.
    pub async fn fetch(client: &Client, name: &str) -> Result<Self, Failure> {
        let input = json!({"TrainingJobName": name});
        let described = client.call(Service::SageMaker, "DescribeTrainingJob", &input);
        match described.await {
            Ok(described) => Ok(Self(described)),
            Err(error) if error.is_not_found() => Err(no_such_job(name).into()),
            Err(error) => Err(error.into()),
        }
    }

    /// All that was answered.
    pub fn described(&self) -> &Value {
        &self.0
    }

    /// A member that is text; empty when it is not there.
    pub fn text(&self, member: &str) -> &str {
        self.0[member].as_str().unwrap_or_default()
    }

    /// A member that is a number or a time, in seconds since 1970.
    pub fn number(&self, member: &str) -> Option<f64> {
        self.0[member].as_f64()
    }

    /// A member that is a list.
    pub fn list(&self, member: &str) -> &[Value] {
        elements(&self.0[member])
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.text("TrainingJobName")
    }

    /// Its status.
    pub fn status(&self) -> &str {
        self.text("TrainingJobStatus")
    }

    /// Whether nothing will happen to it any more.
    pub fn has_ended(&self) -> bool {
        !matches!(self.status(), "InProgress" | "Stopping")
    }

    /// Where it is on its way, or how it ended.
    pub fn stage(&self) -> &str {
        match (self.has_ended(), self.text("SecondaryStatus")) {
            (false, stage) if !stage.is_empty() => stage,
            _ => self.status(),
        }
    }

    /// Seconds since it was created.
    pub fn age(&self, now: f64) -> Option<f64> {
        Some(now - self.number("CreationTime")?)
    }

    /// Seconds from its start to its end, or until now.
    pub fn duration(&self, now: f64) -> Option<f64> {
        let until = match self.number("TrainingEndTime") {
            Some(end) => end,
            None if self.has_ended() => return None,
            None => now,
        };
        Some(until - self.number("TrainingStartTime")?)
    }

    /// The types and numbers of its instances: `ml.m5.large`, `2 × ml.p3.2xlarge`.
    pub fn instances(&self) -> String {
        let resources = &self.0["ResourceConfig"];
        let groups = elements(&resources["InstanceGroups"]);
        if groups.is_empty() {
            return instances_of(resources);
        }
        let groups: Vec<String> = groups.iter().map(instances_of).collect();
        groups.join(" + ")
    }

    /// How many instances it has.
    pub fn instance_count(&self) -> u64 {
        let resources = &self.0["ResourceConfig"];
        let count = |group: &Value| group["InstanceCount"].as_u64().unwrap_or(1);
        match elements(&resources["InstanceGroups"]) {
            [] => count(resources),
            groups => groups.iter().map(count).sum(),
        }
    }
}

/// The elements of what may be a list.
pub fn elements(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn instances_of(group: &Value) -> String {
    let kind = group["InstanceType"].as_str().unwrap_or("-");
    match group["InstanceCount"].as_u64() {
        None | Some(1) => kind.to_owned(),
        Some(count) => format!("{count} × {kind}"),
    }
}

fn no_such_job(name: &str) -> String {
    format!("there is no training job {name}; see which there are with: kiln jobs")
}

/// Asks that a job be stopped.
pub async fn stop(client: &Client, name: &str) -> Result<(), Failure> {
    let input = json!({"TrainingJobName": name});
    let asked = client.call(Service::SageMaker, "StopTrainingJob", &input);
    match asked.await {
        Err(error) if error.is_not_found() => Err(no_such_job(name).into()),
        // It has ended already, which the server's sentence says best.
        Err(ClientError::Refused { code, message, .. }) if code == "ValidationException" => {
            Err(message.into())
        }
        asked => Ok(asked.map(drop)?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_are_counted_in_groups() {
        let cases = [
            (
                json!({"InstanceType": "ml.m5.large", "InstanceCount": 1}),
                "ml.m5.large",
                1,
            ),
            (
                json!({"InstanceType": "ml.m5.large", "InstanceCount": 2}),
                "2 × ml.m5.large",
                2,
            ),
            (
                json!({"InstanceGroups": [
                    {"InstanceType": "ml.a", "InstanceCount": 1},
                    {"InstanceType": "ml.b", "InstanceCount": 3},
                ]}),
                "ml.a + 3 × ml.b",
                4,
            ),
        ];
        for (resources, text, count) in cases {
            let job = Job::new(json!({ "ResourceConfig": resources }));
            assert_eq!(
                (job.instances().as_str(), job.instance_count()),
                (text, count)
            );
        }
    }

    #[test]
    fn a_job_lasts_until_its_end_or_until_now() {
        let job = |status: &str, start: Value, end: Value| {
            Job::new(json!({
                "TrainingJobStatus": status, "SecondaryStatus": "Training",
                "TrainingStartTime": start, "TrainingEndTime": end,
            }))
        };
        let running = job("InProgress", json!(10.0), Value::Null);
        assert_eq!(
            (running.duration(15.0), running.stage()),
            (Some(5.0), "Training")
        );
        let ended = job("Completed", json!(10.0), json!(12.0));
        assert_eq!(
            (ended.duration(15.0), ended.stage()),
            (Some(2.0), "Completed")
        );
        let never_begun = job("Stopped", Value::Null, json!(12.0));
        assert_eq!(never_begun.duration(15.0), None);
    }
}
