//! What can happen to a training job, and what must be done about it.

use kiln_agent::report::{Ending, Outcome, Stage};
use kiln_model::api::TrainingJobStatus;

/// What can happen to a training job. Hosts are named by their positions.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// There is no room for it now.
    Waiting,
    /// There will never be room for it, for this reason.
    Refused(String),
    /// Instances were placed for it.
    Placed {
        /// Which, in the order of the hosts.
        instances: Vec<String>,
        /// What its user should know of them.
        remark: Option<String>,
    },
    /// A host entered a stage.
    Stage(usize, Stage),
    /// Its output held a metric's value.
    Metric {
        /// The metric definition's name.
        name: String,
        /// The value.
        value: f32,
    },
    /// Its user asked for an end.
    StopRequested,
    /// Its machine is wanted for something else.
    Reclaimed,
    /// A host's work has failed, for this reason. Its end is to come.
    Failing(usize, String),
    /// A host ended.
    Ended(usize, Ending),
    /// A host was lost, for this reason.
    Lost(usize, String),
    /// The instance of an attempt that evaluates a rule has ended.
    RuleEnded {
        /// The rule's position.
        rule: usize,
        /// Which attempt.
        attempt: u32,
        /// How it ended.
        outcome: Outcome,
    },
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
    /// The orders of the job's instances may be others now.
    Tell,
    /// The attempt is over, and the job waits for another one.
    Requeue,
    /// The job has ended.
    Finish,
}

/// A request to stop a job that is past stopping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("The request was rejected because the training job is in status {0}.")]
pub struct AlreadyEnded(pub TrainingJobStatus);
