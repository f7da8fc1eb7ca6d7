//! The operations on training jobs, searches among them.

use kiln_jobs::training::TrainingJobs;
use kiln_model::api::{
    CreateTrainingJobRequest, CreateTrainingJobResponse, DeleteTrainingJobRequest,
    DescribeTrainingJobRequest, GetSearchSuggestionsRequest, ListTrainingJobsRequest,
    SearchRequest, StopTrainingJobRequest, UpdateTrainingJobRequest, UpdateTrainingJobResponse,
};
use serde_json::Value;

use super::{read, unknown, write};
use crate::reply::{Fault, Reply, json};

pub(super) async fn answer(
    jobs: &TrainingJobs,
    operation: &str,
    input: Value,
) -> Result<Reply, Fault> {
    match operation {
        "DescribeTrainingJob" => {
            let request: DescribeTrainingJobRequest = read(input)?;
            Ok(json(jobs.describe(&request.training_job_name)?))
        }
        "CreateTrainingJob" => {
            let request: CreateTrainingJobRequest = read(input)?;
            let training_job_arn = jobs.create(request).await?.to_string();
            write(&CreateTrainingJobResponse { training_job_arn })
        }
        "ListTrainingJobs" => {
            let request: ListTrainingJobsRequest = read(input)?;
            write(&jobs.list(&request)?)
        }
        "Search" => {
            let request: SearchRequest = read(input)?;
            Ok(json(jobs.search(request).await?))
        }
        "GetSearchSuggestions" => {
            let request: GetSearchSuggestionsRequest = read(input)?;
            write(&jobs.suggest(&request)?)
        }
        "StopTrainingJob" => {
            let request: StopTrainingJobRequest = read(input)?;
            jobs.stop(&request.training_job_name).await?;
            Ok(json(""))
        }
        "UpdateTrainingJob" => {
            let request: UpdateTrainingJobRequest = read(input)?;
            let training_job_arn = jobs.update(request).await?.to_string();
            write(&UpdateTrainingJobResponse { training_job_arn })
        }
        "DeleteTrainingJob" => {
            let request: DeleteTrainingJobRequest = read(input)?;
            jobs.delete(&request.training_job_name).await?;
            Ok(json(""))
        }
        _ => Err(unknown(operation)),
    }
}
