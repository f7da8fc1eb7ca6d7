//! The rules of Debugger and of the profiler that watch a training job, as its
//! describe calls show them.
//!
//! ```text
//! asked for ─▶ InProgress ─┬─▶ NoIssuesFound, IssuesFound, Error   its container ended
//!                          └─▶ Stopping ─▶ Stopped                 nobody wants it any more
//! ```
//!
//! Each attempt of the job brings an instance for every rule that has no verdict yet,
//! which begins when the job trains and there is room. When an attempt is over and
//! the job waits for another, its rules are called back and begin anew with that one,
//! so that they never hold room that the job itself waits for. After the end of the
//! job a rule may go on for [`TIME_AFTER_END`], and is stopped then.

use kiln_agent::report::Outcome;
use kiln_agent::{failure, rule};
use kiln_model::Timestamp;
use kiln_model::api::{CreateTrainingJobRequest, RuleEvaluationStatus as Status};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use super::request::{Rule, RuleKind, rules};

/// Milliseconds for which a rule may go on after its job has ended: a quarter of an
/// hour.
pub const TIME_AFTER_END: i64 = 15 * 60_000;

/// Why a rule is stopped.
pub const BY_USER: &str = "The rule was stopped with its training job.";
const OVERDUE: &str = "The rule was stopped, since it had not ended 15 minutes after its training \
                       job, or there was no room for it by then.";
const NEVER_BEGUN: &str = "The training job ended before the rule could be evaluated.";

/// How many characters of a job's and of a rule's name are in that of the job that
/// evaluates it.
const NAME_PART: usize = 26;

/// The rules of a job: those of Debugger, then those of the profiler, then those that
/// were added later.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rules {
    all: Vec<Evaluation>,
}

/// What has become of one rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Of what it is.
    pub kind: RuleKind,
    /// The name of its configuration.
    pub name: String,
    /// The name of the processing job that evaluates it.
    pub job: String,
    /// Its status.
    pub status: Status,
    /// What there is to say about the status.
    pub details: Option<String>,
    /// When that last changed.
    pub modified: Timestamp,
    /// The attempt whose instance evaluates it.
    attempt: Option<u32>,
}

impl Rules {
    /// The rules that a request asks for.
    #[must_use]
    pub fn of(request: &CreateTrainingJobRequest, at: Timestamp) -> Self {
        let mut all = Self::default();
        for rule in rules(request) {
            all.add(&request.training_job_name, &rule, at);
        }
        all
    }

    /// Adds a rule that is asked for now.
    pub fn add(&mut self, job: &str, rule: &Rule<'_>, at: Timestamp) {
        self.all.push(Evaluation {
            kind: rule.kind,
            name: rule.name.to_owned(),
            job: job_name(job, rule.name, at),
            status: Status::InProgress,
            details: None,
            modified: at,
            attempt: None,
        });
    }

