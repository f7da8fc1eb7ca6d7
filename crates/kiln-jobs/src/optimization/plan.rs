//! From an accepted request to the plan of its instance.

use kiln_agent::plan::{OptimizationPlan, Plan};

use super::order::Accepted;
use super::{place, steps};
use crate::JobError;
use crate::solo::Seat;

/// Builds the plan of a job's instance; `trainer` is the image that trains EAGLE heads.
///
/// # Errors
/// When the request names no places, which its acceptance rules out.
pub(super) fn build(job: &Accepted, seat: Seat, trainer: Option<&str>) -> Result<Plan, JobError> {
    let request = &job.request;
    let output = place::output(&request.output_config).map_err(JobError::Internal)?;
    let key = request.output_config.kms_key_id.clone();
    Ok(Plan::Optimization(Box::new(OptimizationPlan {
        assignment: seat.assignment,
        model: job.model.place.plan(),
        output: place::prefix(&output),
        kms_key: key.filter(|key| !key.is_empty()),
        steps: steps::plan(request, trainer).map_err(JobError::Internal)?,
        deployment: request.deployment_instance_type.to_string(),
        keys: seat.keys,
        limits: seat.claim.limits,
        gpus: seat.claim.gpus,
        max_runtime_seconds: seat.runtime_seconds,
        reported: seat.reported,
        takes_back: seat.takes_back,
    })))
}
