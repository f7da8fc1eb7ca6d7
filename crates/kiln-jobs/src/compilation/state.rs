//! A compilation job's state machine.
//!
//! ```text
//! create ─▶ STARTING ─▶ INPROGRESS ─▶ COMPLETED
//!               │            ├──────▶ FAILED
//!               ▼            ▼
//!               └───▶ STOPPING ─────▶ STOPPED
//! ```
//!
//! It waits for its instance, and the instance makes everything ready, while it is
//! `STARTING`; once the compiler runs it is `INPROGRESS`. It can fail before that, and
//! it is stopped at once as long as it has no instance. What does not fit the state
//! (late, repeated, out of order) changes nothing, and a terminal state is left by none.

use kiln_agent::report::{Compiled, Cut, Ending, Orders, Outcome, Stage};
use kiln_model::Timestamp;
use kiln_model::api::CompilationJobStatus as Status;
use serde::{Deserialize, Serialize};

use super::terms::Terms;

/// What is wanted of an instance whose job is over, or is to be.
pub(super) const OVER: Orders = Orders {
    cut: Some(Cut::Stop),
    proceed: true,
    profiler_off: false,
};

/// Everything that a compilation job's life has added to its request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct CompilationState {
    /// The status.
    pub(super) status: Status,
    /// When the create call was accepted.
    pub(super) created: Timestamp,
    /// When the status last changed.
    pub(super) modified: Timestamp,
    /// When the compiler began.
    pub(super) started: Option<Timestamp>,
    /// When the last status was reached.
    pub(super) ended: Option<Timestamp>,
    /// Why it failed.
    pub(super) failure_reason: Option<String>,
    /// Its instance, once it has been placed.
    pub(super) instance: Option<String>,
    /// What came of it, apart from the artifact.
    pub(super) compiled: Option<Compiled>,
    /// Whether the artifact is in S3.
    pub(super) stored: bool,
    /// The id of its role, if that had been created here: with the role its keys end.
    pub(super) role: Option<String>,
}

/// What can happen to a compilation job.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Event {
    /// An instance was placed for it.
    Placed(String),
    /// Its instance entered a stage.
    Stage(Stage),
    /// Its instance has compiled the model.
    Compiled(Compiled),
    /// Its user asked for an end.
    StopRequested,
    /// Its instance ended.
    Ended(Ending),
    /// Its instance was lost, for this reason.
    Lost(String),
    /// Time has passed.
    Tick,
}

/// What must be done in the world after a step. Of several steps that are taken
/// together, the greatest counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Action {
    /// Nothing.
    #[default]
    Nothing,
    /// The orders of the job's instance are others now.
    Tell,
    /// The job has ended.
    Finish,
}

impl CompilationState {
    /// A job whose create call is accepted now.
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            status: Status::Starting,
            created: now,
            modified: now,
            started: None,
            ended: None,
            failure_reason: None,
            instance: None,
            compiled: None,
            stored: false,
            role: None,
        }
    }

    /// Whether nothing can happen to it any more.
    pub(super) fn is_terminal(&self) -> bool {
        self.ended.is_some()
    }

    /// Whether it stands in the queue.
    pub(super) fn is_waiting(&self) -> bool {
        self.instance.is_none() && !self.is_terminal()
    }

    /// Whether the end of this instance is still to come, and decides its own.
    pub(super) fn is_on(&self, instance: &str) -> bool {
        !self.is_terminal() && self.instance.as_deref() == Some(instance)
    }

    /// What is wanted of an instance.
    pub(super) fn orders(&self, instance: &str) -> Orders {
        match self.is_on(instance) && self.status != Status::Stopping {
            true => Orders { cut: None, ..OVER },
            false => OVER,
        }
    }

    /// When it will have waited for too long, if nothing happens before.
    pub(super) fn deadline(&self, terms: &Terms) -> Option<Timestamp> {
        let pending = terms.pending.filter(|_| self.is_waiting())?;
        let deadline = self.created.millis().saturating_add(pending);
        Timestamp::from_millis(deadline).ok()
    }

    /// Takes a step.
    pub(super) fn step(&mut self, event: Event, at: Timestamp, terms: &Terms) -> Action {
        if self.is_terminal() {
            return Action::Nothing;
        }
        match event {
            Event::Placed(instance) => {
                self.instance.get_or_insert(instance);
                Action::Nothing
            }
            Event::Stage(stage) => self.follow(stage, at),
            Event::Compiled(compiled) => {
                self.compiled = Some(compiled);
                Action::Nothing
            }
            Event::StopRequested => self.stop(at),
            Event::Ended(ending) => self.end(ending, at, terms),
            Event::Lost(reason) => self.conclude(Err(reason), at),
            Event::Tick => self.keep_time(at, terms),
        }
    }

    fn follow(&mut self, stage: Stage, at: Timestamp) -> Action {
        if stage == Stage::Working && self.status == Status::Starting {
            self.enter(Status::Inprogress, at);
            self.started = Some(self.modified);
        }
        Action::Nothing
    }

    fn stop(&mut self, at: Timestamp) -> Action {
        if self.instance.is_none() {
            return self.conclude(Ok(Status::Stopped), at);
        }
        if self.status != Status::Stopping {
            self.enter(Status::Stopping, at);
        }
        Action::Tell
    }

    fn end(&mut self, ending: Ending, at: Timestamp, terms: &Terms) -> Action {
        self.stored = ending.stored;
        let ended = match ending.outcome {
            Outcome::Completed => Ok(Status::Completed),
            Outcome::Stopped | Outcome::Interrupted => Ok(Status::Stopped),
            Outcome::Failed(reason) => Err(reason),
            Outcome::MaxRuntimeExceeded => Err(timed_out(terms.runtime)),
        };
        self.conclude(ended, at)
    }

    fn keep_time(&mut self, at: Timestamp, terms: &Terms) -> Action {
        if self.deadline(terms).is_none_or(|deadline| at < deadline) {
            return Action::Nothing;
        }
        // It has not failed: the limit is for how long it "can be pending before it is stopped".
        self.failure_reason = terms.pending.map(waited_too_long);
        self.conclude(Ok(Status::Stopped), at)
    }

    /// Ends it in this status, or as failed for this reason. Whatever a job does once
    /// it is stopping, it ends stopped.
    fn conclude(&mut self, ended: Result<Status, String>, at: Timestamp) -> Action {
        let status = match ended {
            _ if self.status == Status::Stopping => Status::Stopped,
            Ok(status) => status,
            Err(reason) => {
                self.failure_reason = Some(reason);
                Status::Failed
            }
        };
        self.enter(status, at);
        self.ended = Some(self.modified);
        Action::Finish
    }

    fn enter(&mut self, status: Status, at: Timestamp) {
        // Clocks of agent and server may differ by a little; time never steps back.
        self.modified = at.max(self.modified);
        self.status = status;
    }
}

/// The reason of a job that was not done in time.
fn timed_out(millis: i64) -> String {
    format!(
        "ClientError: TimeOut: The compilation job did not complete within the {} seconds of \
         MaxRuntimeInSeconds. Give it more time in StoppingCondition.",
        millis / 1000
    )
}

/// What is said of a job that never had an instance.
fn waited_too_long(millis: i64) -> String {
    format!(
        "The compilation job was stopped, since there was no room for it within the {} seconds of \
         MaxPendingTimeInSeconds.",
        millis / 1000
    )
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
