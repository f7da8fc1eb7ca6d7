//! The terms of a job: how long it may take.

use kiln_model::api::StoppingCondition;

/// What a request says about time, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// How long its work may run.
    pub(crate) runtime: i64,
    /// How long it may wait for capacity.
    pub(crate) pending: Option<i64>,
    /// What stands before "job" in sentences about them.
    pub(crate) word: &'static str,
    /// How many agents in a row may be lost at the same place before the job is.
    pub(crate) patience: u32,
}

impl Terms {
    /// Those of a kind's job whose condition this is, and which may run for so many
    /// seconds if it does not say.
    pub(crate) fn of<W: super::Work>(stopping: &StoppingCondition, usual: i32) -> Self {
        let millis = |seconds: i32| i64::from(seconds) * 1000;
        Self {
            runtime: millis(stopping.max_runtime_in_seconds.unwrap_or(usual)),
            pending: stopping.max_pending_time_in_seconds.map(millis),
            word: W::WORD,
            patience: W::PATIENCE,
        }
    }
}