    /// All of them, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &Evaluation> {
        self.all.iter()
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, position: usize) -> Option<&Evaluation> {
        self.all.get(position)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether one of them has not ended.
    #[must_use]
    pub fn is_open(&self, position: usize) -> bool {
        self.get(position).is_some_and(Evaluation::is_open)
    }

    /// The positions of those for which there is no instance, though one is wanted.
    #[must_use]
    pub fn unplaced(&self) -> Vec<usize> {
        let all = self.all.iter().enumerate();
        all.filter(|(_, one)| one.status == Status::InProgress && one.attempt.is_none())
            .map(|(position, _)| position)
            .collect()
    }

    /// An attempt of the job has instances for these.
    pub fn place(&mut self, positions: &[usize], attempt: u32) {
        for position in positions {
            if let Some(one) = self.all.get_mut(*position) {
                one.attempt = Some(attempt);
            }
        }
    }

    /// Whether the instance of an attempt is to evaluate a rule.
    #[must_use]
    pub fn is_wanted(&self, position: usize, attempt: u32) -> bool {
        let one = self.get(position);
        one.is_some_and(|one| one.status == Status::InProgress && one.attempt == Some(attempt))
    }

    /// The attempt is over, and another will come.
    pub fn call_back(&mut self) {
        for one in &mut self.all {
            if one.status == Status::InProgress {
                one.attempt = None;
            }
        }
    }

    /// Has all of them stop that have not ended.
    pub fn stop(&mut self, details: &str, at: Timestamp) {
        for one in &mut self.all {
            if one.status == Status::InProgress {
                one.stop(details, at);
            }
        }
    }

    /// The job has ended. What it has recorded can be looked at if it has trained.
    pub fn outlive(&mut self, has_trained: bool, at: Timestamp) {
        for one in &mut self.all {
            let can_be_evaluated = has_trained && one.attempt.is_some();
            if one.status == Status::InProgress && !can_be_evaluated {
                one.stop(NEVER_BEGUN, at);
            }
        }
    }

    /// When those that have not ended must stop, if the job ended at this time.
    #[must_use]
    pub fn deadline(&self, ended: Timestamp) -> Option<Timestamp> {
        let mut all = self.all.iter();
        all.any(|one| one.status == Status::InProgress)
            .then_some(())?;
        Timestamp::from_millis(ended.millis().saturating_add(TIME_AFTER_END)).ok()
    }

    /// Has them stop if it is time, after a job that ended at this one. Answers
    /// whether it is.
    pub fn keep_time(&mut self, ended: Timestamp, at: Timestamp) -> bool {
        let is_time = self.deadline(ended).is_some_and(|deadline| at >= deadline);
        if is_time {
            self.stop(OVERDUE, at);
        }
        is_time
    }

    /// The instance of an attempt that evaluates a rule has ended.
    pub fn end(&mut self, position: usize, attempt: u32, outcome: Outcome, at: Timestamp) {
        let one = self.all.get_mut(position);
        let Some(one) = one.filter(|one| one.is_open() && one.attempt == Some(attempt)) else {
            return;
        };
        let was_stopping = one.status == Status::Stopping;
        let (status, details) = match outcome {
            Outcome::Completed => (Status::NoIssuesFound, None),
            Outcome::Failed(reason) if rule::is_condition_met(&reason) => {
                (Status::IssuesFound, Some(reason))
            }
            // It was lost when nobody wanted it any more.
            Outcome::Failed(reason) if was_stopping && failure::is_internal(&reason) => {
                (Status::Stopped, one.details.take())
            }
            Outcome::Failed(reason) => (Status::Error, Some(reason)),
            Outcome::Stopped | Outcome::MaxRuntimeExceeded | Outcome::Interrupted => {
                (Status::Stopped, one.details.take())
            }
        };
        one.enter(status, details, at);
    }
}

impl Evaluation {
    fn is_open(&self) -> bool {
        matches!(self.status, Status::InProgress | Status::Stopping)
    }

    fn stop(&mut self, details: &str, at: Timestamp) {
        let status = match self.attempt {
            Some(_) => Status::Stopping,
            None => Status::Stopped,
        };
        self.enter(status, Some(details.to_owned()), at);
    }

    fn enter(&mut self, status: Status, details: Option<String>, at: Timestamp) {
        self.status = status;
        self.details = details;
        // Clocks of agent and server may differ by a little.
        self.modified = self.modified.max(at);
    }
}

/// The name of the job that evaluates a rule: what it watches, which rule it is, and
/// something that tells it from all others.
fn job_name(job: &str, rule: &str, at: Timestamp) -> String {
    let part = |text: &str| text.chars().take(NAME_PART).collect::<String>();
    let plain = |character: char| match character.to_ascii_lowercase() {
        letter @ ('a'..='z' | '0'..='9') => letter,
        _ => '-',
    };
    let rule_part: String = part(rule).chars().map(plain).collect();
    let unique = digest(&SHA256, format!("{job}/{rule}/{}", at.millis()).as_bytes());
    let unique = hex::encode(&unique.as_ref()[..4]);
    format!("{}-{rule_part}-{unique}", part(job))
}

#[cfg(test)]
#[path = "rule_tests.rs"]
mod tests;
