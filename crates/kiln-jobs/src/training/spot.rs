//! Spot jobs: they give their room back when it is wanted, and go on later.

use super::{AlreadyEnded, Event, Job, TrainingJobs};
use crate::JobError;
use crate::plane::{now, settle};

impl TrainingJobs {
    /// Interrupts a running spot job, as the cloud does when it needs the
    /// capacity: it has two minutes, its checkpoints are stored, and it goes on
    /// from them when there is room.
    ///
    /// # Errors
    /// When there is no such job, or it is none that can be interrupted now.
    pub async fn interrupt(&self, name: &str) -> Result<(), JobError> {
        let (this, name) = (self.clone(), name.to_owned());
        settle(async move {
            let interrupted = this.change(&name, |job| {
                may_interrupt(job).map_err(JobError::Validation)?;
                Ok(job.step(Event::Reclaimed, now()))
            });
            let consequence = interrupted.await?;
            this.carry_out(&name, consequence);
            Ok(())
        })
        .await
    }
}

fn may_interrupt(job: &Job) -> Result<(), String> {
    let name = &job.request.training_job_name;
    if job.state.is_terminal() {
        return Err(AlreadyEnded(job.state.status).to_string());
    }
    if !job.terms().spot {
        return Err(format!(
            "The training job {name} cannot be interrupted: only jobs with \
             EnableManagedSpotTraining can."
        ));
    }
    match &job.state.attempt {
        None => Err(format!(
            "The training job {name} cannot be interrupted: it waits for capacity and has no \
             instances."
        )),
        Some(attempt) if attempt.verdict.is_some() => Err(format!(
            "The training job {name} cannot be interrupted: its instances are about to end."
        )),
        Some(_) => Ok(()),
    }
}
