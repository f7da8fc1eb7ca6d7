//! From an accepted request to the plan of its instance.

use kiln_agent::plan::{CompilationPlan, ObjectPlan, Plan, VendorPlan};
use kiln_model::S3Uri;
use kiln_model::api::CreateCompilationJobRequest;

use super::{place, request};
use crate::JobError;
use crate::solo::Seat;

/// Builds the plan of a job's instance; `vendor` compiles in place of Kiln.
///
/// # Errors
/// When the request names no model or no places, which its acceptance rules out.
pub(super) fn build(
    job: &CreateCompilationJobRequest,
    seat: Seat,
    vendor: Option<VendorPlan>,
) -> Result<Plan, JobError> {
    let input = place::input(job).map_err(JobError::Internal)?;
    let output = place::artifact(&job.output_config).map_err(JobError::Internal)?;
    let config = job.input_config.as_ref();
    let config = config
        .ok_or_else(|| JobError::Internal("a stored request has no InputConfig".to_owned()))?;
    let key = job.output_config.kms_key_id.clone();
    Ok(Plan::Compilation(Box::new(CompilationPlan {
        assignment: seat.assignment,
        input: object(&input),
        output: object(&output),
        kms_key: key.filter(|key| !key.is_empty()),
        order: request::order(job, config),
        vendor,
        limits: seat.claim.limits,
        max_runtime_seconds: seat.runtime_seconds,
    })))
}

fn object(uri: &S3Uri) -> ObjectPlan {
    ObjectPlan {
        bucket: uri.bucket().to_owned(),
        key: uri.key().to_owned(),
    }
}
