//! A training job's state machine.
//!
//! ```text
//!                ┌────────────────── an attempt, InProgress ──────────────────┐
//! create ─▶ Starting ─▶ Pending ─▶ Downloading ─▶ Training ─▶ Uploading ─▶ Completed
//!            ▲   ▲          │           │             │            │
//!            │   └─ Restarting ◀────────┴── the platform failed ───┤     ─▶ Failed
//!            └───── Interrupted ◀───────┴── spot ─────┤            │
//!                           ▼           ▼             ▼            ▼
//!                         Stopping ─▶ Stopped, MaxRuntimeExceeded, MaxWaitTimeExceeded
//! ```
//!
//! It is a pure function of its state, an event, the time and the job's terms.
//! Every event that does not fit the state (late, repeated, out of order)
//! changes nothing, and a terminal state is left by none. What an attempt's
//! hosts do together is decided by [`Attempt`].

use std::collections::BTreeMap;

use kiln_agent::report::{Ending, Orders, Outcome, Stage};
use kiln_model::Timestamp;
use kiln_model::api::{SecondaryStatus, SecondaryStatusTransition, TrainingJobStatus};
use serde::{Deserialize, Serialize};

use super::attempt::{Attempt, Verdict};
pub use super::event::{Action, AlreadyEnded, Event};
use super::rule::{self, Rules};
use super::terms::Terms;
use super::warm_pool::WarmPool;

const STARTING: &str = "Starting the training job";
const STOPPING: &str = "Stopping the training job";

/// Everything that a training job's life has added to its request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainingState {
    /// The main status.
    pub status: TrainingJobStatus,
    /// When the create call was accepted.
    pub created: Timestamp,
    /// When anything last changed.
    pub modified: Timestamp,
    /// When the first download began.
    pub started: Option<Timestamp>,
    /// When the last status was reached.
    pub ended: Option<Timestamp>,
    /// Every secondary status there has been; the last one is in force.
    pub transitions: Vec<SecondaryStatusTransition>,
    /// Why it failed.
    pub failure_reason: Option<String>,
    /// Whether the output archives are in S3.
    pub stored: bool,
    /// The last value of each metric.
    pub metrics: BTreeMap<String, LastMetric>,
    /// How many times instances were placed for it.
    pub attempts: u32,
    /// How many of the attempts followed a failure of the platform.
    pub retries: u32,
    /// The attempt that is on. Without one the job waits in the queue, unless it
    /// has ended.
    pub attempt: Option<Attempt>,
    /// Since when it has waited, or had waited when its attempt began.
    pub queued: Timestamp,
    /// Milliseconds for which earlier attempts ran.
    pub used: i64,
    /// The second that is in the names of the last attempt's log streams.
    pub stream_second: i64,
    /// Where the instances of the last attempt store their profile, if they were
    /// told to.
    pub profile: Option<String>,
    /// Whether a host of the last attempt was lost, which may leave its machine unfit
    /// to be used again at once.
    pub lost: bool,
    /// The warm pool that it has or had.
    pub warm_pool: Option<WarmPool>,
    /// The rules that watch it.
    #[serde(default)]
    pub rules: Rules,
    /// The id of its role, if that had been created here: with the role its keys end.
    #[serde(default)]
    pub role: Option<String>,
}

/// The last value that a metric definition found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LastMetric {
    /// The value, in single precision as the cloud keeps it.
    pub value: f32,
    /// When its line was written.
    pub at: Timestamp,
}

