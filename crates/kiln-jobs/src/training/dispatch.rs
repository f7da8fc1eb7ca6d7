//! From the first place in the queue to running instances.
//!
//! All instances of an attempt are written down in the transaction that says that
//! the job is placed, before any of their agents is started.

use std::sync::Arc;
use std::time::Duration;

use kiln_agent::cluster::{Cluster, Host};
use kiln_agent::plan::Plan;
use kiln_engine::{Claim, Share};
use kiln_store::Instance;

use super::hosts::{self, HostSpec, Role};
use super::instances::session;
use super::plan::{Placement, build};
use super::warm_pools::Allocation;
use super::{Event, Job, KIND, TrainingJobs, request};
use crate::plane::{Launch, Want, attend, new_instance_id, now};
use crate::{JobError, Party};

const NOT_WAITING: &str = "the job waits no longer";

/// What came of writing a placement down.
enum Placing {
    /// The job is placed on these instances.
    Placed(Box<Job>, Vec<Instance>),
    /// The room was a warm pool's that cannot be had any more.
    PoolGone,
    /// The job waits no longer.
    NotWaiting,
}

impl TrainingJobs {
    /// Launches a job that is first in the queue.
    pub(super) async fn launch_first(&self, name: &str) -> Result<Launch, JobError> {
        let Some(stored) = self.shared.plane.store.jobs.find(KIND, name)? else {
            return Ok(Launch::Settled);
        };
        let job = self.read(stored)?;
        // It may have been stopped, or deleted and created again, since it came.
        if !job.state.is_waiting() {
            return Ok(Launch::Settled);
        }
        let hosts = hosts::hosts(job.request.resource_config.as_ref());
        let types: Vec<_> = hosts
            .iter()
            .map(|host| host.instance_type.as_str())
            .collect();
        let fit = match self.shared.plane.engine.fit(&types) {
            Ok(fit) => fit,
            Err(refusal) => {
                self.step(name, Event::Refused(refusal.to_string())).await?;
                return Ok(Launch::Settled);
            }
        };
        let wanted: Vec<(String, Share)> = fit
            .shares
            .into_iter()
            .map(|share| (new_instance_id(), share))
            .collect();
        let Some(allocation) = self.allocate(&job, &wanted)? else {
            return Ok(Launch::NoRoom(Want {
                patient: job.terms().spot,
                instances: wanted,
            }));
        };
        let placed = self.place(&job, &hosts, &allocation, fit.remark).await;
        if !matches!(placed, Ok(Placing::Placed(..))) {
            self.shared
                .plane
                .release(allocation.set_aside().iter().map(String::as_str));
        }
        let (job, instances) = match placed? {
            Placing::Placed(job, instances) => (job, instances),
            Placing::PoolGone => return Ok(Launch::Late),
            Placing::NotWaiting => return Ok(Launch::Settled),
        };
        if let Err(error) = self.place_rules(name).await {
            tracing::error!(job = name, %error, "the rules of a job could not be placed");
        }
        self.begin_all(&job, &instances).await;
        Ok(Launch::Settled)
    }

    /// Writes down that the job is placed on these instances; answers the job as
    /// it is placed, for it may have been changed since it was looked at.
    async fn place(
        &self,
        job: &Job,
        hosts: &[HostSpec],
        allocation: &Allocation,
        remark: Option<String>,
    ) -> Result<Placing, JobError> {
        let name = &job.request.training_job_name;
        let at = now();
        // Attempts that begin in the same second have logs of their own all the same.
        let epoch = at
            .millis()
            .div_euclid(1000)
            .max(job.state.stream_second + 1);
        let instance = |(host, (id, claim)): (&HostSpec, &(String, Claim))| {
            Ok(Instance {
                id: id.clone(),
                kind: KIND.to_owned(),
                job: name.clone(),
                attempt: job.state.attempts + 1,
                host: host.name.clone(),
                log_stream: format!("{name}/{}-{epoch}", host.name),
                claim: serde_json::to_string(claim)?,
                delivered: 0,
            })
        };
        let instances = hosts.iter().zip(&allocation.instances).map(instance);
        let instances = instances.collect::<Result<Vec<_>, JobError>>()?;
        let this = self.clone();
        let ids = instances.iter().map(|instance| instance.id.clone());
        let ids: Vec<_> = ids.collect();
        let pool = allocation.pool.clone();
        let placed = move |stored| {
            let mut job = this.read(stored)?;
            if !job.state.is_waiting() {
                return Err(JobError::NotFound(NOT_WAITING.to_owned()));
            }
            let instances = ids;
            job.step(Event::Placed { instances, remark }, at);
            job.state.stream_second = epoch;
            job.state.profile = request::profile_path(&job.request);
            job.state.warm_pool = pool.or(job.state.warm_pool);
            Ok((job.change()?, job))
        };
        let placed = self.write_down(name, allocation, instances.clone(), placed);
        match placed.await {
            Ok(Some(job)) => Ok(Placing::Placed(Box::new(job), instances)),
            Ok(None) => Ok(Placing::PoolGone),
            // It was stopped, or deleted, since it was looked at.
            Err(JobError::NotFound(_)) => Ok(Placing::NotWaiting),
            Err(error) => Err(error),
        }
    }

