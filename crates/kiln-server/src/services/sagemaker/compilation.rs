//! The operations on compilation jobs.

use kiln_jobs::compilation::CompilationJobs;
use kiln_model::api::{
    CreateCompilationJobRequest, CreateCompilationJobResponse, DeleteCompilationJobRequest,
    DescribeCompilationJobRequest, ListCompilationJobsRequest, StopCompilationJobRequest,
};
use serde_json::Value;

use super::{read, unknown, write};
use crate::reply::{Fault, Reply, json};

pub(super) async fn answer(
    jobs: &CompilationJobs,
    operation: &str,
    input: Value,
) -> Result<Reply, Fault> {
    match operation {
        "DescribeCompilationJob" => {
            let request: DescribeCompilationJobRequest = read(input)?;
            Ok(json(jobs.describe(&request.compilation_job_name)?))
        }
        "CreateCompilationJob" => {
            let request: CreateCompilationJobRequest = read(input)?;
            let compilation_job_arn = jobs.create(request).await?.to_string();
            write(&CreateCompilationJobResponse {
                compilation_job_arn,
            })
        }
        "ListCompilationJobs" => {
            let request: ListCompilationJobsRequest = read(input)?;
            write(&jobs.list(&request)?)
        }
        "StopCompilationJob" => {
            let request: StopCompilationJobRequest = read(input)?;
            jobs.stop(&request.compilation_job_name).await?;
            Ok(json(""))
        }
        "DeleteCompilationJob" => {
            let request: DeleteCompilationJobRequest = read(input)?;
            jobs.delete(&request.compilation_job_name).await?;
            Ok(json(""))
        }
        _ => Err(unknown(operation)),
    }
}
