//! `UpdateTrainingJob`: the few things that may change while a job runs.

use kiln_model::api::{
    CreateTrainingJobRequest, ProfilerConfig, ProfilerConfigForUpdate, SecondaryStatus,
    TrainingJobStatus, UpdateTrainingJobRequest,
};
use kiln_model::{Arn, Timestamp};

use super::{Job, TrainingJobs, request};
use crate::JobError;
use crate::plane::{now, settle};

impl TrainingJobs {
    /// `UpdateTrainingJob`.
    ///
    /// # Errors
    /// When there is no such job, it is in the wrong status, or what is asked
    /// is not available yet.
    pub async fn update(&self, request: UpdateTrainingJobRequest) -> Result<Arn, JobError> {
        let this = self.clone();
        settle(async move { this.write_update(request).await }).await
    }

    /// Writes what is asked for down, and sees to what it means for a warm pool.
    async fn write_update(&self, request: UpdateTrainingJobRequest) -> Result<Arn, JobError> {
        let name = request.training_job_name.clone();
        let kept = request.resource_config.is_some();
        let update = move |job: &mut Job| {
            apply(job, &request, now()).map_err(JobError::Validation)?;
            job.state.modified = job.state.modified.max(now());
            Ok((job.arn.clone(), job.state.warm_pool.clone()))
        };
        let (arn, pool) = self.change(&name, update).await?;
        if let Some(pool) = pool.filter(|_| kept) {
            self.tend_warm_pool(&name, &pool);
        }
        if let Err(error) = self.place_rules(&name).await {
            // They are placed with the job's next attempt, or end with the job.
            tracing::error!(job = name, %error, "the rules of a job could not be placed");
        }
        // The profiler may have been turned off or on.
        self.shared.plane.tell();
        Ok(arn)
    }
}

fn apply(job: &mut Job, update: &UpdateTrainingJobRequest, at: Timestamp) -> Result<(), String> {
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
    if let Some(update) = resource_config {
        keep_for(job, update.keep_alive_period_in_seconds, at)?;
    }
    if let Some(rules) = rules {
        let status = job.state.status;
        require(status == TrainingJobStatus::InProgress, status.as_str())?;
        let mut updated = job.request.clone();
        let all = updated.profiler_rule_configurations.get_or_insert_default();
        all.extend(rules.iter().cloned());
        job.add_rules(updated, at)?;
    }
    let state = &job.state;
    if let Some(update) = profiler_config {
        require(
            state.status == TrainingJobStatus::InProgress,
            state.status.as_str(),
        )?;
        let mut updated = job.request.clone();
        merge_profiler(updated.profiler_config.get_or_insert_default(), update);
        check_outputs(job, &updated)?;
        job.request = updated;
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

fn keep_for(job: &mut Job, seconds: i32, at: Timestamp) -> Result<(), String> {
    let Some(pool) = &mut job.state.warm_pool else {
        return Err(
            "The request was rejected because the training job has no warm pool. \
             KeepAlivePeriodInSeconds can be updated only while there is one in status Available."
                .to_owned(),
        );
    };
    let kept = pool.keep_for(seconds.max(0).unsigned_abs(), at);
    kept.map_err(|error| error.to_string())?;
    if let Some(resources) = &mut job.request.resource_config {
        resources.keep_alive_period_in_seconds = Some(seconds);
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

/// An instance keeps in step what its plan says, so from then on no directory can
/// be added, and none can go elsewhere.
fn check_outputs(job: &Job, updated: &CreateTrainingJobRequest) -> Result<(), String> {
    // What is no place is refused in any case.
    request::places(updated)?;
    let asked = request::profile_path(updated);
    if job.state.is_waiting() || asked.is_none() || asked == job.state.profile {
        return Ok(());
    }
    Err(
        "The profiler cannot be turned on for a training job that began to run without it, nor \
         can its S3OutputPath be changed: that is not available in this version of Kiln."
            .to_owned(),
    )
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

#[cfg(test)]
mod tests {
    use kiln_model::{Arn, Timestamp};
    use serde_json::{Value, json};

    use super::*;
    use crate::Party;
    use crate::training::state::{Event, TrainingState};
    use crate::training::state_change::Heard;
    use crate::training::terms::Terms;
    use crate::{Access, Scope};

    fn job(placed: bool) -> Job {
        let at = Timestamp::from_millis(0).unwrap();
        let request: CreateTrainingJobRequest = serde_json::from_value(json!({
            "TrainingJobName": "job",
            "RoleArn": "arn:aws:iam::123456789012:role/r",
            "OutputDataConfig": {"S3OutputPath": "s3://outputs"},
            "ProfilerConfig": {"S3OutputPath": "s3://profile"},
        }))
        .unwrap();
        let mut state = TrainingState::new(at);
        if placed {
            let placed = Event::Placed {
                instances: vec![String::new(); 1],
                remark: None,
            };
            state.step(placed, at, &Terms::of(&request));
            state.profile = request::profile_path(&request);
        }
        let arn: Arn = "arn:aws:sagemaker:us-east-1:123456789012:training-job/job"
            .parse()
            .unwrap();
        Job {
            arn,
            request,
            state,
            heard: Heard::Nobody,
        }
    }

    fn updated(job: &mut Job, config: Value) -> Result<(), String> {
        let update = json!({"TrainingJobName": "job", "ProfilerConfig": config});
        let at = Timestamp::from_millis(0).unwrap();
        apply(job, &serde_json::from_value(update).unwrap(), at)
    }

    #[test]
    fn where_a_running_job_stores_its_profile_stays_as_it_is() {
        // (what is asked for, whether a waiting job takes it, and a running one)
        let cases = [
            (json!({"ProfilingIntervalInMilliseconds": 100}), true, true),
            (json!({"DisableProfiler": true}), true, true),
            (json!({"S3OutputPath": "s3://profile"}), true, true),
            (json!({"S3OutputPath": "s3://elsewhere"}), true, false),
            (json!({"S3OutputPath": "https://elsewhere"}), false, false),
        ];
        for (config, waiting, running) in cases {
            for (placed, allowed) in [(false, waiting), (true, running)] {
                let mut job = job(placed);
                let before = job.request.clone();
                let outcome = updated(&mut job, config.clone());
                assert_eq!(outcome.is_ok(), allowed, "{config} {placed} {outcome:?}");
                assert_eq!(
                    job.request == before,
                    !allowed || config == json!({"S3OutputPath": "s3://profile"})
                );
            }
        }
    }

    #[test]
    fn a_profiler_that_is_turned_off_may_still_be_stored() {
        let mut job = job(true);
        updated(&mut job, json!({"DisableProfiler": true})).unwrap();
        let scope = Scope::of(&job.request, Party::Agent);
        assert!(scope.allows(Access::Write, "profile", "job/profiler-output/f"));
        updated(&mut job, json!({"DisableProfiler": false})).unwrap();
        job.state.profile = None;
        let error = updated(&mut job, json!({"DisableProfiler": false})).unwrap_err();
        assert!(error.contains("cannot be turned on"), "{error}");
    }
}
