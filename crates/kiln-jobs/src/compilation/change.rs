//! Changes of a job, each in one transaction, and what follows from them in the world.

use kiln_model::Timestamp;
use kiln_store::{JobChange, JobIndex};

use super::describe::describe;
use super::state::{Action, Event};
use super::terms::Terms;
use super::{CompilationJobs, Job, KIND, missing};
use crate::JobError;
use crate::plane::settle;

/// What follows from a step of a job. It is gathered in the transaction of the change
/// and carried out after it, without another look at the store: by then the job may
/// have been deleted, and its name be another's.
#[derive(Debug, Default)]
pub(super) struct Consequence {
    action: Action,
    /// The instance whose room is free.
    freed: Option<String>,
}

impl Consequence {
    /// What follows from both, which happened in this order.
    pub(super) fn and(self, then: Self) -> Self {
        Self {
            action: self.action.max(then.action),
            freed: then.freed.or(self.freed),
        }
    }
}

impl Job {
    /// What its request says about time.
    pub(super) fn terms(&self) -> Terms {
        Terms::of(&self.request)
    }

    /// Takes a step; answers what follows from it.
    pub(super) fn step(&mut self, event: Event, at: Timestamp) -> Consequence {
        let action = self.state.step(event, at, &self.terms());
        let instance = self.state.instance.clone();
        Consequence {
            action,
            freed: instance.filter(|_| action == Action::Finish),
        }
    }

    /// The job as it is from now on.
    pub(super) fn change(&self) -> Result<JobChange, JobError> {
        let state = &self.state;
        let description = describe(&self.arn, &self.request, state)?;
        Ok(JobChange {
            request: None,
            state: serde_json::to_string(state)?,
            description: serde_json::to_string(&description)?,
            index: JobIndex {
                status: state.status.to_string(),
                secondary: String::new(),
                created: state.created.millis(),
                modified: state.modified.millis(),
                ended: state.ended.map(Timestamp::millis),
            },
            announcements: Vec::new(),
            warm_pool: None,
        })
    }
}

impl CompilationJobs {
    /// Reads a job, lets `decide` alter it, writes it back, all in one transaction, and
    /// carries out what follows.
    pub(super) async fn change_and_follow<F>(&self, name: &str, decide: F) -> Result<(), JobError>
    where
        F: FnOnce(&mut Job) -> Result<Consequence, JobError> + Send + 'static,
    {
        let (this, name) = (self.clone(), name.to_owned());
        settle(async move {
            let reader = this.clone();
            let jobs = &this.shared.plane.store.jobs;
            let changed = jobs.change(KIND, &name, move |stored| {
                let mut job = reader.read(stored.ok_or_else(missing)?)?;
                let consequence = decide(&mut job)?;
                Ok::<_, JobError>((Some(job.change()?), consequence))
            });
            let consequence = changed.await?;
            this.carry_out(&consequence);
            Ok(())
        })
        .await
    }

    /// Does in the world what follows from a change of a job.
    pub(super) fn carry_out(&self, consequence: &Consequence) {
        let plane = &self.shared.plane;
        if consequence.action >= Action::Tell {
            plane.tell();
        }
        plane.release(consequence.freed.iter().map(String::as_str));
    }

    /// Has the job looked at when its next limit passes, if it has one.
    pub(super) fn set_alarm(&self, job: &Job) {
        if let Some(deadline) = job.state.deadline(&job.terms()) {
            let name = job.request.compilation_job_name.clone();
            self.shared.alarms.set_at(deadline, name);
        }
    }
}
