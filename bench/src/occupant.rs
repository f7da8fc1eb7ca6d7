//! A job that has the whole machine, so that those that follow wait.

use std::time::Duration;

use serde_json::{Value, json};

use crate::client::Client;
use crate::error::BenchError;
use crate::latency::request;

/// How often the job is looked at.
const POLL: Duration = Duration::from_millis(10);

/// The job that has the machine.
#[derive(Debug)]
pub struct Occupant {
    name: String,
}

impl Occupant {
    /// Has a job take the machine, and waits until its work runs.
    pub fn take_machine(client: &mut Client, before: &str) -> Result<Self, BenchError> {
        let name = format!("occupant-{before}");
        let mut job = request(&name, "exec sleep 3600");
        // The largest type gets the whole machine.
        job["ResourceConfig"]["InstanceType"] = json!("ml.m5.24xlarge");
        client.sagemaker("CreateTrainingJob", &job)?;
        let occupant = Self { name };
        occupant.wait_for(client, "SecondaryStatus", "Training")?;
        Ok(occupant)
    }

    /// Stops the job; the machine is free when this returns.
    pub fn leave(self, client: &mut Client) -> Result<(), BenchError> {
        client.sagemaker("StopTrainingJob", &self.named())?;
        self.wait_for(client, "TrainingJobStatus", "Stopped")
    }

    fn named(&self) -> Value {
        json!({"TrainingJobName": self.name})
    }

    fn wait_for(&self, client: &mut Client, key: &str, wanted: &str) -> Result<(), BenchError> {
        loop {
            let job = client.sagemaker("DescribeTrainingJob", &self.named())?;
            if job[key] == wanted {
                return Ok(());
            }
            if !["InProgress", "Stopping"]
                .contains(&job["TrainingJobStatus"].as_str().unwrap_or_default())
            {
                return Err(BenchError::job(&self.name, format!("does not run: {job}")));
            }
            std::thread::sleep(POLL);
        }
    }
}
