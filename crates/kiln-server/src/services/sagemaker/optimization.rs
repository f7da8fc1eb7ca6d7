//! The operations on optimization jobs.

use kiln_jobs::Jobs;
use kiln_model::api::{
    CreateOptimizationJobRequest, CreateOptimizationJobResponse, DeleteOptimizationJobRequest,
    DescribeOptimizationJobRequest, ListOptimizationJobsRequest, StopOptimizationJobRequest,
};
use serde_json::Value;

use super::{read, unknown, write};
use crate::reply::{Fault, Reply, json};

pub(super) async fn answer(jobs: &Jobs, operation: &str, input: Value) -> Result<Reply, Fault> {
    let (jobs, models) = (jobs.optimization(), jobs.models());
    match operation {
        "DescribeOptimizationJob" => {
            let request: DescribeOptimizationJobRequest = read(input)?;
            Ok(json(jobs.describe(&request.optimization_job_name)?))
        }
        "CreateOptimizationJob" => {
            let request: CreateOptimizationJobRequest = read(input)?;
            let optimization_job_arn = jobs.create(request, models).await?.to_string();
            write(&CreateOptimizationJobResponse {
                optimization_job_arn,
            })
        }
        "ListOptimizationJobs" => {
            let request: ListOptimizationJobsRequest = read(input)?;
            write(&jobs.list(&request)?)
        }
        "StopOptimizationJob" => {
            let request: StopOptimizationJobRequest = read(input)?;
            jobs.stop(&request.optimization_job_name).await?;
            Ok(json(""))
        }
        "DeleteOptimizationJob" => {
            let request: DeleteOptimizationJobRequest = read(input)?;
            jobs.delete(&request.optimization_job_name).await?;
            Ok(json(""))
        }
        _ => Err(unknown(operation)),
    }
}
