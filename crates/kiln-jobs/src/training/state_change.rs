//! What a listener outside is told of a training job: EventBridge's event
//! "SageMaker Training Job State Change".
//!
//! A change that takes a job through several statuses at once, as when an agent
//! reports after a silence, is told as so many events, each with the job as it
//! was then. Within a status, the last message counts.

use kiln_model::Arn;
use kiln_model::api::{
    CreateTrainingJobRequest, DescribeTrainingJobResponse, SecondaryStatus, TrainingJobStatus,
};
use kiln_store::NewAnnouncement;
use serde_json::Value;

use super::describe::describe;
use super::state::TrainingState;
use crate::plane::state_change;

/// The members of a description that are times.
const TIMES: [&str; 4] = [
    "CreationTime",
    "TrainingStartTime",
    "TrainingEndTime",
    "LastModifiedTime",
];
/// The members that are lists, and which of their members are times.
const TIMES_IN_LISTS: [(&str, &[&str]); 4] = [
    ("SecondaryStatusTransitions", &["StartTime", "EndTime"]),
    ("FinalMetricDataList", &["Timestamp"]),
    ("DebugRuleEvaluationStatuses", &["LastModifiedTime"]),
    ("ProfilerRuleEvaluationStatuses", &["LastModifiedTime"]),
];

/// What a listener outside has heard of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// There is no listener.
    Nobody,
    /// Nothing yet.
    Nothing,
    /// Everything up to here.
    UpTo {
        /// How many transitions there were.
        transitions: usize,
        /// The main status.
        status: TrainingJobStatus,
        /// The last transition's message.
        message: Option<String>,
    },
}

impl Heard {
    /// Of a job that is about to be created.
    #[must_use]
    pub fn nothing(announced: bool) -> Self {
        if announced {
            Self::Nothing
        } else {
            Self::Nobody
        }
    }

    /// Of a job that is stored in this state.
    #[must_use]
    pub fn all_of(state: &TrainingState, announced: bool) -> Self {
        if announced {
            Self::up_to(state)
        } else {
            Self::Nobody
        }
    }

    fn up_to(state: &TrainingState) -> Self {
        let last = state.transitions.last();
        Self::UpTo {
            transitions: state.transitions.len(),
            status: state.status,
            message: last.and_then(|last| last.status_message.clone()),
        }
    }

    /// The states, oldest first, that the listener is to be told of now that the
    /// job is in this one.
    #[must_use]
    fn missing(&self, state: &TrainingState) -> Vec<TrainingState> {
        let known = match self {
            Self::Nobody => return Vec::new(),
            Self::Nothing => 0,
            Self::UpTo { transitions, .. } => *transitions,
        };
        if *self == Self::up_to(state) {
            return Vec::new();
        }
        let passed = (known + 1)..state.transitions.len();
        let mut states: Vec<TrainingState> = passed.map(|count| as_of(state, count)).collect();
        states.push(state.clone());
        states
    }
}

/// The events that tell a listener, who has heard so much, of a job as it is now.
///
/// # Errors
/// When a description is none that JSON can hold.
pub fn announcements(
    heard: &Heard,
    arn: &Arn,
    request: &CreateTrainingJobRequest,
    state: &TrainingState,
) -> Result<Vec<NewAnnouncement>, serde_json::Error> {
    let untold = heard.missing(state);
    let told = untold
        .iter()
        .map(|state| announcement(arn, request, &describe(arn, request, state)));
    told.collect()
}

/// A job as it was when the first `count` of its transitions had happened, which
/// were not all of them: it had not ended.
fn as_of(state: &TrainingState, count: usize) -> TrainingState {
    let mut then = state.clone();
    then.transitions.truncate(count);
    if let Some(last) = then.transitions.last_mut() {
        last.end_time = None;
        then.modified = last.start_time;
        then.status = match last.status {
            SecondaryStatus::Stopping => TrainingJobStatus::Stopping,
            _ => TrainingJobStatus::InProgress,
        };
    }
    then.started = then.started.filter(|started| *started <= then.modified);
    then.ended = None;
    then.failure_reason = None;
    then.stored = false;
    then
}

/// The event that tells of a job in the state that is described.
fn announcement(
    arn: &Arn,
    request: &CreateTrainingJobRequest,
    description: &DescribeTrainingJobResponse,
) -> Result<NewAnnouncement, serde_json::Error> {
    let at = description
        .last_modified_time
        .unwrap_or(description.creation_time);
    let mut detail = serde_json::to_value(description)?;
    in_milliseconds(&mut detail);
    let tags = request.tags.as_deref();
    Ok(state_change::event("Training", arn, at, (detail, tags)))
}

fn in_milliseconds(description: &mut Value) {
    let Value::Object(members) = description else {
        return;
    };
    state_change::convert(members, &TIMES);
    for (list, times) in TIMES_IN_LISTS {
        let items = members.get_mut(list).and_then(Value::as_array_mut);
        for item in items.into_iter().flatten() {
            if let Value::Object(item) = item {
                state_change::convert(item, times);
            }
        }
    }
}

#[cfg(test)]
#[path = "state_change_tests.rs"]
mod tests;
