//! A warm pool as the jobs see it that it passes through.
//!
//! ```text
//! placed ─▶ InUse ─▶ Available ─▶ Reused      a matching job has it now
//!             │          └──────▶ Terminated  its time is over, or its user said so
//!             └─────────────────▶ Terminated  nothing was to be kept, or is fit to be
//! ```
//!
//! Each job that holds a pool has a part of its own in the pool's life, which
//! goes through these stages once for each attempt. The pool itself goes on from
//! job to job for as long as each asks for that.

use kiln_engine::Claim;
use kiln_model::Timestamp;
use kiln_model::api::{WarmPoolResourceStatus, WarmPoolStatus};
use kiln_store::{Offer, WarmPoolEntry};
use serde::{Deserialize, Serialize};

/// The longest that a pool goes on from job to job, in milliseconds: 28 days.
const LONGEST_LIFE: i64 = 28 * 86_400_000;

/// A job's part in the life of a warm pool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WarmPool {
    /// The pool's name, unique for ever.
    pub id: String,
    /// When its first job got it.
    pub founded: Timestamp,
    /// What its hosts have of their machine, in their order.
    pub claims: Vec<Claim>,
    /// How far it has come with this job.
    pub stage: Stage,
}

/// How far a pool has come with a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Stage {
    /// The job runs on it.
    InUse,
    /// The job has ended, and another may have it.
    Available {
        /// When the job ended.
        since: Timestamp,
        /// When the pool ends.
        until: Timestamp,
    },
    /// Another job has it.
    Reused {
        /// That job's name.
        by: String,
        /// How many whole seconds it was kept.
        kept: i32,
    },
    /// It is no more.
    Terminated {
        /// How many whole seconds it was kept.
        kept: i32,
    },
}

/// A pool that cannot be had, or be kept for longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "The request was rejected because the warm pool of the training job is in status {0}. \
     KeepAlivePeriodInSeconds can be updated only while it is Available."
)]
pub struct NotAvailable(pub WarmPoolResourceStatus);

impl WarmPool {
    /// A pool that a job is the first to have.
    #[must_use]
    pub fn found(id: String, claims: Vec<Claim>, at: Timestamp) -> Self {
        Self {
            id,
            founded: at,
            claims,
            stage: Stage::InUse,
        }
    }

    /// The same pool, in the hands of the next job.
    #[must_use]
    pub fn passed_on(&self) -> Self {
        Self {
            stage: Stage::InUse,
            ..self.clone()
        }
    }

    /// The name under which the machine keeps room for a host of a pool.
    #[must_use]
    pub fn room(id: &str, position: usize) -> String {
        format!("{id}-{}", position + 1)
    }

    /// The names under which the machine keeps room for its hosts.
    pub fn rooms(&self) -> impl Iterator<Item = String> {
        let positions = 0..self.claims.len();
        positions.map(|position| Self::room(&self.id, position))
    }

    /// Whether it is this job that has it.
    #[must_use]
    pub fn is_held(&self) -> bool {
        matches!(self.stage, Stage::InUse | Stage::Available { .. })
    }

    /// Whether nobody has it any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Terminated { .. })
    }

    /// When it ends if nobody takes it.
    #[must_use]
    pub fn end(&self) -> Option<Timestamp> {
        match self.stage {
            Stage::Available { until, .. } => Some(until),
            _ => None,
        }
    }

    /// Since when nobody has used it, though somebody could.
    #[must_use]
    pub fn idle_since(&self) -> Option<Timestamp> {
        match self.stage {
            Stage::Available { since, .. } => Some(since),
            _ => None,
        }
    }

    /// The job's attempt is over. `keep` says for how many seconds its pool is to
    /// be kept, and is 0 if it is not.
    pub fn settle(&mut self, keep: u32, at: Timestamp) {
        if self.stage == Stage::InUse {
            self.keep(at, keep, at);
        }
    }

    /// The job's user wants it kept for so long after the job's end.
    ///
    /// # Errors
    /// When it is not available.
    pub fn keep_for(&mut self, seconds: u32, at: Timestamp) -> Result<(), NotAvailable> {
        let Stage::Available { since, .. } = self.stage else {
            return Err(NotAvailable(self.status().status));
        };
        self.keep(since, seconds, at);
        Ok(())
    }

    /// Another job takes it.
    ///
    /// # Errors
    /// When it is not available.
    pub fn give_to(&mut self, job: &str, at: Timestamp) -> Result<(), NotAvailable> {
        match self.stage {
            Stage::Available { since, until } if at < until => {
                self.stage = Stage::Reused {
                    by: job.to_owned(),
                    kept: whole_seconds(since, at),
                };
                Ok(())
            }
            _ => Err(NotAvailable(self.status().status)),
        }
    }

    /// Time has passed. Answers whether that was the end of it.
    pub fn expire(&mut self, at: Timestamp) -> bool {
        match self.stage {
            Stage::Available { since, until } if at >= until => {
                let kept = whole_seconds(since, until);
                self.stage = Stage::Terminated { kept };
                true
            }
            _ => false,
        }
    }

    fn keep(&mut self, since: Timestamp, seconds: u32, now: Timestamp) {
        let wanted = later(since, i64::from(seconds) * 1000);
        let until = wanted.min(later(self.founded, LONGEST_LIFE));
        self.stage = if until > now {
            Stage::Available { since, until }
        } else {
            let kept = whole_seconds(since, now);
            Stage::Terminated { kept }
        };
    }

    /// What the API says of it.
    #[must_use]
    pub fn status(&self) -> WarmPoolStatus {
        use WarmPoolResourceStatus as Status;
        let (status, kept, by) = match &self.stage {
            Stage::InUse => (Status::InUse, None, None),
            Stage::Available { .. } => (Status::Available, None, None),
            Stage::Reused { by, kept } => (Status::Reused, Some(*kept), Some(by.clone())),
            Stage::Terminated { kept } => (Status::Terminated, Some(*kept), None),
        };
        WarmPoolStatus {
            resource_retained_billable_time_in_seconds: kept,
            reused_by_job: by,
            ..WarmPoolStatus::new(status)
        }
    }

    /// What is written down of it beside its job. `key` is what jobs that may
    /// have it have in common.
    ///
    /// # Errors
    /// When its status cannot be written as JSON.
    pub fn entry(&self, key: Option<String>) -> Result<WarmPoolEntry, serde_json::Error> {
        let status = self.status();
        let until = self.end().map(Timestamp::millis);
        Ok(WarmPoolEntry {
            status: status.status.to_string(),
            document: serde_json::to_string(&status)?,
            pool: self.is_held().then(|| self.id.clone()),
            offer: key.zip(until).map(|(key, until)| Offer { key, until }),
        })
    }
}

fn later(at: Timestamp, millis: i64) -> Timestamp {
    Timestamp::from_millis(at.millis().saturating_add(millis)).unwrap_or(at)
}

fn whole_seconds(from: Timestamp, to: Timestamp) -> i32 {
    let millis = to.millis().saturating_sub(from.millis()).max(0);
    i32::try_from(millis / 1000).unwrap_or(i32::MAX)
}

#[cfg(test)]
#[path = "warm_pool_tests.rs"]
mod tests;
