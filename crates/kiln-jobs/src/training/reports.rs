//! What agents report, taken in exactly once.
//!
//! Log lines become durable before anything else a delivery says, and metrics
//! before what it means for the job, so that who sees a job's end can read its
//! whole log and all its metrics. Each step knows which numbers it has taken in,
//! so a delivery that was cut short between two is simply repeated.

use kiln_agent::report::{Numbered, Orders, Report};
use kiln_store::{Delivery, Instance, NewEvent};

use super::attempt::Attempt;
use super::consequence::Consequence;
use super::hosts::Role;
use super::metrics::{gather, has_time_series, trial_component};
use super::rules::RULE_LOG_GROUP;
use super::{Event, LOG_GROUP, TrainingJobs, request};
use crate::JobError;
use crate::plane::{Stepping, instant, now, settle};

impl TrainingJobs {
    /// What is wanted of an instance.
    pub(super) fn orders_for(&self, instance: &Instance) -> Result<Orders, JobError> {
        let stored = self
            .shared
            .plane
            .store
            .jobs
            .find(&instance.kind, &instance.job)?;
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

    /// Takes in reports, those that were taken in before included.
    pub(super) async fn hear(&self, id: &str, reports: Vec<Numbered>) -> Result<(), JobError> {
        let Some(instance) = self.shared.plane.store.instances.find(id)? else {
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
        let plane = &self.shared.plane;
        plane.keep_lines(&instance, group, lines).await?;
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
        let stored = self
            .shared
            .plane
            .store
            .jobs
            .find(&instance.kind, &instance.job)?;
        let job = stored.map(|stored| self.read(stored)).transpose()?;
        if !job.is_some_and(|job| has_time_series(&job.request)) {
            metrics.trial.clear();
        }
        metrics.component = trial_component(&instance.job);
        let seconds = now().millis().div_euclid(1000);
        let store = &self.shared.plane.store.metrics;
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
            .plane
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
