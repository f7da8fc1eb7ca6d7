//! The instances of training jobs: how they are found again after a crash, begun
//! again, and given up for lost.

use std::collections::HashMap;
use std::sync::Arc;

use kiln_engine::Claim;
use kiln_store::Instance;

use super::hosts::{Role, position};
use super::warm_pool::WarmPool;
use super::{Event, Job, KIND, TrainingJobs};
use crate::plane::{attend, must_begin};
use crate::{JobError, JobSession, Party};

impl TrainingJobs {
    /// Finds the instances that an earlier server left.
    pub(super) async fn find_instances(&self, ours: Vec<Instance>) -> Result<(), JobError> {
        self.bind_index().await?;
        self.find_warm_pools()?;
        let mut attempts = HashMap::<_, Vec<Instance>>::new();
        let (rules, hosts): (Vec<_>, Vec<_>) = ours
            .into_iter()
            .partition(|instance| matches!(Role::of(&instance.host), Some(Role::Rule(_))));
        for instance in hosts {
            let attempt = (instance.job.clone(), instance.attempt);
            attempts.entry(attempt).or_default().push(instance);
        }
        for instance in &rules {
            self.recover_rule(instance);
        }
        for ((name, _), attempt) in &attempts {
            if let Err(error) = self.place_rules(name).await {
                tracing::error!(job = name, %error, "the rules of a job could not be placed");
            }
            self.recover_attempt(attempt).await;
        }
        Ok(())
    }

    async fn recover_attempt(&self, attempt: &[Instance]) {
        for instance in attempt {
            let recovered = self.recover(attempt, instance).await;
            let id = &instance.id;
            tokio::spawn(attend(Arc::new(self.clone()), id.clone()));
            if let Err(error) = recovered {
                tracing::error!(instance = id, %error, "an instance could not be recovered");
                // Should this fail too, it is tried again when the agent is gone.
                if let Err(error) = self.give_up(id, &error.to_string()).await {
                    tracing::error!(instance = id, %error, "nor could its job be told");
                }
            }
        }
    }

    async fn recover(&self, attempt: &[Instance], instance: &Instance) -> Result<(), JobError> {
        let stored = self.shared.plane.store.jobs.find(KIND, &instance.job)?;
        let job = stored.map(|stored| self.read(stored)).transpose()?;
        let Some(job) = job.filter(|job| job.is_in(instance)) else {
            return Ok(());
        };
        for party in [Party::Work, Party::Agent] {
            self.shared.plane.issue(session(instance, party));
        }
        let engine = &self.shared.plane.engine;
        let claim: Claim = serde_json::from_str(&instance.claim)?;
        // A warm pool has its room already.
        let pool = job.state.warm_pool.as_ref();
        if !pool.is_some_and(WarmPool::is_held) {
            engine.adopt(&instance.id, &claim);
        }
        let presence = engine.presence(&instance.id);
        if must_begin(presence, instance) && job.awaits(instance) {
            self.begin(&job, attempt, instance).await?;
        }
        Ok(())
    }

    /// Starts the agent of an instance that died before it had begun, if its end is
    /// still to come.
    pub(super) async fn begin_anew(&self, instance: &Instance) -> Result<bool, JobError> {
        let store = &self.shared.plane.store;
        let stored = store.jobs.find(KIND, &instance.job)?;
        let job = stored.map(|stored| self.read(stored)).transpose()?;
        let Some(job) = job.filter(|job| job.is_in(instance) && job.awaits(instance)) else {
            return Ok(false);
        };
        let mut attempt = store.instances.of_job(KIND, &instance.job)?;
        attempt.retain(|other| other.attempt == instance.attempt);
        self.begin(&job, &attempt, instance).await?;
        Ok(true)
    }

    /// Whether what the instance has made is needed: the first host of a cluster
    /// stores it for all.
    pub(super) fn is_needed_by_the_first(&self, instance: &Instance) -> Result<bool, JobError> {
        // The first host needs nothing of its own once it is gone.
        Ok(position(&instance.host) != Some(0) && !self.orders_for(instance)?.proceed)
    }

    /// Ends the instance's part of its job as failed by the platform, unless it
    /// has ended.
    pub(super) async fn give_up(&self, id: &str, detail: &str) -> Result<(), JobError> {
        let Some(instance) = self.shared.plane.store.instances.find(id)? else {
            return Ok(());
        };
        if let Some(Role::Rule(rule)) = Role::of(&instance.host) {
            return self.lose_rule(&instance, rule, detail).await;
        }
        let stored = self.shared.plane.store.jobs.find(KIND, &instance.job)?;
        let job = stored.map(|stored| self.read(stored)).transpose()?;
        if job.is_none_or(|job| !job.is_in(&instance)) {
            // The usual case, which needs no write.
            return Ok(());
        }
        let Some(host) = position(&instance.host) else {
            return Ok(());
        };
        let reason = kiln_agent::failure::internal(&detail);
        let lost = self
            .step_if(&instance.job, Event::Lost(host, reason), {
                let instance = instance.clone();
                move |job| job.is_in(&instance)
            })
            .await;
        match lost {
            // A job that was deleted meanwhile needs no end.
            Err(JobError::Validation(_)) => Ok(()),
            settled => settled,
        }
    }
}

impl Job {
    /// Whether the instance belongs to the attempt that is on.
    pub(super) fn is_in(&self, instance: &Instance) -> bool {
        match Role::of(&instance.host) {
            Some(Role::Rule(rule)) => self.state.rules.is_wanted(rule, instance.attempt),
            _ => self.state.attempt.is_some() && self.state.attempts == instance.attempt,
        }
    }
}

impl Job {
    /// Whether the end of an instance of the attempt that is on is still to come.
    fn awaits(&self, instance: &Instance) -> bool {
        let attempt = self.state.attempt.as_ref();
        position(&instance.host)
            .is_none_or(|host| attempt.is_some_and(|attempt| !attempt.has_ended(host)))
    }
}

/// Whom an instance's keys speak for.
pub(super) fn session(instance: &Instance, party: Party) -> JobSession {
    JobSession {
        kind: KIND.to_owned(),
        job: instance.job.clone(),
        instance: instance.id.clone(),
        party,
        rule: match Role::of(&instance.host) {
            Some(Role::Rule(rule)) => Some(rule),
            _ => None,
        },
    }
}
