//! What a training job may ask for of machines and of time.

use kiln_model::api::{CreateTrainingJobRequest, ResourceConfig};

use super::{not_yet, refuse_if};
use crate::training::DEFAULT_MAX_RUNTIME;

/// The longest that a job may be allowed to run, in seconds: 28 days.
const LONGEST_RUNTIME: i32 = 2_419_200;

pub(super) fn the_resources(request: &CreateTrainingJobRequest) -> Result<(), String> {
    let Some(resources) = &request.resource_config else {
        return Err("ResourceConfig is required for this training job.".to_owned());
    };
    let ResourceConfig {
        instance_type,
        instance_count,
        instance_groups,
        ..
    } = resources;
    refuse_if(
        instance_groups.is_some() && (instance_type.is_some() || instance_count.is_some()),
        "You can specify either InstanceGroups or InstanceType and InstanceCount in \
         ResourceConfig, but not both.",
    )?;
    refuse_if(
        instance_groups.is_some(),
        not_yet("ResourceConfig.InstanceGroups"),
    )?;
    refuse_if(
        instance_type.is_none() || instance_count.is_none(),
        "InstanceType and InstanceCount are required in ResourceConfig.",
    )?;
    refuse_if(
        instance_count.is_some_and(|n| n > 1),
        not_yet("ResourceConfig.InstanceCount above 1"),
    )?;
    refuse_if(
        instance_count.is_some_and(|n| n < 1),
        "InstanceCount in ResourceConfig must be at least 1.",
    )?;
    let kept = resources
        .keep_alive_period_in_seconds
        .is_some_and(|seconds| seconds > 0);
    refuse_if(kept, not_yet("ResourceConfig.KeepAlivePeriodInSeconds"))?;
    let encrypted = resources
        .volume_kms_key_id
        .as_ref()
        .is_some_and(|key| !key.is_empty());
    refuse_if(encrypted, not_yet("ResourceConfig.VolumeKmsKeyId"))?;
    refuse_if(
        resources.training_plan_arn.is_some(),
        not_yet("ResourceConfig.TrainingPlanArn"),
    )
}

pub(super) fn the_stopping_condition(request: &CreateTrainingJobRequest) -> Result<(), String> {
    let spot = request.enable_managed_spot_training == Some(true);
    let stopping = request.stopping_condition.clone().unwrap_or_default();
    let wait = stopping.max_wait_time_in_seconds;
    refuse_if(
        wait.is_some() && !spot,
        "MaxWaitTimeInSeconds above 0 is valid only when EnableManagedSpotTraining is true.",
    )?;
    let runtime = stopping.max_runtime_in_seconds;
    let runtime = runtime.unwrap_or(DEFAULT_MAX_RUNTIME);
    refuse_if(
        runtime > LONGEST_RUNTIME,
        format!("MaxRuntimeInSeconds must be at most {LONGEST_RUNTIME} seconds, which is 28 days."),
    )?;
    refuse_if(
        wait.is_some_and(|wait| wait < runtime),
        "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to \
         MaxRuntimeInSeconds.",
    )?;
    refuse_if(spot, not_yet("EnableManagedSpotTraining"))?;
    let pending = stopping.max_pending_time_in_seconds.is_some();
    refuse_if(
        pending,
        not_yet("StoppingCondition.MaxPendingTimeInSeconds"),
    )
}
