//! The instances of jobs: how they are found again after a crash, begun again, and given
//! up for lost.

use std::sync::Arc;

use kiln_engine::{Claim, Presence};
use kiln_store::Instance;

use super::state::{Event, internal};
use super::{Job, SoloJobs, Work};
use crate::plane::{attend, must_begin, now};
use crate::{JobError, JobSession, Party};

impl<W: Work> SoloJobs<W> {
    /// Finds an instance that an earlier server left.
    pub(super) async fn recover_instance(&self, instance: &Instance) {
        let id = &instance.id;
        let recovered = self.resume(instance).await;
        tokio::spawn(attend(Arc::new(self.clone()), id.clone()));
        if let Err(error) = recovered {
            tracing::error!(instance = id, %error, "an instance could not be recovered");
            // Should this fail too, it is tried again when the agent is gone.
            if let Err(error) = self.give_up(id, &error.to_string()).await {
                tracing::error!(instance = id, %error, "nor could its job be told");
            }
        }
    }

    async fn resume(&self, instance: &Instance) -> Result<(), JobError> {
        let id = &instance.id;
        let job = self.find(&instance.job)?;
        if job.is_none_or(|job| !job.state.is_on(id)) {
            return Ok(());
        }
        let plane = self.plane();
        for party in W::PARTIES {
            plane.issue(session(instance, *party));
        }
        let claim: Claim = serde_json::from_str(&instance.claim)?;
        plane.engine.adopt(id, &claim);
        if must_begin(plane.engine.presence(id), instance) {
            self.begin_anew(instance).await?;
        }
        Ok(())
    }

    /// Starts the agent of an instance that died before it had begun, if its end is
    /// still to come.
    pub(super) async fn begin_anew(&self, instance: &Instance) -> Result<bool, JobError> {
        let job = self.find(&instance.job)?;
        let Some(job) = job.filter(|job| job.state.is_on(&instance.id)) else {
            return Ok(false);
        };
        self.begin(&job, instance).await?;
        Ok(true)
    }

    /// Has another agent go on where one that is gone was, if its end is still to come
    /// and agents have not been lost there again and again.
    pub(super) async fn begin_where_it_was(&self, instance: &Instance) -> Result<bool, JobError> {
        let plane = self.plane();
        match plane.engine.presence(&instance.id) {
            _ if W::PATIENCE == 0 => return Ok(false),
            // The one that was to go on was slow to say so.
            Presence::Alive => return Ok(true),
            Presence::Gone => {}
            // A machine that lost its power may have lost all that the agent wrote.
            Presence::NotBegun | Presence::Absent if instance.delivered > 0 => {}
            Presence::NotBegun | Presence::Absent => return Ok(false),
        }
        let (this, id) = (self.clone(), instance.id.clone());
        let jobs = &plane.store.jobs;
        let decided = jobs.change(W::kind(), &instance.job, move |stored| {
            let job = stored.map(|stored| this.read(stored)).transpose()?;
            let Some(mut job) = job.filter(|job| job.state.is_on(&id)) else {
                return Ok::<_, JobError>((None, None));
            };
            let terms = job.terms();
            match job.state.survives(now(), &terms) {
                true => Ok((Some(this.change_of(&job)?), Some(job))),
                false => Ok((None, None)),
            }
        });
        let Some(job) = decided.await? else {
            return Ok(false);
        };
        tracing::warn!(
            instance = instance.id,
            "an agent is gone, and another goes on"
        );
        if let Err(error) = self.begin(&job, instance).await {
            let uncounted = |job: &mut Job<W>| {
                job.state.was_not_begun();
                Ok(Default::default())
            };
            self.change_and_follow(&instance.job, uncounted).await?;
            return Err(error);
        }
        Ok(true)
    }

    /// Ends the instance's job as failed by the platform, unless it has ended.
    pub(super) async fn give_up(&self, id: &str, detail: &str) -> Result<(), JobError> {
        let Some(instance) = self.plane().store.instances.find(id)? else {
            return Ok(());
        };
        let job = self.find(&instance.job)?;
        if job.is_none_or(|job| !job.state.is_on(id)) {
            // The usual case, which needs no write.
            return Ok(());
        }
        let reason = internal(W::WORD, detail);
        let lost = self.change_and_follow(&instance.job, {
            let id = id.to_owned();
            move |job| match job.state.is_on(&id) {
                true => Ok(job.step(Event::Lost(reason), now())),
                false => Ok(Default::default()),
            }
        });
        match lost.await {
            // A job that was deleted meanwhile needs no end.
            Err(JobError::NotFound(_)) => Ok(()),
            settled => settled,
        }
    }

    /// Fails a job that has waited for too long.
    pub(super) async fn keep_time_of(&self, name: &str) -> Result<(), JobError> {
        let Some(job) = self.find(name)? else {
            return Ok(());
        };
        let Some(deadline) = job.state.deadline(&job.terms()) else {
            return Ok(());
        };
        if now() < deadline {
            // The alarm was an earlier job's, or the time of day was set back.
            self.set_alarm(&job);
            return Ok(());
        }
        let tick = |job: &mut Job<W>| Ok(job.step(Event::Tick, now()));
        self.change_and_follow(name, tick).await
    }
}

/// Whom an instance's keys speak for.
pub(super) fn session(instance: &Instance, party: Party) -> JobSession {
    JobSession {
        kind: instance.kind.clone(),
        job: instance.job.clone(),
        instance: instance.id.clone(),
        party,
        rule: None,
    }
}
