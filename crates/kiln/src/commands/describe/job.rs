//! A job as the API describes it, read for people.

use serde_json::{Value, json};

use crate::client::{Client, ClientError, Service};
use crate::commands::Failure;
use crate::commands::kind::Kind;

/// A job's description, or what a list or a search says of it.
#[derive(Debug, Clone)]
pub struct Job {
    kind: Kind,
    described: Value,
}

impl Job {
    /// Reads what was said of a job of a kind.
    pub fn new(kind: Kind, described: Value) -> Self {
        Self { kind, described }
    }

    /// Asks for the job of this name: a training job, or else one of another kind.
    pub async fn find(client: &Client, name: &str) -> Result<Self, Failure> {
        let missing = match Self::fetch(client, Kind::Training, name).await {
            Ok(job) => return Ok(job),
            Err(missing) => missing,
        };
        for kind in Kind::ALL {
            // Who may not ask for such jobs has asked for a training job.
            if let Ok(job) = Self::fetch(client, kind, name).await {
                return Ok(job);
            }
        }
        Err(missing)
    }

    /// Asks for the job of this name and kind.
    pub async fn fetch(client: &Client, kind: Kind, name: &str) -> Result<Self, Failure> {
        let operation = format!("Describe{}Job", kind.title());
        let input = named(kind, name);
        let described = client.call(Service::SageMaker, &operation, &input);
        match described.await {
            Ok(described) => Ok(Self { kind, described }),
            Err(error) if error.is_not_found() => Err(no_such_job(name).into()),
            Err(error) => Err(error.into()),
        }
    }

    /// Its kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// All that was answered.
    pub fn described(&self) -> &Value {
        &self.described
    }

    /// A member that is text; empty when it is not there.
    pub fn text(&self, member: &str) -> &str {
        self.described[member].as_str().unwrap_or_default()
    }

    /// A member that is a number or a time, in seconds since 1970.
    pub fn number(&self, member: &str) -> Option<f64> {
        self.described[member].as_f64()
    }

    /// A member that is a list.
    pub fn list(&self, member: &str) -> &[Value] {
        elements(&self.described[member])
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.text(&self.kind.name_member())
    }

    /// Its status, as its kind spells it.
    pub fn status(&self) -> &str {
        self.text(&format!("{}JobStatus", self.kind.title()))
    }

    /// Whether nothing will happen to it any more.
    pub fn has_ended(&self) -> bool {
        !matches!(
            self.status(),
            "InProgress" | "Stopping" | "STARTING" | "INPROGRESS" | "STOPPING"
        )
    }

    /// Whether it came to a bad end.
    pub fn has_failed(&self) -> bool {
        matches!(self.status(), "Failed" | "FAILED")
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
        let time = |which: &str| self.number(&format!("{}{which}Time", self.kind.title()));
        let until = match time("End") {
            Some(end) => end,
            None if self.has_ended() => return None,
            None => now,
        };
        Some(until - time("Start")?)
    }

    /// The types and numbers of its instances: `ml.m5.large`, `2 × ml.p3.2xlarge`. An optimization
    /// has the type that it is for; a compilation has none.
    pub fn instances(&self) -> String {
        if let Some(kind) = self.described["DeploymentInstanceType"].as_str() {
            return kind.to_owned();
        }
        let resources = &self.described["ResourceConfig"];
        let groups = elements(&resources["InstanceGroups"]);
        if groups.is_empty() {
            return instances_of(resources);
        }
        let groups: Vec<String> = groups.iter().map(instances_of).collect();
        groups.join(" + ")
    }

    /// How many instances it has.
    pub fn instance_count(&self) -> u64 {
        let resources = &self.described["ResourceConfig"];
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
    format!("there is no job {name}; see which there are with: kiln jobs")
}

/// The request that names a job and says no more.
fn named(kind: Kind, name: &str) -> Value {
    let mut input = json!({});
    input[kind.name_member()] = json!(name);
    input
}

/// Asks that a job be stopped.
pub async fn stop(client: &Client, kind: Kind, name: &str) -> Result<(), Failure> {
    let operation = format!("Stop{}Job", kind.title());
    let input = named(kind, name);
    let asked = client.call(Service::SageMaker, &operation, &input);
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
            let job = Job::new(Kind::Training, json!({ "ResourceConfig": resources }));
            assert_eq!(
                (job.instances().as_str(), job.instance_count()),
                (text, count)
            );
        }
    }

    #[test]
    fn a_job_lasts_until_its_end_or_until_now() {
        let job = |status: &str, start: Value, end: Value| {
            let described = json!({
                "TrainingJobStatus": status, "SecondaryStatus": "Training",
                "TrainingStartTime": start, "TrainingEndTime": end,
            });
            Job::new(Kind::Training, described)
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

    #[test]
    fn each_kind_has_its_own_words() {
        let job = |status: &str| {
            let described = json!({
                "OptimizationJobName": "o", "OptimizationJobStatus": status,
                "OptimizationStartTime": 1.0, "OptimizationEndTime": 3.5,
                "DeploymentInstanceType": "ml.g5.xlarge",
            });
            Job::new(Kind::Optimization, described)
        };
        let failed = job("FAILED");
        assert_eq!((failed.name(), failed.stage()), ("o", "FAILED"));
        assert_eq!(failed.instances(), "ml.g5.xlarge");
        assert_eq!(failed.duration(9.0), Some(2.5));
        assert!(failed.has_ended() && failed.has_failed());
        assert!(!job("STARTING").has_ended() && !job("STOPPED").has_failed());
        assert_eq!(
            named(Kind::Compilation, "c"),
            json!({"CompilationJobName": "c"})
        );
    }
}
