//! What an optimization job may ask for, beyond what the shapes say.
//!
//! What the options mean and which of them go together, `kiln-optimize` knows, and an
//! image that somebody brings knows better: a job that asks for the impossible fails.

use kiln_model::api::CreateOptimizationJobRequest;

use super::named_model;
use super::place::{self, FoundModel};
use super::steps::{self, steps, word};
use crate::check_tag_keys;

/// Seconds for which a job may run when its request names no limit: one day.
pub(super) const DEFAULT_MAX_RUNTIME: i32 = 86_400;

type Check = fn(&CreateOptimizationJobRequest) -> Result<(), String>;

const CHECKS: [Check; 8] = [
    the_model,
    the_licence,
    the_techniques,
    the_order,
    the_data,
    the_places,
    the_stopping_condition,
    the_tags,
];

/// Checks a request whose shapes are right, and fills in the defaults that a describe
/// call shows.
///
/// # Errors
/// The message of the first check that fails.
pub(super) fn accept(
    mut request: CreateOptimizationJobRequest,
) -> Result<CreateOptimizationJobRequest, String> {
    CHECKS.iter().try_for_each(|check| check(&request))?;
    let runtime = &mut request.stopping_condition.max_runtime_in_seconds;
    runtime.get_or_insert(DEFAULT_MAX_RUNTIME);
    Ok(request)
}

fn the_model(request: &CreateOptimizationJobRequest) -> Result<(), String> {
    let source = &request.model_source;
    match (&source.s3, &source.sage_maker_model) {
        (Some(_), Some(_)) => {
            Err("You can specify S3 or SageMakerModel in ModelSource, but not both.".to_owned())
        }
        (None, None) => {
            Err("You must specify either S3 or SageMakerModel in ModelSource.".to_owned())
        }
        (None, Some(_)) => match named_model(request) {
            Some(_) => Ok(()),
            None => Err("ModelName is required in ModelSource.SageMakerModel.".to_owned()),
        },
        (Some(_), None) => place::of_source(source).map(drop),
    }
}

fn the_licence(request: &CreateOptimizationJobRequest) -> Result<(), String> {
    let s3 = request.model_source.s3.as_ref();
    match s3.and_then(|s3| s3.model_access_config.as_ref()) {
        Some(access) if !access.accept_eula => Err(
            "The end-user license agreement (EULA) of the model must be accepted to optimize it: \
             set AcceptEula to true in ModelAccessConfig once you have read it."
                .to_owned(),
        ),
        _ => Ok(()),
    }
}

fn the_techniques(request: &CreateOptimizationJobRequest) -> Result<(), String> {
    let mut seen = Vec::new();
    for step in steps(request) {
        if seen.contains(&step.technique) {
            return Err(format!(
                "OptimizationConfigs has more than one Model{}Config. Each technique can be applied \
                 once in an optimization job.",
                word(step.technique)
            ));
        }
        seen.push(step.technique);
    }
    match seen.is_empty() {
        true => Err("OptimizationConfigs must have at least one configuration.".to_owned()),
        false => Ok(()),
    }
}

/// What Kiln itself makes of a model is what it is served as, and it can make nothing of that.
fn the_order(request: &CreateOptimizationJobRequest) -> Result<(), String> {
    let steps: Vec<_> = steps(request).collect();
    let mut pairs = steps.windows(2);
    match pairs.find(|pair| pair.iter().all(|step| !step.is_brought())) {
        Some([first, then, ..]) => Err(format!(
            "Model{}Config cannot follow Model{}Config where neither has an Image: what Kiln makes \
             of a model is ready to be served. Give one of them an Image, or make a job of each.",
            word(then.technique),
            word(first.technique)
        )),
        _ => Ok(()),
    }
}

fn the_data(request: &CreateOptimizationJobRequest) -> Result<(), String> {
    steps::data(request).map(drop)
}

fn the_places(request: &CreateOptimizationJobRequest) -> Result<(), String> {
    place::output(&request.output_config)?;
    if request.model_source.s3.is_some() {
        place::of_source(&request.model_source)?;
    }
    match request.output_config.sage_maker_model {
        Some(_) => Err(
            "SageMakerModel in OutputConfig is not available in this version of Kiln: create the \
             model from S3OutputLocation once the job has completed."
                .to_owned(),
        ),
        None => Ok(()),
    }
}

fn the_stopping_condition(request: &CreateOptimizationJobRequest) -> Result<(), String> {
    match request.stopping_condition.max_wait_time_in_seconds {
        Some(_) => Err(
            "MaxWaitTimeInSeconds is for managed spot training and not valid for an optimization \
             job."
                .to_owned(),
        ),
        None => Ok(()),
    }
}

fn the_tags(request: &CreateOptimizationJobRequest) -> Result<(), String> {
    let tags = request.tags.iter().flatten();
    let keys: Vec<&str> = tags.map(|tag| tag.key.as_str()).collect();
    check_tag_keys(&keys)
}

/// Sees to it that the result does not replace the model.
pub(super) fn keeps_the_model(
    request: &CreateOptimizationJobRequest,
    model: &FoundModel,
) -> Result<(), String> {
    if *model.place.uri() != place::output(&request.output_config)? {
        return Ok(());
    }
    Err(format!(
        "The S3OutputLocation \"{}\" in OutputConfig is where the model comes from. Give another \
         prefix: the optimized model must not replace it.",
        request.output_config.s3_output_location
    ))
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
