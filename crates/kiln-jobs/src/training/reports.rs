//! What agents report, taken in exactly once.
//!
//! Log lines become durable before anything else a delivery says, and metrics
//! before what it means for the job, so that who sees a job's end can read its
//! whole log and all its metrics. Each step knows which numbers it has taken in,
//! so a delivery that was cut short between two is simply repeated.

use std::time::Duration;

use kiln_agent::report::{Numbered, Orders, Receipt, Report};
use kiln_store::{Delivery, Instance, NewEvent, StoreError};

use super::attempt::Attempt;
use super::consequence::Consequence;
use super::hosts::Role;
use super::instances::session;
use super::metrics::{gather, has_time_series, trial_component};
use super::rules::RULE_LOG_GROUP;
use super::scope::Access;
use super::{Event, LOG_GROUP, TrainingJobs, instant, now, request, settle};
use crate::{JobError, Party};

/// How long an agent's question for orders is held open.
const ORDERS_WAIT: Duration = Duration::from_secs(20);

/// Why an agent is not heard.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The instance is unknown, or the token is not its own.
    #[error("there is no such instance")]
    Unknown,
    /// The control plane failed; the agent tries again.
    #[error(transparent)]
    Failed(#[from] JobError),
}

impl TrainingJobs {
    /// Takes in a delivery of reports from the instance's agent.
    ///
    /// # Errors
    /// See [`ReportError`].
    pub async fn report(
        &self,
        id: &str,
        token: &str,
        reports: Vec<Numbered>,
    ) -> Result<Receipt, ReportError> {
        self.authenticate(id, token)?;
        let delivered = reports.last().map_or(0, |report| report.n);
        self.take_in(id, reports).await?;
        Ok(Receipt { delivered })
    }

    /// Waits a while until the instance's orders are others than those that its
    /// agent knows.
    ///
    /// # Errors
    /// See [`ReportError`].
    pub async fn orders(
        &self,
        id: &str,
        token: &str,
        known: Orders,
    ) -> Result<Option<Orders>, ReportError> {
        let instance = self.authenticate(id, token)?;
        let mut told = self.shared.told.subscribe();
        let waited = tokio::time::timeout(ORDERS_WAIT, async {
            loop {
                let orders = self.orders_of(&instance)?;
                if orders != known {
                    return Ok(orders);
                }
                // The sender lives as long as we do.
                let _ = told.changed().await;
            }
        });
        waited.await.ok().transpose()
    }

    /// Whether the instance's agent may read an object.
    ///
    /// # Errors
    /// See [`ReportError`].
    pub fn may_read(
        &self,
        id: &str,
        token: &str,
        (bucket, key): (&str, &str),
    ) -> Result<bool, ReportError> {
        let instance = self.authenticate(id, token)?;
        let scope = self.scope(&session(&instance, Party::Agent))?;
        Ok(scope.is_some_and(|scope| scope.allows(Access::Read, bucket, key)))
    }

    pub(super) fn orders_of(&self, instance: &Instance) -> Result<Orders, JobError> {
        let stored = self.shared.store.jobs.find(&instance.kind, &instance.job)?;
        let job = stored.map(|stored| self.read(stored)).transpose()?;
        Ok(match (job, Role::of(&instance.host)) {
            (Some(job), Some(Role::Rule(rule))) => job.rule_orders(rule, instance.attempt),
            (Some(job), Some(Role::Host(host))) => Orders {
                profiler_off: request::profiling_interval(&job.request).is_none(),
                ..job.state.orders(instance.attempt, host)
            },
            _ => Attempt::OVER,
        })
    }

    fn authenticate(&self, id: &str, token: &str) -> Result<Instance, ReportError> {
        let instance = self
            .shared
            .store
            .instances
            .find(id)
            .map_err(JobError::from)?;
        let genuine = self.shared.keys.is_agent_token(id, token);
        instance.filter(|_| genuine).ok_or(ReportError::Unknown)
    }

