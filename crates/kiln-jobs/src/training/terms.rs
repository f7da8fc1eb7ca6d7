//! The terms of a job: how long it may take, and how often it is tried.

use kiln_model::api::CreateTrainingJobRequest;

use super::DEFAULT_MAX_RUNTIME;

/// What a request says about time and tries, in milliseconds and times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// How long its work may run, over all attempts.
    pub runtime: i64,
    /// How long it may take from its creation, waits and interruptions included.
    pub wait: Option<i64>,
    /// How long it may wait for capacity at a time.
    pub pending: Option<i64>,
    /// How many times it is tried again after failures of the platform.
    pub retries: u32,
    /// Whether it may be interrupted.
    pub spot: bool,
}

impl Terms {
    /// The terms of a request.
    #[must_use]
    pub fn of(request: &CreateTrainingJobRequest) -> Self {
        let stopping = request.stopping_condition.clone().unwrap_or_default();
        let millis = |seconds: i32| i64::from(seconds) * 1000;
        let retries = request
            .retry_strategy
            .as_ref()
            .map_or(0, |strategy| strategy.maximum_retry_attempts);
        Self {
            runtime: millis(
                stopping
                    .max_runtime_in_seconds
                    .unwrap_or(DEFAULT_MAX_RUNTIME),
            ),
            wait: stopping.max_wait_time_in_seconds.map(millis),
            pending: stopping.max_pending_time_in_seconds.map(millis),
            retries: retries.max(0).unsigned_abs(),
            spot: request.enable_managed_spot_training == Some(true),
        }
    }
}
