//! The terms of a job: how long it may take.

use kiln_model::api::CreateCompilationJobRequest;

use super::request::DEFAULT_MAX_RUNTIME;

/// What a request says about time, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Terms {
    /// How long its work may run.
    pub(super) runtime: i64,
    /// How long it may wait for capacity.
    pub(super) pending: Option<i64>,
}

impl Terms {
    pub(super) fn of(request: &CreateCompilationJobRequest) -> Self {
        let stopping = &request.stopping_condition;
        let millis = |seconds: i32| i64::from(seconds) * 1000;
        let runtime = stopping.max_runtime_in_seconds;
        Self {
            runtime: millis(runtime.unwrap_or(DEFAULT_MAX_RUNTIME)),
            pending: stopping.max_pending_time_in_seconds.map(millis),
        }
    }
}
