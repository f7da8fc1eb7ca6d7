//! Time limits that the control plane keeps itself: how long a job may wait for
//! capacity, and how long a spot job may take in all.
//!
//! A limit is a time of day that follows from the job's state, so that it
//! survives a restart. Waiting for it is done on a clock that is never set.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kiln_model::Timestamp;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::{Event, Job, KIND, TrainingJobs, now};
use crate::JobError;

/// How long a limit that could not be kept for a failing store rests.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How soon after a restart agents are heard, or what they left is read.
const HEARD_WITHIN: Duration = Duration::from_secs(5);

/// Which jobs must be looked at when.
#[derive(Debug, Default)]
pub(super) struct Alarms {
    waiting: Mutex<BTreeMap<(Instant, u64), String>>,
    set: Notify,
}

impl Alarms {
    fn waiting(&self) -> MutexGuard<'_, BTreeMap<(Instant, u64), String>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, at: Instant, name: String) {
        let mut waiting = self.waiting();
        let mut number = 0;
        while waiting.contains_key(&(at, number)) {
            number += 1;
        }
        waiting.insert((at, number), name);
        drop(waiting);
        self.set.notify_one();
    }

    /// Waits for the next alarm, and answers whose it is.
    async fn next(&self) -> String {
        loop {
            let first = self.waiting().keys().next().map(|(at, _)| *at);
            let due = async {
                match first {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = due => {
                    if let Some((_, name)) = self.waiting().pop_first() {
                        return name;
                    }
                }
                () = self.set.notified() => {}
            }
        }
    }
}

impl TrainingJobs {
    /// Has the job looked at when its next limit passes, if it has one.
    pub(super) fn set_alarm(&self, job: &Job) {
        if let Some(deadline) = job.state.deadline(&job.terms()) {
            self.set_alarm_at(&job.request.training_job_name, deadline);
        }
    }

    /// The same, with time for those who ran while nobody kept time to say how they
    /// have ended.
    pub(super) fn set_alarm_after_restart(&self, job: &Job) {
        if let Some(deadline) = job.state.deadline(&job.terms()) {
            let patience = match job.state.attempt {
                Some(_) => HEARD_WITHIN,
                None => Duration::ZERO,
            };
            let at = Instant::now() + until(deadline).max(patience);
            let name = job.request.training_job_name.clone();
            self.shared.alarms.set(at, name);
        }
    }

    /// Has the job looked at then.
    pub(super) fn set_alarm_at(&self, name: &str, deadline: Timestamp) {
        let at = Instant::now() + until(deadline);
        self.shared.alarms.set(at, name.to_owned());
    }

    /// Stops jobs whose limits have passed, for ever.
    pub(super) async fn keep_time(self) {
        loop {
            let name = self.shared.alarms.next().await;
            if let Err(error) = self.look_at_clock(&name).await {
                tracing::error!(job = name, %error, "a time limit could not be kept yet");
                self.shared.alarms.set(Instant::now() + RETRY_AFTER, name);
            }
        }
    }

    async fn look_at_clock(&self, name: &str) -> Result<(), JobError> {
        let Some(stored) = self.shared.store.jobs.find(KIND, name)? else {
            return Ok(());
        };
        let job = self.read(stored)?;
        let Some(deadline) = job.state.deadline(&job.terms()) else {
            return Ok(());
        };
        if now() < deadline {
            // The alarm was an earlier one's, or the time of day was set back.
            self.set_alarm(&job);
            return Ok(());
        }
        self.step(name, Event::Tick).await
    }
}

fn until(deadline: Timestamp) -> Duration {
    let millis = deadline.millis().saturating_sub(now().millis());
    Duration::from_millis(millis.max(0).unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn alarms_ring_in_the_order_of_their_times() {
        let alarms = Alarms::default();
        let begun = Instant::now();
        for (seconds, name) in [(9, "late"), (3, "early"), (3, "too")] {
            alarms.set(begun + Duration::from_secs(seconds), name.to_owned());
        }
        let mut rung = Vec::new();
        for _ in 0..3 {
            rung.push((alarms.next().await, begun.elapsed().as_secs()));
        }
        let expected = [("early", 3), ("too", 3), ("late", 9)];
        assert_eq!(rung, expected.map(|(name, at)| (name.to_owned(), at)));
    }

    #[tokio::test(start_paused = true)]
    async fn an_earlier_alarm_is_not_missed() {
        let alarms = Alarms::default();
        let begun = Instant::now();
        alarms.set(begun + Duration::from_secs(60), "late".to_owned());
        let next = alarms.next();
        let sooner = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            alarms.set(begun + Duration::from_secs(2), "soon".to_owned());
        };
        let (name, ()) = tokio::join!(next, sooner);
        assert_eq!((name.as_str(), begun.elapsed().as_secs()), ("soon", 2));
    }
}
