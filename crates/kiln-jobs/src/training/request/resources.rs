//! What a training job may ask for of machines and of time.

use std::collections::HashSet;

use kiln_model::api::{CreateTrainingJobRequest, InstanceGroup, ResourceConfig};

use super::{not_yet, refuse_if};
use crate::training::{DEFAULT_MAX_RUNTIME, hosts};

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
    match instance_groups {
        Some(groups) => the_groups(groups)?,
        None => refuse_if(
            instance_type.is_none() || instance_count.is_none(),
            "InstanceType and InstanceCount are required in ResourceConfig.",
        )?,
    }
    let counts = instance_groups.iter().flatten().map(|g| g.instance_count);
    let counts: Vec<i32> = counts.chain(*instance_count).collect();
    refuse_if(
        counts.iter().any(|count| *count < 1),
        "InstanceCount in ResourceConfig must be at least 1.",
    )?;
    let hosts: i64 = counts.iter().copied().map(i64::from).sum();
    refuse_if(
        hosts > hosts::MOST as i64,
        format!(
            "A training job can have at most {} instances in this version of Kiln.",
            hosts::MOST
        ),
    )?;
    the_warm_pool(request, resources)?;
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

fn the_groups(groups: &[InstanceGroup]) -> Result<(), String> {
    refuse_if(
        groups.is_empty(),
        "InstanceGroups in ResourceConfig must name at least one instance group.",
    )?;
    let names: HashSet<_> = groups.iter().map(|g| &g.instance_group_name).collect();
    refuse_if(
        names.len() < groups.len(),
        "The names of InstanceGroups in ResourceConfig must be unique.",
    )
}

/// What is kept warm is one set of equal instances that nobody takes away.
fn the_warm_pool(
    request: &CreateTrainingJobRequest,
    resources: &ResourceConfig,
) -> Result<(), String> {
    let kept = resources.keep_alive_period_in_seconds.unwrap_or(0) > 0;
    refuse_if(
        kept && request.enable_managed_spot_training == Some(true),
        "KeepAlivePeriodInSeconds is not supported when EnableManagedSpotTraining is true.",
    )?;
    refuse_if(
        kept && resources.instance_groups.is_some(),
        "KeepAlivePeriodInSeconds is not supported with InstanceGroups.",
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
        spot && wait.is_none_or(|wait| wait < runtime),
        "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to \
         MaxRuntimeInSeconds.",
    )
}