    /// Starts the agents of all instances of an attempt.
    async fn begin_all(&self, job: &Job, instances: &[Instance]) {
        for instance in instances {
            let begun = self.begin(job, instances, instance).await;
            tokio::spawn(attend(Arc::new(self.clone()), instance.id.clone()));
            if let Err(error) = begun {
                // Should this fail too, it is tried again when the agent is gone.
                if let Err(error) = self.give_up(&instance.id, &error.to_string()).await {
                    tracing::error!(instance = instance.id, %error, "a loss is not written down yet");
                }
            }
        }
    }

    /// Starts the agent of a placed instance. `attempt` is all instances of its
    /// attempt.
    pub(super) async fn begin(
        &self,
        job: &Job,
        attempt: &[Instance],
        instance: &Instance,
    ) -> Result<(), JobError> {
        if let Some(Role::Rule(rule)) = Role::of(&instance.host) {
            return self.begin_rule(job, rule, instance).await;
        }
        let id = &instance.id;
        let cluster = cluster(attempt, instance);
        let placement = Placement {
            settings: &self.shared.plane.settings,
            arn: &job.arn,
            cluster_key: self.shared.plane.keys.cluster_key(&cluster),
            cluster,
            attempt: instance.attempt,
            token: &self.shared.plane.keys.agent_token(id),
            server: self.shared.plane.server_id(),
            keys: self.shared.plane.issue(session(instance, Party::Work)),
            agent_keys: self.shared.plane.issue(session(instance, Party::Agent)),
            claim: serde_json::from_str(&instance.claim)?,
            warm_pool_cache: self.warm_pool_cache(job, &instance.host)?,
            runtime: Duration::from_millis(job.state.remaining(&job.terms()).unsigned_abs()),
        };
        let plan = build(&job.request, placement).map_err(JobError::Internal)?;
        let plan = Plan::Training(Box::new(plan));
        Ok(self.shared.plane.engine.place(&plan).await?)
    }

    /// Tells a job that there is no room for it.
    pub(super) async fn tell_that_it_waits(&self, name: &str) -> Result<(), JobError> {
        let waiting = self.shared.plane.store.jobs.find(KIND, name).ok().flatten();
        let job = waiting.and_then(|stored| self.read(stored).ok());
        let must_know =
            job.is_some_and(|job| job.state.is_waiting() && !job.state.knows_that_it_waits());
        match must_know {
            true => self.step(name, Event::Waiting).await,
            false => Ok(()),
        }
    }
}

/// The cluster of an attempt, as one of its instances sees it.
fn cluster(attempt: &[Instance], instance: &Instance) -> Cluster {
    let mut hosts: Vec<_> = attempt
        .iter()
        .filter(|one| hosts::position(&one.host).is_some())
        .map(|one| Host {
            name: one.host.clone(),
            instance: one.id.clone(),
        })
        .collect();
    hosts.sort_by_key(|host| hosts::position(&host.name));
    let own = hosts.iter().position(|host| host.instance == instance.id);
    Cluster {
        own: own.unwrap_or_default(),
        hosts,
    }
}

#[cfg(test)]
#[path = "dispatch_tests.rs"]
mod tests;
