//! Time limits that the control plane keeps itself.
//!
//! A limit is a time of day that follows from the job's state, so that it
//! survives a restart. Waiting for it is done on a clock that is never set.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kiln_model::Timestamp;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::{RETRY_AFTER, until};

/// How soon after a restart agents are heard, or what they left is read.
const HEARD_WITHIN: Duration = Duration::from_secs(5);

/// Which jobs of a kind must be looked at when.
#[derive(Debug, Default)]
pub(crate) struct Alarms {
    waiting: Mutex<BTreeMap<(Instant, u64), String>>,
    set: Notify,
}

impl Alarms {
    fn waiting(&self) -> MutexGuard<'_, BTreeMap<(Instant, u64), String>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a job looked at then.
    pub(crate) fn set_at(&self, deadline: Timestamp, name: String) {
        self.set(Instant::now() + until(deadline), name);
    }

    /// The same after a restart; a job that ran while nobody kept time gets some to say
    /// how it has ended.
    pub(crate) fn set_after_restart(&self, deadline: Timestamp, name: String, ran: bool) {
        let patience = if ran { HEARD_WITHIN } else { Duration::ZERO };
        self.set(Instant::now() + until(deadline).max(patience), name);
    }

    /// Has a job looked at once more, since it could not be.
    pub(crate) fn set_again(&self, name: String) {
        self.set(Instant::now() + RETRY_AFTER, name);
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
    pub(crate) async fn next(&self) -> String {
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