impl TrainingState {
    /// A job whose create call is accepted now.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        let mut state = Self {
            status: TrainingJobStatus::InProgress,
            created: now,
            modified: now,
            started: None,
            ended: None,
            transitions: Vec::new(),
            failure_reason: None,
            stored: false,
            metrics: BTreeMap::new(),
            attempts: 0,
            retries: 0,
            attempt: None,
            queued: now,
            used: 0,
            stream_second: 0,
            profile: None,
            lost: false,
            warm_pool: None,
            rules: Rules::default(),
            role: None,
        };
        state.enter(SecondaryStatus::Starting, STARTING, now);
        state
    }

    /// The secondary status in force.
    #[must_use]
    pub fn secondary(&self) -> SecondaryStatus {
        self.transitions
            .last()
            .map_or(SecondaryStatus::Starting, |last| last.status)
    }

    /// Whether nothing can happen to it any more.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        self.ended.is_some()
    }

    /// Whether it stands in the queue: it has no attempt, and has not ended.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.attempt.is_none() && !self.is_terminal()
    }

    /// Whether it knows that there is no room for it.
    #[must_use]
    pub fn knows_that_it_waits(&self) -> bool {
        self.secondary() == SecondaryStatus::Pending
    }

    /// What is wanted of one of its hosts in one of its attempts.
    #[must_use]
    pub fn orders(&self, attempt: u32, host: usize) -> Orders {
        match &self.attempt {
            Some(now) if attempt == self.attempts => now.orders(host),
            // That attempt is over, and its instances may go.
            _ => Attempt::OVER,
        }
    }

    /// Whether what it has recorded can be evaluated.
    #[must_use]
    pub fn can_be_evaluated(&self) -> bool {
        use SecondaryStatus::{Training, Uploading};
        self.is_terminal() || matches!(self.secondary(), Training | Uploading)
    }

    /// When it or its rules must be stopped, or its warm pool ends, if nothing happens
    /// before.
    #[must_use]
    pub fn deadline(&self, terms: &Terms) -> Option<Timestamp> {
        if self.status != TrainingJobStatus::InProgress {
            let pool = self.warm_pool.as_ref().and_then(WarmPool::end);
            let rules = self.ended.and_then(|ended| self.rules.deadline(ended));
            return pool.into_iter().chain(rules).min();
        }
        let after = |since: Timestamp, millis: i64| {
            Timestamp::from_millis(since.millis().saturating_add(millis)).ok()
        };
        let wait = terms.wait.and_then(|millis| after(self.created, millis));
        let pending = terms.pending.filter(|_| self.is_waiting());
        let pending = pending.and_then(|millis| after(self.queued, millis));
        wait.into_iter().chain(pending).min()
    }

    /// Milliseconds for which it may still run.
    #[must_use]
    pub fn remaining(&self, terms: &Terms) -> i64 {
        (terms.runtime - self.used).max(0)
    }

    /// Takes a step.
    pub fn step(&mut self, event: Event, at: Timestamp, terms: &Terms) -> Action {
        if let Some(ended) = self.ended {
            return self.step_after(ended, event, at);
        }
        match event {
            Event::Waiting => self.wait(at),
            Event::Refused(reason) => return self.refuse(reason, at),
            Event::Placed { instances, remark } => self.place(instances, remark, at),
            Event::Stage(host, stage) => return self.follow(host, stage, at),
            Event::Metric { name, value } => {
                self.metrics.insert(name, LastMetric { value, at });
            }
            Event::StopRequested => {
                self.rules.stop(rule::BY_USER, at);
                return self.stop(Verdict::Stopped, at);
            }
            Event::Reclaimed => return self.interrupt(at),
            Event::Failing(host, reason) => return self.fail(host, reason),
            Event::Ended(host, ending) => return self.end(host, ending, at, terms),
            Event::Lost(host, reason) => {
                self.lost = true;
                let ending = Ending {
                    outcome: Outcome::Failed(reason),
                    stored: false,
                };
                return self.end(host, ending, at, terms);
            }
            Event::RuleEnded {
                rule,
                attempt,
                outcome,
            } => self.rules.end(rule, attempt, outcome, at),
            Event::Tick => return self.keep_time(at, terms),
        }
        Action::Nothing
    }

    /// Takes a step after its end, when only its rules go on.
    fn step_after(&mut self, ended: Timestamp, event: Event, at: Timestamp) -> Action {
        match event {
            Event::RuleEnded {
                rule,
                attempt,
                outcome,
            } => self.rules.end(rule, attempt, outcome, at),
            Event::Tick if self.rules.keep_time(ended, at) => return Action::Tell,
            _ => {}
        }
        Action::Nothing
    }

    fn wait(&mut self, at: Timestamp) {
        if self.is_waiting() && !self.knows_that_it_waits() {
            self.enter(
                SecondaryStatus::Pending,
                "Training job waiting for capacity",
                at,
            );
        }
    }

    fn refuse(&mut self, reason: String, at: Timestamp) -> Action {
        if self.is_waiting() {
            self.conclude(Some(Verdict::Failed(reason)), at);
            return Action::Finish;
        }
        Action::Nothing
    }

    fn place(&mut self, instances: Vec<String>, remark: Option<String>, at: Timestamp) {
        if !self.is_waiting() {
            return;
        }
        self.attempts += 1;
        self.attempt = Some(Attempt::new(instances));
        self.lost = false;
        let preparing = "Preparing the instances for training";
        let message = match remark {
            None => preparing.to_owned(),
            Some(remark) => format!("{preparing} ({remark})"),
        };
        self.enter(SecondaryStatus::Pending, &message, at);
    }

    fn follow(&mut self, host: usize, stage: Stage, at: Timestamp) -> Action {
        let Some(attempt) = &mut self.attempt else {
            return Action::Nothing;
        };
        let advanced = attempt.advance(host, stage);
        let undecided = attempt.verdict.is_none();
        if undecided && self.status == TrainingJobStatus::InProgress {
            match (stage, advanced) {
                // A host's own time limit. Others stop because they are told to.
                (Stage::Stopping, _) => {
                    attempt.stop(Verdict::MaxRuntimeExceeded);
                    self.begin_to_stop(at);
                    return Action::Tell;
                }
                (_, Some(stage)) => self.show(stage, at),
                (_, None) => {}
            }
        }
        match self.can_be_evaluated() && !self.rules.is_empty() {
            true => Action::Tell,
            false => Action::Nothing,
        }
    }

    /// Shows the stage that all hosts have reached.
    fn show(&mut self, stage: Stage, at: Timestamp) {
        let (status, message) = match stage {
            Stage::Preparing | Stage::Stopping => return,
            Stage::Downloading => (SecondaryStatus::Downloading, "Downloading input data"),
            Stage::DownloadingImage => (
                SecondaryStatus::Downloading,
                "Downloading the training image",
            ),
            Stage::Working => (
                SecondaryStatus::Training,
                "Training image download completed. Training in progress.",
            ),
            Stage::Uploading => (
                SecondaryStatus::Uploading,
                "Uploading generated training model",
            ),
        };
        self.enter(status, message, at);
        if stage > Stage::Preparing {
            let began = self.modified;
            self.started.get_or_insert(began);
            if let Some(attempt) = &mut self.attempt {
                attempt.began.get_or_insert(began);
            }
        }
    }

    fn begin_to_stop(&mut self, at: Timestamp) {
        self.status = TrainingJobStatus::Stopping;
        self.enter(SecondaryStatus::Stopping, STOPPING, at);
    }

    fn stop(&mut self, verdict: Verdict, at: Timestamp) -> Action {
        if self.status == TrainingJobStatus::InProgress {
            self.begin_to_stop(at);
        }
        match &mut self.attempt {
            Some(attempt) => {
                attempt.stop(verdict);
                Action::Tell
            }
            None => {
                self.conclude(Some(verdict), at);
                Action::Finish
            }
        }
    }

    fn interrupt(&mut self, at: Timestamp) -> Action {
        let in_progress = self.status == TrainingJobStatus::InProgress;
        let undecided = self
            .attempt
            .as_mut()
            .filter(|attempt| in_progress && attempt.verdict.is_none());
        let Some(attempt) = undecided else {
            return Action::Nothing;
        };
        attempt.decide(Verdict::Interrupted);
        self.enter(
            SecondaryStatus::Interrupted,
            "Training job interrupted because its spot capacity is needed",
            at,
        );
        Action::Tell
    }

    fn keep_time(&mut self, at: Timestamp, terms: &Terms) -> Action {
        if self.deadline(terms).is_none_or(|deadline| at < deadline) {
            return Action::Nothing;
        }
        let waited = at.millis().saturating_sub(self.created.millis());
        let verdict = match terms.wait {
            Some(wait) if waited >= wait => Verdict::MaxWaitTimeExceeded,
            _ => Verdict::MaxPendingTimeExceeded,
        };
        self.stop(verdict, at)
    }

    fn fail(&mut self, host: usize, reason: String) -> Action {
        let Some(attempt) = &mut self.attempt else {
            return Action::Nothing;
        };
        attempt.fail(host, reason);
        Action::Tell
    }

    fn end(&mut self, host: usize, ending: Ending, at: Timestamp, terms: &Terms) -> Action {
        let Some(attempt) = &mut self.attempt else {
            return Action::Nothing;
        };
        if !attempt.end(host, ending) {
            return Action::Nothing;
        }
        if !attempt.is_over() {
            return Action::Tell;
        }
        self.settle(at, terms)
    }

    /// The attempt is over: the job ends with it, or waits for another one.
    fn settle(&mut self, at: Timestamp, terms: &Terms) -> Action {
        let Some(attempt) = self.attempt.take() else {
            return Action::Nothing;
        };
        let at = at.max(self.modified);
        if let Some(began) = attempt.began {
            self.used += at.millis() - began.millis();
        }
        self.stored = attempt.is_stored();
        match attempt.verdict {
            // Whatever was wanted of it meanwhile, its work is done.
            Some(Verdict::Interrupted) if attempt.is_complete() => self.conclude(None, at),
            Some(Verdict::Interrupted) => {
                self.enter(SecondaryStatus::Starting, STARTING, at);
                return self.requeue(at, terms);
            }
            Some(Verdict::Failed(reason)) if self.may_retry(&reason, terms) => {
                self.retries += 1;
                self.enter(
                    SecondaryStatus::Restarting,
                    "Restarting the training job after an internal error",
                    at,
                );
                return self.requeue(at, terms);
            }
            verdict => self.conclude(verdict, at),
        }
        Action::Finish
    }

    fn may_retry(&self, reason: &str, terms: &Terms) -> bool {
        self.status == TrainingJobStatus::InProgress
            && self.retries < terms.retries
            && kiln_agent::failure::is_internal(reason)
    }

    fn requeue(&mut self, at: Timestamp, terms: &Terms) -> Action {
        self.queued = at;
        if self.remaining(terms) == 0 {
            return self.stop(Verdict::MaxRuntimeExceeded, at);
        }
        self.rules.call_back();
        Action::Requeue
    }

    fn conclude(&mut self, verdict: Option<Verdict>, at: Timestamp) {
        // Whatever a job does once it is stopping, it ends stopped.
        let stopping = self.status == TrainingJobStatus::Stopping;
        let verdict = match verdict {
            Some(verdict) if verdict.is_stop() => Some(verdict),
            _ if stopping => Some(Verdict::Stopped),
            other => other,
        };
        let (status, secondary, message) = Verdict::shown(verdict.as_ref());
        if let Some(Verdict::Failed(reason)) = verdict {
            self.failure_reason = Some(reason);
        }
        self.status = status;
        self.enter(secondary, message, at);
        let end = self.modified;
        if let Some(last) = self.transitions.last_mut() {
            last.end_time = Some(end);
        }
        self.ended = Some(end);
        let mut passed = self.transitions.iter();
        let has_trained = passed.any(|one| one.status == SecondaryStatus::Training);
        self.rules.outlive(has_trained, end);
    }

    /// Enters a secondary status, or changes the message of the one in force.
    fn enter(&mut self, status: SecondaryStatus, message: &str, at: Timestamp) {
        // Clocks of agent and server may differ by a little; time never steps back.
        let at = at.max(self.modified);
        self.modified = at;
        if let Some(last) = self.transitions.last_mut() {
            if last.status == status {
                last.status_message = Some(message.to_owned());
                return;
            }
            last.end_time = Some(at);
        }
        self.transitions.push(SecondaryStatusTransition {
            status,
            start_time: at,
            end_time: None,
            status_message: Some(message.to_owned()),
        });
    }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