    /// Takes in reports, those that were taken in before included.
    pub(super) async fn take_in(&self, id: &str, reports: Vec<Numbered>) -> Result<(), JobError> {
        let Some(instance) = self.shared.store.instances.find(id)? else {
            return Ok(());
        };
        let Some(last) = reports.last().map(|report| report.n) else {
            return Ok(());
        };
        let Some(role) = Role::of(&instance.host) else {
            return Ok(());
        };
        let mut lines = Vec::new();
        let mut events = Vec::new();
        let mut metrics = Delivery::default();
        for Numbered { n, at, report } in reports {
            match report {
                Report::Log(message) => lines.push((n, NewEvent { at, message })),
                report => {
                    if let Role::Host(_) = role {
                        gather(&mut metrics, &instance, (n, at), &report);
                    }
                    let event = event(role, instance.attempt, report);
                    events.extend(event.map(|event| (n, at, event)));
                }
            }
        }
        let group = match role {
            Role::Host(_) => LOG_GROUP,
            Role::Rule(_) => RULE_LOG_GROUP,
        };
        let logs = &self.shared.store.logs;
        logs.deliver(id, group, &instance.log_stream, lines, now().millis())
            .await?;
        self.take_in_metrics(&instance, last, metrics).await?;
        if events.is_empty() {
            return Ok(());
        }
        let (this, job) = (self.clone(), instance.job.clone());
        settle(async move {
            let consequence = this.follow(&instance, last, events).await?;
            this.carry_out(&job, consequence);
            Ok(())
        })
        .await
    }

    /// Keeps metrics; value by value too, where the job asks for that.
    async fn take_in_metrics(
        &self,
        instance: &Instance,
        last: u64,
        mut metrics: Delivery,
    ) -> Result<(), JobError> {
        if metrics.points.is_empty() {
            return Ok(());
        }
        let stored = self.shared.store.jobs.find(&instance.kind, &instance.job)?;
        let job = stored.map(|stored| self.read(stored)).transpose()?;
        if !job.is_some_and(|job| has_time_series(&job.request)) {
            metrics.trial.clear();
        }
        metrics.component = trial_component(&instance.job);
        let seconds = now().millis().div_euclid(1000);
        let store = &self.shared.store.metrics;
        store.deliver(&instance.id, last, metrics, seconds).await?;
        Ok(())
    }

    /// Steps the instance's job through what happened; answers what follows.
    async fn follow(
        &self,
        instance: &Instance,
        last: u64,
        events: Vec<(u64, i64, Event)>,
    ) -> Result<Consequence, JobError> {
        let this = self.clone();
        let attempt = instance.attempt;
        let stepped = self
            .shared
            .store
            .instances
            .deliver(&instance.id, last, move |before, stored| {
                let mut job = this.read(stored)?;
                if job.state.attempts != attempt {
                    return Ok((None, Consequence::default()));
                }
                let mut consequence = Consequence::default();
                for (_, at, event) in events.into_iter().filter(|(n, ..)| *n > before) {
                    consequence = consequence.and(job.step(event, instant(at)));
                }
                Ok((Some(job.change()?), consequence))
            })
            .await;
        match stepped {
            // The job was deleted after it ended: nothing is left to step.
            Err(Stepping(JobError::NotFound(_))) => Ok(Consequence::default()),
            Err(Stepping(error)) => Err(error),
            Ok(consequence) => Ok(consequence),
        }
    }
}

/// What a report of an instance means for its job, other than a line of its log.
fn event(role: Role, attempt: u32, report: Report) -> Option<Event> {
    Some(match (role, report) {
        (Role::Host(host), Report::Stage(stage)) => Event::Stage(host, stage),
        (Role::Host(_), Report::Metric { name, value }) => Event::Metric { name, value },
        (Role::Host(host), Report::Failing(reason)) => Event::Failing(host, reason),
        (Role::Host(host), Report::Ended(ending)) => Event::Ended(host, ending),
        (Role::Rule(rule), Report::Ended(ending)) => Event::RuleEnded {
            rule,
            attempt,
            outcome: ending.outcome,
        },
        _ => return None,
    })
}

/// A [`JobError`] that keeps a missing job apart from a failing store.
struct Stepping(JobError);

impl From<JobError> for Stepping {
    fn from(error: JobError) -> Self {
        Self(error)
    }
}

impl From<StoreError> for Stepping {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NoSuchResource => Self(JobError::NotFound(error.to_string())),
            other => Self(other.into()),
        }
    }
}

impl From<kiln_store::SqliteError> for Stepping {
    fn from(error: kiln_store::SqliteError) -> Self {
        Self(error.into())
    }
}
