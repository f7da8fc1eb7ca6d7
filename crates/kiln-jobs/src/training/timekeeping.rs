//! Time limits of training jobs that the control plane keeps itself: how long a job
//! may wait for capacity, and how long a spot job may take in all.

use kiln_model::Timestamp;

use super::{Event, Job, KIND, TrainingJobs};
use crate::JobError;
use crate::plane::now;

impl TrainingJobs {
    /// Has the job looked at when its next limit passes, if it has one.
    pub(super) fn set_alarm(&self, job: &Job) {
        if let Some(deadline) = job.state.deadline(&job.terms()) {
            self.set_alarm_at(&job.request.training_job_name, deadline);
        }
    }

    /// The same, with time for those who ran while nobody kept time to say how they
    /// have ended.
    pub(super) fn set_alarm_after_restart(&self, job: &Job) {
        if let Some(deadline) = job.state.deadline(&job.terms()) {
            let name = job.request.training_job_name.clone();
            let ran = job.state.attempt.is_some();
            self.shared.alarms.set_after_restart(deadline, name, ran);
        }
    }

    /// Has the job looked at then.
    pub(super) fn set_alarm_at(&self, name: &str, deadline: Timestamp) {
        self.shared.alarms.set_at(deadline, name.to_owned());
    }

    /// Stops a job if its limit has passed.
    pub(super) async fn keep_time_of(&self, name: &str) -> Result<(), JobError> {
        let Some(stored) = self.shared.plane.store.jobs.find(KIND, name)? else {
            return Ok(());
        };
        let job = self.read(stored)?;
        let Some(deadline) = job.state.deadline(&job.terms()) else {
            return Ok(());
        };
        if now() < deadline {
            // The alarm was an earlier one's, or the time of day was set back.
            self.set_alarm(&job);
            return Ok(());
        }
        self.step(name, Event::Tick).await
    }
}
