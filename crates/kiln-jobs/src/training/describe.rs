//! What `DescribeTrainingJob` answers: the request as it was made, with the
//! cloud's normalisations, and what has happened since.

use kiln_model::api::{
    Channel, CompressionType, CreateTrainingJobRequest, DescribeTrainingJobResponse, MetricData,
    ModelArtifacts, OutputCompressionType, OutputDataConfig, ProfilerConfig, ProfilingStatus,
    RecordWrapper, TrainingJobStatus,
};
use kiln_model::{Arn, Timestamp};

use super::request::{PROFILING_INTERVAL, profiling_interval};
use super::rule_statuses::{debug_statuses, profiler_statuses};
use super::state::TrainingState;
use super::warm_pool::WarmPool;

/// Renders the description of a job.
#[must_use]
pub fn describe(
    arn: &Arn,
    request: &CreateTrainingJobRequest,
    state: &TrainingState,
) -> DescribeTrainingJobResponse {
    let request = request.clone();
    let profiling_status = match profiling_interval(&request) {
        Some(_) => ProfilingStatus::Enabled,
        None => ProfilingStatus::Disabled,
    };
    let training_time = training_seconds(&request, state);
    let billable_time = billable_seconds(&request, state);
    DescribeTrainingJobResponse {
        training_job_name: request.training_job_name.clone(),
        training_job_arn: arn.to_string(),
        tuning_job_arn: None,
        labeling_job_arn: None,
        auto_ml_job_arn: None,
        model_artifacts: artifacts(&request, state),
        training_job_status: state.status,
        secondary_status: state.secondary(),
        failure_reason: state.failure_reason.clone(),
        hyper_parameters: request.hyper_parameters,
        algorithm_specification: request.algorithm_specification,
        role_arn: Some(request.role_arn),
        input_data_config: Some(normalised_channels(
            request.input_data_config.unwrap_or_default(),
        )),
        output_data_config: Some(normalised_output(request.output_data_config)),
        resource_config: request.resource_config,
        warm_pool_status: state.warm_pool.as_ref().map(WarmPool::status),
        vpc_config: request.vpc_config,
        stopping_condition: request.stopping_condition.unwrap_or_default(),
        creation_time: state.created,
        training_start_time: state.started,
        training_end_time: state.ended,
        last_modified_time: Some(state.modified),
        secondary_status_transitions: Some(state.transitions.clone()),
        final_metric_data_list: final_metrics(state),
        enable_network_isolation: Some(request.enable_network_isolation.unwrap_or(false)),
        enable_inter_container_traffic_encryption: Some(
            request
                .enable_inter_container_traffic_encryption
                .unwrap_or(false),
        ),
        enable_managed_spot_training: Some(request.enable_managed_spot_training.unwrap_or(false)),
        checkpoint_config: request.checkpoint_config,
        training_time_in_seconds: training_time,
        billable_time_in_seconds: billable_time,
        billable_token_count: None,
        debug_hook_config: request.debug_hook_config,
        experiment_config: request.experiment_config,
        debug_rule_configurations: request.debug_rule_configurations,
        tensor_board_output_config: request.tensor_board_output_config,
        debug_rule_evaluation_statuses: debug_statuses(arn, &state.rules),
        profiler_config: request.profiler_config.map(normalised_profiler),
        profiler_rule_configurations: request.profiler_rule_configurations,
        profiler_rule_evaluation_statuses: profiler_statuses(arn, &state.rules),
        profiling_status: Some(profiling_status),
        environment: request.environment,
        retry_strategy: request.retry_strategy,
        remote_debug_config: request.remote_debug_config,
        infra_check_config: request.infra_check_config,
        serverless_job_config: request.serverless_job_config,
        mlflow_config: request.mlflow_config,
        model_package_config: request.model_package_config,
        mlflow_details: None,
        progress_info: None,
        output_model_package_arn: None,
    }
}

/// The prefix of a job's outputs: `<S3OutputPath>/<name>/output/`, with one
/// slash wherever the path ends.
#[must_use]
pub fn output_prefix(request: &CreateTrainingJobRequest) -> String {
    let path = request
        .output_data_config
        .s3_output_path
        .trim_end_matches('/');
    format!("{path}/{}/output/", request.training_job_name)
}

fn artifacts(request: &CreateTrainingJobRequest, state: &TrainingState) -> Option<ModelArtifacts> {
    let raw = request.output_data_config.compression_type == Some(OutputCompressionType::None);
    let name = if raw { "model/" } else { "model.tar.gz" };
    state.stored.then(|| ModelArtifacts {
        s3_model_artifacts: format!("{}{name}", output_prefix(request)),
    })
}

fn normalised_channels(channels: Vec<Channel>) -> Vec<Channel> {
    let normalised = |mut channel: Channel| {
        channel
            .compression_type
            .get_or_insert(CompressionType::None);
        channel
            .record_wrapper_type
            .get_or_insert(RecordWrapper::None);
        channel
    };
    channels.into_iter().map(normalised).collect()
}

fn normalised_profiler(mut profiler: ProfilerConfig) -> ProfilerConfig {
    if profiler.disable_profiler != Some(true) {
        let interval = &mut profiler.profiling_interval_in_milliseconds;
        interval.get_or_insert(PROFILING_INTERVAL.cast_signed());
    }
    profiler
}

fn normalised_output(mut output: OutputDataConfig) -> OutputDataConfig {
    output.kms_key_id.get_or_insert_default();
    output
}

/// Whole seconds from the first download to the end, as the cloud counts them;
/// known once a job that got that far has ended. The cloud's clients show what a
/// spot job has saved as a share of them, so that it has at least one.
fn training_seconds(request: &CreateTrainingJobRequest, state: &TrainingState) -> Option<i32> {
    let whole = |time: Timestamp| time.millis().div_euclid(1000);
    let seconds = whole(state.ended?) - whole(state.started?);
    let least = i64::from(request.enable_managed_spot_training == Some(true));
    Some(i32::try_from(seconds.max(least)).unwrap_or(i32::MAX))
}

/// A spot job's instances cost nothing while it waits for new ones.
fn billable_seconds(request: &CreateTrainingJobRequest, state: &TrainingState) -> Option<i32> {
    let all = training_seconds(request, state)?;
    if request.enable_managed_spot_training != Some(true) {
        return Some(all);
    }
    let used = i32::try_from(state.used.div_euclid(1000)).unwrap_or(i32::MAX);
    Some(used.clamp(1, all))
}

fn final_metrics(state: &TrainingState) -> Option<Vec<MetricData>> {
    let ended = !matches!(
        state.status,
        TrainingJobStatus::InProgress | TrainingJobStatus::Stopping
    );
    let metrics = state.metrics.iter().map(|(name, last)| MetricData {
        metric_name: Some(name.clone()),
        value: Some(f64::from(last.value)),
        timestamp: whole_second(last.at),
    });
    (ended && !state.metrics.is_empty()).then(|| metrics.collect())
}

fn whole_second(at: Timestamp) -> Option<Timestamp> {
    Timestamp::from_millis(at.millis().div_euclid(1000) * 1000).ok()
}
