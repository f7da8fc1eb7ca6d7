//! The SageMaker API: each operation checked against the model, read into its
//! type, and handed to the jobs.

use http::StatusCode;
use kiln_jobs::JobError;
use kiln_jobs::training::check_tag_keys;
use kiln_model::api::{
    AddTagsInput, AddTagsOutput, CreateTrainingJobRequest, CreateTrainingJobResponse,
    DeleteTagsInput, DeleteTrainingJobRequest, DescribeTrainingJobRequest,
    GetSearchSuggestionsRequest, ListTagsInput, ListTagsOutput, ListTrainingJobsRequest,
    SearchRequest, StopTrainingJobRequest, Tag, UpdateTrainingJobRequest,
    UpdateTrainingJobResponse,
};
use kiln_model::{InvalidRequest, operation, validate};
use kiln_store::{StoreError, TAG_LIMIT};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Call, Services};
use crate::door::require_owner;
use crate::reply::{Fault, Reply, json};

/// Operations that are checked, and then wait for their jobs to be built.
const NOT_YET: [&str; 10] = [
    "CreateCompilationJob",
    "CreateOptimizationJob",
    "DeleteCompilationJob",
    "DeleteOptimizationJob",
    "DescribeCompilationJob",
    "DescribeOptimizationJob",
    "ListCompilationJobs",
    "ListOptimizationJobs",
    "StopCompilationJob",
    "StopOptimizationJob",
];
/// Operations that work.
const SERVED: [&str; 11] = [
    "AddTags",
    "CreateTrainingJob",
    "DeleteTags",
    "DeleteTrainingJob",
    "DescribeTrainingJob",
    "GetSearchSuggestions",
    "ListTags",
    "ListTrainingJobs",
    "Search",
    "StopTrainingJob",
    "UpdateTrainingJob",
];

pub(crate) async fn answer(services: &Services, call: &Call<'_>) -> Result<Reply, Fault> {
    let name = call.operation()?;
    let known = operation(name).filter(|_| SERVED.contains(&name) || NOT_YET.contains(&name));
    let Some(known) = known else {
        return Err(unknown(name));
    };
    require_owner(
        &call.caller,
        &services.identity,
        &format!("sagemaker:{name}"),
    )?;
    let input = call.json()?;
    validate(known, &input).map_err(invalid)?;
    let jobs = &services.jobs;
    match name {
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
        "AddTags" => add_tags(services, read(input)?).await,
        "ListTags" => list_tags(services, &read(input)?),
        "DeleteTags" => delete_tags(services, read(input)?).await,
        _ => Err(not_yet(name)),
    }
}

async fn add_tags(services: &Services, request: AddTagsInput) -> Result<Reply, Fault> {
    let keys: Vec<&str> = request.tags.iter().map(|tag| tag.key.as_str()).collect();
    check_tag_keys(&keys).map_err(JobError::Validation)?;
    let tags = request
        .tags
        .into_iter()
        .map(|tag| (tag.key, tag.value))
        .collect();
    let all = services
        .store
        .tags
        .add(&request.resource_arn, tags)
        .await
        .map_err(tag_fault)?;
    write(&AddTagsOutput {
        tags: Some(tags_of(all)),
    })
}

/// All tags come on one page: a resource has at most fifty, the smallest page
/// that may be asked for.
fn list_tags(services: &Services, request: &ListTagsInput) -> Result<Reply, Fault> {
    let all = services
        .store
        .tags
        .list(&request.resource_arn)
        .map_err(tag_fault)?;
    write(&ListTagsOutput {
        tags: Some(tags_of(all)),
        next_token: None,
    })
}

async fn delete_tags(services: &Services, request: DeleteTagsInput) -> Result<Reply, Fault> {
    let DeleteTagsInput {
        resource_arn,
        tag_keys,
    } = request;
    services
        .store
        .tags
        .delete(&resource_arn, tag_keys)
        .await
        .map_err(tag_fault)?;
    Ok(json("{}"))
}

fn tags_of(pairs: Vec<(String, String)>) -> Vec<Tag> {
    pairs
        .into_iter()
        .map(|(key, value)| Tag { key, value })
        .collect()
}

fn tag_fault(error: StoreError) -> Fault {
    match error {
        StoreError::NoSuchResource => {
            JobError::Validation("Requested resource not found.".to_owned()).into()
        }
        StoreError::TooManyTags => {
            let message = format!("The number of tags exceeds the limit of {TAG_LIMIT}.");
            JobError::Validation(message).into()
        }
        other => Fault::internal(&other),
    }
}

/// Reads a validated input into its type.
fn read<T: DeserializeOwned>(input: serde_json::Value) -> Result<T, Fault> {
    serde_json::from_value(input)
        .map_err(|error| Fault::new("SerializationException", error.to_string()))
}

fn write<T: Serialize>(answer: &T) -> Result<Reply, Fault> {
    serde_json::to_vec(answer)
        .map(json)
        .map_err(|error| Fault::internal(&error))
}

fn invalid(invalid: InvalidRequest) -> Fault {
    Fault::new(invalid.code(), invalid.to_string())
}

fn unknown(name: &str) -> Fault {
    Fault::new(
        "UnknownOperationException",
        format!("The operation '{name}' is not one that Kiln serves."),
    )
}

fn not_yet(name: &str) -> Fault {
    Fault::new(
        "UnsupportedOperationException",
        format!("{name} is not available yet in this version of Kiln."),
    )
}

impl From<JobError> for Fault {
    fn from(error: JobError) -> Self {
        let code = match error {
            JobError::Validation(_) => "ValidationException",
            JobError::InUse(_) => "ResourceInUse",
            JobError::NotFound(_) => "ResourceNotFound",
            JobError::LimitExceeded(_) => "ResourceLimitExceeded",
            JobError::Internal(_) => return Self::internal(&error),
        };
        Self {
            status: StatusCode::BAD_REQUEST,
            code,
            message: error.to_string(),
        }
    }
}
