//! What follows from a change of a job, in the world.
//!
//! It is gathered in the transaction of the change and carried out after it,
//! without another look at the store: by then the job may have been deleted, and
//! its name be another's.

use std::time::Duration;

use kiln_model::Timestamp;

use super::attempt::Attempt;
use super::state::Action;
use super::warm_pool::WarmPool;
use super::{Event, Job, KIND, TrainingJobs};

/// How long a job waits before its first retry. Each further one waits twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest wait before a retry.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What follows from one or more steps of a job.
#[derive(Debug, Default)]
pub(super) struct Consequence {
    action: Action,
    /// Instances whose room is free.
    freed: Vec<String>,
    /// The warm pool that is available or over now.
    pool: Option<WarmPool>,
    /// When the job must be looked at again.
    alarm: Option<Timestamp>,
    /// How long a job that is to be tried again rests before.
    pause: Option<Duration>,
}

impl Consequence {
    /// What follows from both, which happened in this order.
    pub(super) fn and(self, then: Self) -> Self {
        Self {
            action: self.action.max(then.action),
            freed: [self.freed, then.freed].concat(),
            pool: then.pool.or(self.pool),
            alarm: then.alarm.or(self.alarm),
            pause: then.pause.or(self.pause),
        }
    }
}

impl Job {
    /// Takes a step; answers what follows from it.
    pub(super) fn step(&mut self, event: Event, at: Timestamp) -> Consequence {
        let terms = self.terms();
        let instances = self.state.attempt.as_ref().map(|now| now.instances.clone());
        let retries = self.state.retries;
        let action = self.state.step(event, at, &terms);
        let action = self.settle_warm_pool(action, at);
        if action < Action::Requeue {
            return Consequence {
                action,
                ..Consequence::default()
            };
        }
        let is_over = self.state.attempt.as_ref().is_none_or(Attempt::is_over);
        let retried = self.state.retries > retries;
        Consequence {
            action,
            freed: instances.filter(|_| is_over).unwrap_or_default(),
            pool: self.state.warm_pool.clone(),
            alarm: self.state.deadline(&terms),
            pause: retried.then(|| pause(self.state.retries)),
        }
    }
}

impl TrainingJobs {
    /// Does in the world what follows from a change of a job.
    pub(super) fn carry_out(&self, name: &str, consequence: Consequence) {
        let Consequence {
            action,
            freed,
            pool,
            alarm,
            pause,
        } = consequence;
        if action >= Action::Requeue {
            self.shared.plane.release(freed.iter().map(String::as_str));
            if let Some(pool) = &pool {
                self.tend_warm_pool(name, pool);
            }
            if let Some(alarm) = alarm {
                self.set_alarm_at(name, alarm);
            }
        }
        if action == Action::Requeue {
            self.requeue(name.to_owned(), pause);
        }
        if action >= Action::Tell {
            self.shared.plane.tell();
        }
    }

    /// A job that is to be tried again goes on where it was in the queue, after a
    /// rest; one that was interrupted stands behind all others.
    fn requeue(&self, name: String, pause: Option<Duration>) {
        let Some(pause) = pause else {
            self.shared.plane.enqueue(KIND, &name);
            return;
        };
        let this = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            this.shared.plane.queue().push_first(KIND, name);
            this.shared.plane.wake.notify_one();
        });
    }
}

fn pause(retry: u32) -> Duration {
    let doubled = 1 << retry.saturating_sub(1).min(16);
    (FIRST_PAUSE * doubled).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_retry_waits_longer_up_to_a_minute() {
        for (retry, millis) in [(1, 500), (2, 1000), (4, 4000), (9, 60_000), (30, 60_000)] {
            assert_eq!(pause(retry).as_millis(), millis);
        }
    }
}
