//! The SageMaker API: each operation checked against the model, read into its
//! type, and handed to the jobs.

mod compilation;
mod models;
mod optimization;
mod tags;
mod training;

use http::StatusCode;
use kiln_jobs::JobError;
use kiln_model::{InvalidRequest, operation, validate};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Call, Services};
use crate::door::require_owner;
use crate::reply::{Fault, Reply, json};

/// Operations that are served.
const SERVED: [&str; 25] = [
    "AddTags",
    "CreateCompilationJob",
    "CreateModel",
    "CreateOptimizationJob",
    "CreateTrainingJob",
    "DeleteCompilationJob",
    "DeleteModel",
    "DeleteOptimizationJob",
    "DeleteTags",
    "DeleteTrainingJob",
    "DescribeCompilationJob",
    "DescribeModel",
    "DescribeOptimizationJob",
    "DescribeTrainingJob",
    "GetSearchSuggestions",
    "ListCompilationJobs",
    "ListModels",
    "ListOptimizationJobs",
    "ListTags",
    "ListTrainingJobs",
    "Search",
    "StopCompilationJob",
    "StopOptimizationJob",
    "StopTrainingJob",
    "UpdateTrainingJob",
];

pub(crate) async fn answer(services: &Services, call: &Call<'_>) -> Result<Reply, Fault> {
    let name = call.operation()?;
    let Some(known) = operation(name).filter(|_| SERVED.contains(&name)) else {
        return Err(unknown(name));
    };
    require_owner(
        &call.caller,
        &services.identity,
        &format!("sagemaker:{name}"),
    )?;
    let input = call.json()?;
    validate(known, &input).map_err(invalid)?;
    match name {
        "AddTags" => tags::add_tags(services, read(input)?).await,
        "ListTags" => tags::list_tags(services, &read(input)?),
        "DeleteTags" => tags::delete_tags(services, read(input)?).await,
        _ if name.contains("CompilationJob") => {
            compilation::answer(services.jobs.compilation(), name, input).await
        }
        _ if name.contains("OptimizationJob") => {
            optimization::answer(&services.jobs, name, input).await
        }
        _ if name.contains("Model") => models::answer(services.jobs.models(), name, input).await,
        _ => training::answer(services.jobs.training(), name, input).await,
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
