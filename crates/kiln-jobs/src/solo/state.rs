//! The state machine of jobs of one instance.
//!
//! ```text
//! create ─▶ STARTING ─▶ INPROGRESS ─▶ COMPLETED
//!               │            ├──────▶ FAILED
//!               ▼            ▼
//!               └───▶ STOPPING ─────▶ STOPPED
//! ```
//!
//! It waits for its instance, and the instance makes everything ready, while it is
//! `STARTING`; once its container runs it is `INPROGRESS`. It can fail before that, and
//! it is stopped at once as long as it has no instance. What does not fit the state
//! (late, repeated, out of order) changes nothing, and a terminal state is left by none.

use std::fmt;
use std::str::FromStr;

use kiln_agent::failure::LONGEST_REASON;
use kiln_agent::report::{Cut, Ending, Orders, Outcome, Stage};
use kiln_model::Timestamp;
use serde::{Deserialize, Serialize};

use super::terms::Terms;
use crate::JobError;
use crate::plane::GONE;

/// What is wanted of an instance whose job is over, or is to be.
pub(super) const OVER: Orders = Orders {
    cut: Some(Cut::Stop),
    proceed: true,
    profiler_off: false,
};

/// An agent that has lived for so long, in milliseconds, has got somewhere.
const LONG_LIFE: i64 = 600_000;

/// What all these kinds of jobs have for a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[allow(missing_docs)]
pub enum Status {
    Starting,
    InProgress,
    Completed,
    Failed,
    Stopping,
    Stopped,
}

impl Status {
    /// The same as a kind of jobs has it in its descriptions.
    pub(crate) fn parse<S: FromStr>(self) -> Result<S, JobError> {
        let text = self.to_string();
        let unknown = |_| JobError::Internal(format!("{text} is no status of such a job"));
        text.parse().map_err(unknown)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Starting => "STARTING",
            Self::InProgress => "INPROGRESS",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
            Self::Stopping => "STOPPING",
            Self::Stopped => "STOPPED",
        })
    }
}

/// Everything that a job's life has added to its request. `O` is what came of it, apart
/// from what is in S3.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SoloState<O> {
    /// The status.
    pub(crate) status: Status,
    /// When the create call was accepted.
    pub(crate) created: Timestamp,
    /// When the status last changed.
    pub(crate) modified: Timestamp,
    /// When the container began.
    pub(crate) started: Option<Timestamp>,
    /// When the last status was reached.
    pub(crate) ended: Option<Timestamp>,
    /// Why it failed.
    pub(crate) failure_reason: Option<String>,
    /// Its instance, once it has been placed.
    pub(crate) instance: Option<String>,
    /// What came of it.
    #[serde(alias = "compiled")]
    pub(crate) outcome: Option<O>,
    /// Whether what it makes is in S3.
    pub(crate) stored: bool,
    /// The id of its role, if that had been created here: with the role its keys end.
    pub(crate) role: Option<String>,
    /// How far its agents have come.
    #[serde(default)]
    agents: Agents,
}

/// How far the agents of an instance have come.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Agents {
    /// How many in a row were lost where the one before was.
    lost: u32,
    /// The last stage that any of them has entered.
    furthest: Option<Stage>,
    /// When the last of them was started.
    begun: Option<Timestamp>,
    /// Whether too many were lost, and those that follow only take back what is stored.
    #[serde(default)]
    given_up: bool,
}

