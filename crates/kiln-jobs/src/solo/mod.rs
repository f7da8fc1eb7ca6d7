//! Jobs that have one instance and one attempt, of whichever kind: their life from the
//! create call to their last traces.
//!
//! What a kind's requests ask for, and what its descriptions say, its [`Work`] knows.

mod change;
mod dispatch;
mod instances;
mod kind;
mod reports;
mod state;
mod state_change;
mod terms;
#[cfg(test)]
mod tests;
mod work;

use std::sync::Arc;

use kiln_model::Arn;
use kiln_store::{NewJob, StoredJob};

pub(crate) use self::state::{Event, SoloState};
pub(crate) use self::terms::Terms;
pub(crate) use self::work::{Seat, Work};
use crate::plane::{Alarms, Plane, now, pairs, settle};
use crate::{JobError, JobSession, Scope};

/// Jobs of one kind of a control plane, each with one instance. Clones are handles to
/// the same.
pub struct SoloJobs<W> {
    shared: Arc<Shared<W>>,
}

struct Shared<W> {
    plane: Arc<Plane>,
    alarms: Alarms,
    work: W,
}

impl<W> Clone for SoloJobs<W> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
        }
    }
}

impl<W: Work> std::fmt::Debug for SoloJobs<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SoloJobs")
            .field("kind", &W::kind())
            .field("settings", &self.shared.plane.settings)
            .finish_non_exhaustive()
    }
}

/// A job's documents, read.
pub(crate) struct Job<W: Work> {
    pub(crate) arn: Arn,
    pub(crate) request: W::Request,
    pub(crate) state: SoloState<W::Outcome>,
    /// Each state in which it had another status than before, since it was read.
    untold: Vec<SoloState<W::Outcome>>,
}

impl<W: Work> SoloJobs<W> {
    pub(crate) fn new(plane: Arc<Plane>, work: W) -> Self {
        Self {
            shared: Arc::new(Shared {
                plane,
                alarms: Alarms::default(),
                work,
            }),
        }
    }

    /// What it shares with the other kinds.
    pub(crate) fn plane(&self) -> &Plane {
        &self.shared.plane
    }

    /// What its jobs are about.
    pub(crate) fn work(&self) -> &W {
        &self.shared.work
    }

    /// Accepts a job durably whose request makes sense.
    pub(crate) async fn begin_life(&self, request: W::Request) -> Result<Arn, JobError> {
        let mut state = SoloState::new(now());
        let role = self.plane().created_role(W::role(&request))?;
        state.role = role.map(|role| role.principal.id);
        let job = Job::<W> {
            arn: self.arn(W::name(&request))?,
            untold: vec![state.clone()],
            state,
            request,
        };
        let arn = job.arn.clone();
        let this = self.clone();
        settle(async move { this.enqueue(&job).await }).await?;
        Ok(arn)
    }

    /// Writes a new job down, and puts it at the end of the queue.
    async fn enqueue(&self, job: &Job<W>) -> Result<(), JobError> {
        let name = W::name(&job.request);
        let new = NewJob {
            kind: W::kind(),
            name: name.to_owned(),
            arn: job.arn.to_string(),
            request: serde_json::to_string(&job.request)?,
            change: self.change_of(job)?,
            tags: pairs(W::tags(&job.request)),
        };
        let taken = || name_taken::<W>(&job.arn);
        self.plane().accept(new, taken).await?;
        self.set_alarm(job);
        self.plane().enqueue(W::kind(), name);
        Ok(())
    }

    /// What a describe call answers, as JSON.
    ///
    /// # Errors
    /// When there is no such job.
    pub fn describe(&self, name: &str) -> Result<String, JobError> {
        let found = self.plane().store.jobs.description(W::kind(), name)?;
        found.ok_or_else(missing)
    }

    /// Asks a job to stop.
    ///
    /// # Errors
    /// When there is no such job, or it has ended.
    pub async fn stop(&self, name: &str) -> Result<(), JobError> {
        let decide = |job: &mut Job<W>| {
            if job.state.is_terminal() {
                return Err(JobError::Validation(format!(
                    "The request was rejected because the {} job is in status {}.",
                    W::WORD,
                    job.state.status
                )));
            }
            Ok(job.step(Event::StopRequested, now()))
        };
        self.change_and_follow(name, decide).await
    }

    /// Forgets an ended job; what it has stored and its logs stay.
    ///
    /// # Errors
    /// When there is no such job, or it has not ended.
    pub async fn delete(&self, name: &str) -> Result<(), JobError> {
        let job = self.find(name)?.ok_or_else(missing)?;
        if !job.state.is_terminal() {
            return Err(JobError::Validation(format!(
                "The {} job {} is in status {} and cannot be deleted. Its status must be \
                 COMPLETED, FAILED or STOPPED: stop it, or wait until it has ended.",
                W::WORD,
                job.arn,
                job.state.status
            )));
        }
        if self.plane().store.jobs.delete(W::kind(), name).await? {
            self.plane().tell();
            return Ok(());
        }
        Err(missing())
    }

    /// What the holder of a session's keys may do in S3; `None` once the work is over.
    fn scope_of(&self, holder: &JobSession) -> Result<Option<Scope>, JobError> {
        let Some(job) = self.find(&holder.job)? else {
            return Ok(None);
        };
        // The name may be another job's by now.
        if !job.state.is_on(&holder.instance) {
            return Ok(None);
        }
        let scope = W::scope(&job.request, holder.party);
        let role = W::role(&job.request);
        self.plane()
            .under_role(scope, role, job.state.role.as_deref())
    }

    fn find(&self, name: &str) -> Result<Option<Job<W>>, JobError> {
        let stored = self.plane().store.jobs.find(W::kind(), name)?;
        stored.map(|stored| self.read(stored)).transpose()
    }

    fn read(&self, stored: StoredJob) -> Result<Job<W>, JobError> {
        Ok(Job {
            arn: self.arn(&stored.name)?,
            request: serde_json::from_str(&stored.request)?,
            state: serde_json::from_str(&stored.state)?,
            untold: Vec::new(),
        })
    }

    fn arn(&self, name: &str) -> Result<Arn, JobError> {
        self.plane().arn(W::KIND, name)
    }
}

/// What the model documents of a job that does not exist.
fn missing() -> JobError {
    JobError::NotFound("Requested resource not found.".to_owned())
}

fn name_taken<W: Work>(arn: &Arn) -> JobError {
    let title = W::title();
    JobError::InUse(format!(
        "{title} job names must be unique within an AWS account and region, and {} job with this \
         name already exists ({arn})",
        W::A_WORD
    ))
}
