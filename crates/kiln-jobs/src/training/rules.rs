//! The instances that evaluate a job's rules, from their placement on.
//!
//! They are written down as soon as an attempt of the job is, so that no crash loses
//! one, and begin when the job trains and the machine has room for them. They stand
//! before the queue for that: what they need is little, and a job that has ended waits
//! for nothing else. They take no processors from what jobs are promised, since they
//! run beside one; but no memory is given out twice.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kiln_agent::plan::Plan;
use kiln_agent::report::{Orders, Outcome};
use kiln_agent::runtime::Limits;
use kiln_engine::{Claim, Share};
use kiln_model::Timestamp;
use kiln_model::api::CreateTrainingJobRequest;
use kiln_store::Instance;

use super::attempt::Attempt;
use super::hosts::rule_name;
use super::instances::session;
use super::request::{rules, the_rules};
use super::rule_plan::{RulePlacement, build_rule};
use super::{Event, Job, KIND, TrainingJobs};
use crate::plane::{Want, attend, must_begin, new_instance_id};
use crate::{JobError, Party};

/// The log group of every rule: to the cloud they are processing jobs.
pub const RULE_LOG_GROUP: &str = "/aws/sagemaker/ProcessingJobs";

/// What a rule has of the machine, whatever its instance type.
const SHARE: Share = Share {
    limits: Limits {
        memory_bytes: 1 << 30,
        cpus: 0.0,
        processes: 4096,
        shm_bytes: 1 << 28,
    },
    gpus: 0,
};

/// Instances of rules that have not begun.
#[derive(Debug, Default)]
pub(super) struct WaitingRules {
    instances: Mutex<VecDeque<String>>,
}

impl WaitingRules {
    fn all(&self) -> MutexGuard<'_, VecDeque<String>> {
        let all = self.instances.lock();
        all.unwrap_or_else(PoisonError::into_inner)
    }
}

impl TrainingJobs {
    /// Writes down instances for those rules of a job that have none, if an attempt of
    /// the job is on.
    pub(super) async fn place_rules(&self, name: &str) -> Result<(), JobError> {
        let Some(job) = self.find(name)? else {
            return Ok(());
        };
        let positions = job.state.rules.unplaced();
        if positions.is_empty() || job.state.attempt.is_none() {
            return Ok(());
        }
        let instances = positions.iter().map(|position| instance(&job, *position));
        let instances = instances.collect::<Result<Vec<_>, _>>()?;
        let ids = instances.iter().map(|instance| instance.id.clone());
        let ids: Vec<_> = ids.collect();
        let (this, attempt) = (self.clone(), job.state.attempts);
        let placed = move |stored| {
            let mut job = this.read(stored)?;
            let unplaced = job.state.rules.unplaced();
            let is_on = job.state.attempt.is_some() && job.state.attempts == attempt;
            if !is_on || !positions.iter().all(|position| unplaced.contains(position)) {
                let changed = "the job has changed while its rules were placed";
                return Err(JobError::Internal(changed.to_owned()));
            }
            job.state.rules.place(&positions, attempt);
            Ok((job.change()?, ()))
        };
        let store = &self.shared.plane.store.instances;
        store.place((KIND, name), instances, placed).await?;
        self.shared.rules.all().extend(ids);
        self.shared.plane.wake.notify_one();
        Ok(())
    }

    /// Starts those instances of rules for which it is time, and for which there is
    /// room; clears those away that are not wanted any more.
    pub(super) async fn begin_rules(&self) {
        let waiting = std::mem::take(&mut *self.shared.rules.all());
        for id in waiting {
            match self.begin_if_due(&id).await {
                Ok(true) => {}
                Ok(false) => self.shared.rules.all().push_back(id),
                Err(error) => {
                    tracing::error!(instance = id, %error, "a rule could not be begun yet");
                    self.shared.rules.all().push_back(id);
                }
            }
        }
    }

    /// Answers whether the instance waits no longer.
    async fn begin_if_due(&self, id: &str) -> Result<bool, JobError> {
        let Some(instance) = self.shared.plane.store.instances.find(id)? else {
            return Ok(true);
        };
        let job = self.find(&instance.job)?;
        let Some(job) = job.filter(|job| job.is_in(&instance)) else {
            tokio::spawn(attend(Arc::new(self.clone()), id.to_owned()));
            return Ok(true);
        };
        let want = Want {
            instances: vec![(id.to_owned(), SHARE)],
            patient: job.terms().spot,
        };
        let admitted = || self.shared.plane.engine.admit(&want.instances).is_some();
        if !job.state.can_be_evaluated()
            || !(admitted() || self.reclaim_for(&want).await? && admitted())
        {
            return Ok(false);
        }
        let begun = self.begin(&job, &[], &instance).await;
        tokio::spawn(attend(Arc::new(self.clone()), id.to_owned()));
        if let Err(error) = begun {
            // Should this fail too, it is tried again when the agent is gone.
            if let Err(error) = self.give_up(id, &error.to_string()).await {
                tracing::error!(instance = id, %error, "a loss is not written down yet");
            }
        }
        Ok(true)
    }