/// What can happen to a job.
#[derive(Debug, Clone, PartialEq)]
pub enum Event<O> {
    /// An instance was placed for it.
    Placed(String),
    /// Its instance entered a stage.
    Stage(Stage),
    /// Its instance has said what came of it.
    Outcome(O),
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
pub enum Action {
    /// Nothing.
    #[default]
    Nothing,
    /// The orders of the job's instance are others now.
    Tell,
    /// The job has ended.
    Finish,
}

impl<O> SoloState<O> {
    /// A job whose create call is accepted now.
    pub(crate) fn new(now: Timestamp) -> Self {
        Self {
            status: Status::Starting,
            created: now,
            modified: now,
            started: None,
            ended: None,
            failure_reason: None,
            instance: None,
            outcome: None,
            stored: false,
            role: None,
            agents: Agents::default(),
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
        match self.is_on(instance) && !self.is_to_end() {
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

    /// Whether no more is to come of it.
    fn is_to_end(&self) -> bool {
        self.status == Status::Stopping || self.agents.given_up
    }

    /// Whether it survives the loss of its agent: another goes on where that was, unless
    /// too many in a row have been lost there. Of a job that is to end, it takes back what
    /// has been stored; so do as many once more where too many have been lost.
    pub(super) fn survives(&mut self, at: Timestamp, terms: &Terms) -> bool {
        let has_stored = self.agents.furthest >= Some(Stage::Uploading);
        if self.is_terminal() || (self.is_to_end() && !has_stored) {
            return false;
        }
        let lived = |begun: Timestamp| at.millis() - begun.millis();
        if self
            .agents
            .begun
            .map(lived)
            .is_some_and(|lived| lived >= LONG_LIFE)
        {
            self.agents.lost = 0;
        }
        self.agents.lost += 1;
        self.agents.begun = Some(at);
        if self.agents.lost > terms.patience && has_stored && !self.is_to_end() {
            self.agents.given_up = true;
            self.agents.lost = 0;
        }
        self.agents.lost <= terms.patience
    }

    /// The agent that was to go on could not be started: that is none that was lost.
    pub(super) fn was_not_begun(&mut self) {
        self.agents.lost = self.agents.lost.saturating_sub(1);
    }

    /// Takes a step.
    pub(crate) fn step(&mut self, event: Event<O>, at: Timestamp, terms: &Terms) -> Action {
        if self.is_terminal() {
            return Action::Nothing;
        }
        match event {
            Event::Placed(instance) => {
                self.instance.get_or_insert(instance);
                self.agents.begun = Some(at);
                Action::Nothing
            }
            Event::Stage(stage) => self.follow(stage, at),
            Event::Outcome(outcome) => {
                self.outcome = Some(outcome);
                Action::Nothing
            }
            Event::StopRequested => self.stop(at),
            Event::Ended(ending) => self.end(ending, at, terms),
            Event::Lost(reason) => self.conclude(Err(reason), at),
            Event::Tick => self.keep_time(at, terms),
        }
    }

    fn follow(&mut self, stage: Stage, at: Timestamp) -> Action {
        if self.agents.furthest < Some(stage) {
            self.agents.furthest = Some(stage);
            self.agents.lost = 0;
        }
        if stage == Stage::Working && self.status == Status::Starting {
            self.enter(Status::InProgress, at);
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
            // Those that take back what is stored are counted anew.
            self.agents.lost = 0;
        }
        Action::Tell
    }

    fn end(&mut self, ending: Ending, at: Timestamp, terms: &Terms) -> Action {
        self.stored = ending.stored;
        let ended = match ending.outcome {
            Outcome::Completed => Ok(Status::Completed),
            Outcome::Stopped | Outcome::Interrupted if self.agents.given_up => {
                Err(internal(terms.word, GONE))
            }
            Outcome::Stopped | Outcome::Interrupted => Ok(Status::Stopped),
            Outcome::Failed(reason) => Err(reason),
            Outcome::MaxRuntimeExceeded => Err(timed_out(terms)),
        };
        self.conclude(ended, at)
    }

    fn keep_time(&mut self, at: Timestamp, terms: &Terms) -> Action {
        if self.deadline(terms).is_none_or(|deadline| at < deadline) {
            return Action::Nothing;
        }
        // It has not failed: the limit is for how long it "can be pending before it is stopped".
        let waited = |millis| waited_too_long(terms.word, millis);
        self.failure_reason = terms.pending.map(waited);
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

/// The reason of a job that the platform has failed.
pub(super) fn internal(word: &str, detail: &str) -> String {
    let reason = format!(
        "ServerError: There was an internal server error during the {word} job. ({detail})"
    );
    reason.chars().take(LONGEST_REASON).collect()
}

/// The reason of a job that was not done in time.
fn timed_out(terms: &Terms) -> String {
    format!(
        "ClientError: TimeOut: The {} job did not complete within the {} seconds of \
         MaxRuntimeInSeconds. Give it more time in StoppingCondition.",
        terms.word,
        terms.runtime / 1000
    )
}

/// What is said of a job that never had an instance.
fn waited_too_long(word: &str, millis: i64) -> String {
    format!(
        "The {word} job was stopped, since there was no room for it within the {} seconds of \
         MaxPendingTimeInSeconds.",
        millis / 1000
    )
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
