//! A training job's state machine.
//!
//! ```text
//!             ┌──────────────── InProgress ────────────────┐
//! create ──▶ Starting ─▶ Pending ─▶ Downloading ─▶ Training ─▶ Uploading
//!               │           │            │            │            │
//!               └───────────┴─────┬──────┴────────────┴────────────┤
//!                                 ▼ stop, time limit               ▼ end
//!                              Stopping ──▶ Stopped          Completed, Failed
//! ```
//!
//! It is a pure function of its state, an event and the time. Every event that
//! does not fit the state (late, repeated, out of order) changes nothing, and
//! a terminal state is left by none.

use std::collections::BTreeMap;

use kiln_agent::report::{Ending, Outcome, Stage};
use kiln_model::Timestamp;
use kiln_model::api::{SecondaryStatus, SecondaryStatusTransition, TrainingJobStatus};
use serde::{Deserialize, Serialize};

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
}

/// The last value that a metric definition found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LastMetric {
    /// The value, in single precision as the cloud keeps it.
    pub value: f32,
    /// When its line was written.
    pub at: Timestamp,
}

/// What can happen to a training job.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// There is no room for it now.
    Waiting,
    /// An instance was placed for it.
    Placed,
    /// Its instance entered a stage.
    Stage(Stage),
    /// Its output held a metric's value.
    Metric {
        /// The metric definition's name.
        name: String,
        /// The value.
        value: f32,
    },
    /// Its user asked for an end.
    StopRequested,
    /// Its instance ended.
    Ended(Ending),
    /// Its instance was lost, for this reason.
    Lost(String),
}

/// What must be done in the world after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    Nothing,
    /// The job's instance must be told to stop.
    TellToStop,
}

/// A request to stop a job that is past stopping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("The request was rejected because the training job is in status {0}.")]
pub struct AlreadyEnded(pub TrainingJobStatus);

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
        };
        state.enter(SecondaryStatus::Starting, "Starting the training job", now);
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

    /// Whether it stands in the queue: no instance was placed for it, and it has
    /// not ended.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.attempts == 0 && !self.is_terminal()
    }

    /// Takes a step.
    pub fn step(&mut self, event: Event, at: Timestamp) -> Action {
        if self.is_terminal() {
            return Action::Nothing;
        }
        match event {
            Event::Waiting => self.wait(at),
            Event::Placed => self.place(at),
            Event::Stage(stage) => self.follow(stage, at),
            Event::Metric { name, value } => {
                self.metrics.insert(name, LastMetric { value, at });
            }
            Event::StopRequested => return self.stop(at),
            Event::Ended(ending) => self.conclude(ending, at),
            Event::Lost(reason) => {
                self.conclude(
                    Ending {
                        outcome: Outcome::Failed(reason),
                        stored: false,
                    },
                    at,
                );
            }
        }
        Action::Nothing
    }

    fn wait(&mut self, at: Timestamp) {
        if self.attempts == 0 && self.secondary() == SecondaryStatus::Starting {
            self.enter(
                SecondaryStatus::Pending,
                "Training job waiting for capacity",
                at,
            );
        }
    }

    fn place(&mut self, at: Timestamp) {
        self.attempts += 1;
        if self.status == TrainingJobStatus::InProgress {
            self.enter(
                SecondaryStatus::Pending,
                "Preparing the instances for training",
                at,
            );
        }
    }

    fn follow(&mut self, stage: Stage, at: Timestamp) {
        if self.status != TrainingJobStatus::InProgress {
            return;
        }
        let (status, message) = match stage {
            Stage::Preparing => return,
            Stage::Downloading => (SecondaryStatus::Downloading, "Downloading input data"),
            Stage::DownloadingImage => (
                SecondaryStatus::Downloading,
                "Downloading the training image",
            ),
            Stage::Training => (
                SecondaryStatus::Training,
                "Training image download completed. Training in progress.",
            ),
            Stage::Uploading => (
                SecondaryStatus::Uploading,
                "Uploading generated training model",
            ),
            Stage::Stopping => {
                self.status = TrainingJobStatus::Stopping;
                (SecondaryStatus::Stopping, "Stopping the training job")
            }
        };
        if stage == Stage::Downloading {
            self.started.get_or_insert(at);
        }
        self.enter(status, message, at);
    }

    fn stop(&mut self, at: Timestamp) -> Action {
        if self.status == TrainingJobStatus::Stopping {
            return Action::TellToStop;
        }
        self.status = TrainingJobStatus::Stopping;
        self.enter(SecondaryStatus::Stopping, "Stopping the training job", at);
        if self.attempts == 0 {
            self.conclude(
                Ending {
                    outcome: Outcome::Stopped,
                    stored: false,
                },
                at,
            );
            return Action::Nothing;
        }
        Action::TellToStop
    }

    fn conclude(&mut self, ending: Ending, at: Timestamp) {
        self.stored |= ending.stored;
        // Whatever a job does once it is stopping, it ends stopped.
        let stopping = self.status == TrainingJobStatus::Stopping;
        let (status, secondary, message) = match ending.outcome {
            Outcome::MaxRuntimeExceeded => (
                TrainingJobStatus::Stopped,
                SecondaryStatus::MaxRuntimeExceeded,
                "Training job runtime exceeded MaxRuntimeInSeconds provided",
            ),
            _ if stopping => stopped(),
            Outcome::Stopped | Outcome::Interrupted => stopped(),
            Outcome::Completed => (
                TrainingJobStatus::Completed,
                SecondaryStatus::Completed,
                "Training job completed",
            ),
            Outcome::Failed(reason) => {
                self.failure_reason = Some(reason);
                (
                    TrainingJobStatus::Failed,
                    SecondaryStatus::Failed,
                    "Training job failed",
                )
            }
        };
        self.status = status;
        self.enter(secondary, message, at);
        let end = self.modified;
        if let Some(last) = self.transitions.last_mut() {
            last.end_time = Some(end);
        }
        self.ended = Some(end);
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

fn stopped() -> (TrainingJobStatus, SecondaryStatus, &'static str) {
    (
        TrainingJobStatus::Stopped,
        SecondaryStatus::Stopped,
        "Training job stopped",
    )
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
