//! `UpdateTrainingJob`: the few things that may change while a job runs.

use kiln_model::Arn;
use kiln_model::api::{
    ProfilerConfig, ProfilerConfigForUpdate, SecondaryStatus, TrainingJobStatus,
    UpdateTrainingJobRequest,
};

use super::{Job, TrainingJobs, now};
use crate::JobError;

impl TrainingJobs {
    /// `UpdateTrainingJob`.
    ///
    /// # Errors
    /// When there is no such job, it is in the wrong status, or what is asked
    /// is not available yet.
    pub async fn update(&self, request: UpdateTrainingJobRequest) -> Result<Arn, JobError> {
        let name = request.training_job_name.clone();
        self.change(&name, move |job| {
            apply(job, &request).map_err(JobError::Validation)?;
            job.state.modified = job.state.modified.max(now());
            Ok(job.arn.clone())
        })
        .await
    }
}

fn apply(job: &mut Job, update: &UpdateTrainingJobRequest) -> Result<(), String> {
    let UpdateTrainingJobRequest {
        profiler_config,
        profiler_rule_configurations,
        resource_config,
        remote_debug_config,
        ..
    } = update;
    let rules = profiler_rule_configurations
        .as_ref()
        .filter(|rules| !rules.is_empty());
    if profiler_config.is_none()
        && rules.is_none()
        && resource_config.is_none()
        && remote_debug_config.is_none()
    {
        return Err("Invalid UpdateTrainingJobRequest, the request cannot be empty".to_owned());
    }
    if rules.is_some() {
        return Err("ProfilerRuleConfigurations is not available in this version of Kiln.".into());
    }
    if resource_config.is_some() {
        return Err(
            "The training job has no warm pool in status Available, so its \
            KeepAlivePeriodInSeconds cannot be updated."
                .to_owned(),
        );
    }
    let state = &job.state;
    if let Some(update) = profiler_config {
        require(
            state.status == TrainingJobStatus::InProgress,
            state.status.as_str(),
        )?;
        merge_profiler(job.request.profiler_config.get_or_insert_default(), update);
    }
    if let Some(update) = remote_debug_config {
        let secondary = state.secondary();
        let running = matches!(
            secondary,
            SecondaryStatus::Downloading | SecondaryStatus::Training
        );
        require(running, secondary.as_str())?;
        let config = job.request.remote_debug_config.get_or_insert_default();
        config.enable_remote_debug = update.enable_remote_debug;
    }
    Ok(())
}

fn require(allowed: bool, status: &str) -> Result<(), String> {
    if allowed {
        return Ok(());
    }
    Err(format!(
        "The request was rejected because the training job is in status {status}."
    ))
}

fn merge_profiler(config: &mut ProfilerConfig, update: &ProfilerConfigForUpdate) {
    let ProfilerConfigForUpdate {
        s3_output_path,
        profiling_interval_in_milliseconds,
        profiling_parameters,
        disable_profiler,
    } = update.clone();
    config.s3_output_path = s3_output_path.or(config.s3_output_path.take());
    config.profiling_interval_in_milliseconds =
        profiling_interval_in_milliseconds.or(config.profiling_interval_in_milliseconds);
    config.profiling_parameters = profiling_parameters.or(config.profiling_parameters.take());
    config.disable_profiler = disable_profiler.or(config.disable_profiler);
}