    /// Starts the agent of a rule's instance.
    pub(super) async fn begin_rule(
        &self,
        job: &Job,
        position: usize,
        instance: &Instance,
    ) -> Result<(), JobError> {
        let id = &instance.id;
        let all = rules(&job.request);
        let (Some(rule), Some(evaluation)) = (all.get(position), job.state.rules.get(position))
        else {
            return Err(JobError::Internal("the job has no such rule".to_owned()));
        };
        let placement = RulePlacement {
            settings: &self.shared.plane.settings,
            job: &job.request,
            arn: &job.arn,
            rule,
            name: &evaluation.job,
            instance: id,
            token: self.shared.plane.keys.agent_token(id),
            server: self.shared.plane.server_id(),
            keys: self.shared.plane.issue(session(instance, Party::Work)),
            agent_keys: self.shared.plane.issue(session(instance, Party::Agent)),
            limits: SHARE.limits,
        };
        let plan = build_rule(placement).map_err(JobError::Internal)?;
        let plan = Plan::Training(Box::new(plan));
        Ok(self.shared.plane.engine.place(&plan).await?)
    }

    /// Finds a rule's instance that an earlier server had: it runs, or is about to.
    pub(super) fn recover_rule(&self, instance: &Instance) {
        let id = &instance.id;
        for party in [Party::Work, Party::Agent] {
            self.shared.plane.issue(session(instance, party));
        }
        match self.find(&instance.job) {
            Ok(job) => job.iter().for_each(|job| self.set_alarm(job)),
            Err(error) => tracing::error!(instance = id, %error, "the job could not be read"),
        }
        if must_begin(self.shared.plane.engine.presence(id), instance) {
            self.shared.rules.all().push_back(id.clone());
            return;
        }
        self.shared.plane.engine.adopt(id, &claim());
        tokio::spawn(attend(Arc::new(self.clone()), id.clone()));
    }

    /// Ends a rule whose instance is lost, unless it has ended.
    pub(super) async fn lose_rule(
        &self,
        instance: &Instance,
        position: usize,
        detail: &str,
    ) -> Result<(), JobError> {
        let job = self.find(&instance.job)?;
        if !job.is_some_and(|job| job.state.rules.is_open(position)) {
            return Ok(());
        }
        let lost = Event::RuleEnded {
            rule: position,
            attempt: instance.attempt,
            outcome: Outcome::Failed(kiln_agent::failure::internal(&detail)),
        };
        match self.step(&instance.job, lost).await {
            // A job that was deleted meanwhile needs no end.
            Err(JobError::Validation(_)) => Ok(()),
            settled => settled,
        }
    }

    fn find(&self, name: &str) -> Result<Option<Job>, JobError> {
        let stored = self.shared.plane.store.jobs.find(KIND, name)?;
        stored.map(|stored| self.read(stored)).transpose()
    }
}

impl Job {
    /// What is wanted of the instance of an attempt that evaluates a rule.
    pub(super) fn rule_orders(&self, position: usize, attempt: u32) -> Orders {
        match self.state.rules.is_wanted(position, attempt) {
            true => Orders {
                proceed: true,
                ..Orders::default()
            },
            false => Attempt::OVER,
        }
    }

    /// Adds the rules of a request that has more of them, all behind those that there
    /// are.
    pub(super) fn add_rules(
        &mut self,
        updated: CreateTrainingJobRequest,
        at: Timestamp,
    ) -> Result<(), String> {
        the_rules(&updated)?;
        let known = self.state.rules.iter().count();
        for rule in rules(&updated).iter().skip(known) {
            self.state.rules.add(&updated.training_job_name, rule, at);
        }
        self.request = updated;
        Ok(())
    }
}

/// What every rule's instance has of its machine.
fn claim() -> Claim {
    Claim {
        limits: SHARE.limits,
        gpus: Vec::new(),
    }
}

/// The instance of a rule in the attempt that is on.
fn instance(job: &Job, position: usize) -> Result<Instance, JobError> {
    let evaluation = job.state.rules.get(position);
    let name = evaluation.map(|evaluation| evaluation.job.as_str());
    Ok(Instance {
        id: new_instance_id(),
        kind: KIND.to_owned(),
        job: job.request.training_job_name.clone(),
        attempt: job.state.attempts,
        host: rule_name(position),
        log_stream: format!(
            "{}/algo-1-{}",
            name.unwrap_or_default(),
            job.state.stream_second
        ),
        claim: serde_json::to_string(&claim())?,
        delivered: 0,
    })
}
