//! Changes of a job, each in one transaction, and what follows from them in the world.

use kiln_model::Timestamp;
use kiln_store::{JobChange, JobIndex};

use super::state::{Action, Event};
use super::{Job, SoloJobs, Terms, Work, missing};
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

impl<W: Work> Job<W> {
    /// What its request says about time.
    pub(super) fn terms(&self) -> Terms {
        W::terms(&self.request)
    }

    /// Takes a step; answers what follows from it.
    pub(super) fn step(&mut self, event: Event<W::Outcome>, at: Timestamp) -> Consequence {
        let (terms, before) = (self.terms(), self.state.status);
        let action = self.state.step(event, at, &terms);
        if self.state.status != before {
            self.untold.push(self.state.clone());
        }
        let instance = self.state.instance.clone();
        Consequence {
            action,
            freed: instance.filter(|_| action == Action::Finish),
        }
    }
}

impl<W: Work> SoloJobs<W> {
    /// The job as it is from now on.
    pub(super) fn change_of(&self, job: &Job<W>) -> Result<JobChange, JobError> {
        let state = &job.state;
        Ok(JobChange {
            request: None,
            state: serde_json::to_string(state)?,
            description: self.shared.work.describe(&job.arn, &job.request, state)?,
            index: JobIndex {
                status: state.status.to_string(),
                secondary: W::label(&job.request),
                created: state.created.millis(),
                modified: state.modified.millis(),
                ended: state.ended.map(Timestamp::millis),
            },
            announcements: self.announcements(job)?,
            warm_pool: None,
        })
    }

    /// Reads a job, lets `decide` alter it, writes it back, all in one transaction, and
    /// carries out what follows.
    pub(super) async fn change_and_follow<F>(&self, name: &str, decide: F) -> Result<(), JobError>
    where
        F: FnOnce(&mut Job<W>) -> Result<Consequence, JobError> + Send + 'static,
    {
        let (this, name) = (self.clone(), name.to_owned());
        settle(async move {
            let writer = this.clone();
            let jobs = &this.plane().store.jobs;
            let changed = jobs.change(W::kind(), &name, move |stored| {
                let mut job = writer.read(stored.ok_or_else(missing)?)?;
                let consequence = decide(&mut job)?;
                Ok::<_, JobError>((Some(writer.change_of(&job)?), consequence))
            });
            let consequence = changed.await?;
            this.carry_out(&consequence);
            Ok(())
        })
        .await
    }

    /// Does in the world what follows from a change of a job.
    pub(super) fn carry_out(&self, consequence: &Consequence) {
        if consequence.action >= Action::Tell {
            self.plane().tell();
        }
        self.plane()
            .release(consequence.freed.iter().map(String::as_str));
    }

    /// Has the job looked at when its next limit passes, if it has one.
    pub(super) fn set_alarm(&self, job: &Job<W>) {
        if let Some(deadline) = job.state.deadline(&job.terms()) {
            let name = W::name(&job.request).to_owned();
            self.shared.alarms.set_at(deadline, name);
        }
    }
}
