//! Instances from the start of their agents to their last traces, and how they
//! are found again after a crash.

use std::collections::HashMap;

use kiln_engine::{Claim, Presence};
use kiln_store::Instance;
use tokio::task::JoinHandle;

use super::dispatch::RETRY_AFTER;
use super::hosts::{Role, position};
use super::warm_pool::WarmPool;
use super::{Event, Job, KIND, TrainingJobs};
use crate::{JobError, JobSession, Party};

/// How many times an agent may die before it has begun.
const BEGINNINGS: u32 = 3;

impl TrainingJobs {
    /// Finds what an earlier server left running, and begins to run jobs.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn start(&self) -> Result<(), JobError> {
        self.bind_index().await?;
        let instances = self.shared.store.instances.all()?;
        self.clear_strays(&instances)?;
        self.find_warm_pools()?;
        let mut attempts = HashMap::<_, Vec<Instance>>::new();
        let ours = instances.iter().filter(|instance| instance.kind == KIND);
        let (rules, hosts): (Vec<_>, Vec<_>) =
            ours.partition(|instance| matches!(Role::of(&instance.host), Some(Role::Rule(_))));
        for instance in hosts {
            let attempt = (instance.job.clone(), instance.attempt);
            attempts.entry(attempt).or_default().push(instance.clone());
        }
        for instance in rules {
            self.recover_rule(instance);
        }
        for ((name, _), attempt) in &attempts {
            if let Err(error) = self.place_rules(name).await {
                tracing::error!(job = name, %error, "the rules of a job could not be placed");
            }
            self.recover_attempt(attempt).await;
        }
        self.find_open_jobs()?;
        watch_over(tokio::spawn(self.clone().dispatch()));
        watch_over(tokio::spawn(self.clone().keep_time()));
        watch_over(tokio::spawn(self.clone().keep_indexed()));
        self.shared.wake.notify_one();
        Ok(())
    }

    /// Puts the jobs that wait back into the queue, in the order in which they
    /// began to wait, and sets everybody's alarms.
    fn find_open_jobs(&self) -> Result<(), JobError> {
        let mut waiting = Vec::new();
        for stored in self.shared.store.jobs.open_jobs(KIND)? {
            let name = stored.name.clone();
            match self.read(stored) {
                Ok(job) => {
                    self.set_alarm_after_restart(&job);
                    if job.state.is_waiting() {
                        waiting.push((job.state.queued, name));
                    }
                }
                Err(error) => tracing::error!(job = name, %error, "a job could not be read"),
            }
        }
        // The sort is stable: jobs of one millisecond stay in the order they came.
        waiting.sort_by_key(|(since, _)| *since);
        let mut queue = self.queue();
        for (_, name) in waiting {
            queue.push(name);
        }
        Ok(())
    }

    /// Removes what is left of instances that were forgotten before they were
    /// cleared away wholly. Instances that are placed from now on are none of
    /// those that are found here.
    fn clear_strays(&self, instances: &[Instance]) -> Result<(), JobError> {
        let known = instances.iter().map(|instance| instance.id.clone());
        let strays = self.shared.engine.strays(&known.collect())?;
        let engine = self.shared.engine.clone();
        tokio::spawn(async move {
            for stray in strays {
                if let Err(error) = engine.clear(&stray).await {
                    tracing::warn!(instance = stray, %error, "a stray instance stays");
                }
            }
        });
        Ok(())
    }

    async fn recover_attempt(&self, attempt: &[Instance]) {
        for instance in attempt {
            let recovered = self.recover(attempt, instance).await;
            let id = &instance.id;
            tokio::spawn(self.clone().attend(id.clone()));
            if let Err(error) = recovered {
                tracing::error!(instance = id, %error, "an instance could not be recovered");
                // Should this fail too, it is tried again when the agent is gone.
                if let Err(error) = self.lose(id, &error.to_string()).await {
                    tracing::error!(instance = id, %error, "nor could its job be told");
                }
            }
        }
    }

    async fn recover(&self, attempt: &[Instance], instance: &Instance) -> Result<(), JobError> {
        let stored = self.shared.store.jobs.find(KIND, &instance.job)?;
        let job = stored.map(|stored| self.read(stored)).transpose()?;
        let Some(job) = job.filter(|job| job.is_in(instance)) else {
            return Ok(());
        };
        for party in [Party::Work, Party::Agent] {
            self.issue(session(instance, party));
        }
        let engine = &self.shared.engine;
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

    /// Waits until an instance's agent is gone, and clears up behind it.
    pub(super) async fn attend(self, id: String) {
        self.see_through(&id).await;
        while let Err(error) = self.settle(&id).await {
            tracing::error!(instance = id, %error, "an instance could not be cleared up yet");
            tokio::time::sleep(RETRY_AFTER).await;
        }
        self.revoke(&id);
        // Nobody waits for the answer to what the agent asked last.
        self.tell();
        self.release(std::iter::once(id.as_str()));
    }

    /// Returns when an instance's agent is gone for good. One that died before it
    /// had begun is started again a few times, as nothing has happened yet.
    async fn see_through(&self, id: &str) {
        for _ in 0..BEGINNINGS {
            self.shared.engine.departed(id).await;
            match self.begin_again(id).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::warn!(instance = id, %error, "an agent could not be started again");
                    return;
                }
            }
        }
        self.shared.engine.departed(id).await;
    }

    async fn begin_again(&self, id: &str) -> Result<bool, JobError> {
        let Some(instance) = self.shared.store.instances.find(id)? else {
            return Ok(false);
        };
        if !must_begin(self.shared.engine.presence(id), &instance) {
            return Ok(false);
        }
        let stored = self.shared.store.jobs.find(KIND, &instance.job)?;
        let job = stored.map(|stored| self.read(stored)).transpose()?;
        let Some(job) = job.filter(|job| job.is_in(&instance) && job.awaits(&instance)) else {
            return Ok(false);
        };
        let mut attempt = self.shared.store.instances.of_job(KIND, &instance.job)?;
        attempt.retain(|other| other.attempt == instance.attempt);
        self.begin(&job, &attempt, &instance).await?;
        Ok(true)
    }

    async fn settle(&self, id: &str) -> Result<(), JobError> {
        let instance = self.shared.store.instances.find(id)?;
        let delivered = instance.map_or(0, |instance| instance.delivered);
        for reports in self.shared.engine.leftovers(id, delivered)? {
            self.take_in(id, reports).await?;
        }
        self.lose(id, "the agent of the instance is gone").await?;
        self.until_needless(id).await?;
        self.shared.engine.clear(id).await?;
        self.shared.store.logs.forget_instance(id).await?;
        self.shared.store.metrics.forget_instance(id).await?;
        self.shared.store.instances.forget(id).await?;
        Ok(())
    }

    /// Waits until nobody needs what the instance has made any more: the first
    /// host of a cluster stores it for all.
    async fn until_needless(&self, id: &str) -> Result<(), JobError> {
        let mut told = self.shared.told.subscribe();
        while let Some(instance) = self.shared.store.instances.find(id)? {
            // The first host needs nothing of its own once it is gone.
            if position(&instance.host) == Some(0) || self.orders_of(&instance)?.proceed {
                break;
            }
            // The sender lives as long as we do.
            let _ = told.changed().await;
        }
        Ok(())
    }

    /// Ends the instance's part of its job as failed by the platform, unless it
    /// has ended.
    pub(super) async fn lose(&self, id: &str, detail: &str) -> Result<(), JobError> {
        let Some(instance) = self.shared.store.instances.find(id)? else {
            return Ok(());
        };
        if let Some(Role::Rule(rule)) = Role::of(&instance.host) {
            return self.lose_rule(&instance, rule, detail).await;
        }
        let stored = self.shared.store.jobs.find(KIND, &instance.job)?;
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

/// Ends the server when one of its loops breaks: agents outlive it, and the next one
/// finds everything again, while this one would take in jobs and run none.
fn watch_over(task: JoinHandle<()>) {
    tokio::spawn(async move {
        if task.await.is_err_and(|error| error.is_panic()) {
            tracing::error!("the server has a fault and ends; start it again");
            std::process::abort();
        }
    });
}

/// Whether the agent of an instance of a running attempt must be started
/// (again): a server may have died after it wrote the instance down and before it
/// placed it.
pub(super) fn must_begin(presence: Presence, instance: &Instance) -> bool {
    let untouched = matches!(presence, Presence::NotBegun | Presence::Absent);
    // One that has said something is about to be cleared away.
    untouched && instance.delivered == 0
}
