//! What a training job may ask for of its outputs: the model, and the
//! directories that are kept in step with S3 while it runs.

use std::path::{Component, Path};

use kiln_agent::plan::Kept;
use kiln_model::S3Uri;
use kiln_model::api::CreateTrainingJobRequest;

use super::{parse, refuse_if};

/// Where checkpoints lie when the request does not say.
pub const CHECKPOINTS: &str = "/opt/ml/checkpoints";
/// Where Debugger's tensors lie when the request does not say.
pub const TENSORS: &str = "/opt/ml/output/tensors";
/// Where the profiler's files lie.
pub const PROFILE: &str = "/opt/ml/output/profiler";
/// Where TensorBoard's files lie when the request does not say.
pub const TENSORBOARD: &str = "/opt/ml/output/tensorboard";

/// Milliseconds between two measurements when the request does not say, as the
/// service model has it.
pub const PROFILING_INTERVAL: u64 = 500;

/// The member that asks for the profiler.
pub const PROFILER: &str = "ProfilerConfig";

/// Directories of the container that belong to something else.
const TAKEN: [&str; 6] = [
    "/opt/ml/input",
    "/opt/ml/model",
    "/opt/ml/output/data",
    "/proc",
    "/sys",
    "/dev",
];

/// A directory that is kept in step with a place in S3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Synchronised {
    /// The member of the request that asks for it.
    pub config: &'static str,
    /// What it holds.
    pub kept: Kept,
    /// The path in the container.
    pub path: String,
    /// The place.
    pub place: S3Uri,
}

/// Where a request's outputs go.
///
/// # Errors
/// When that is no S3 URI.
pub fn output(request: &CreateTrainingJobRequest) -> Result<S3Uri, String> {
    parse(&request.output_data_config.s3_output_path)
}

/// The directories that a request wants kept in step.
///
/// # Errors
/// When a place is no S3 URI.
pub fn synchronised(request: &CreateTrainingJobRequest) -> Result<Vec<Synchronised>, String> {
    let profiler = request.profiler_config.as_ref();
    let off = profiler.is_some_and(|config| config.disable_profiler == Some(true));
    let mut all = places(request)?;
    all.retain(|one| !(off && one.config == PROFILER));
    Ok(all)
}

/// Where a request has the profiler's records stored, unless it is turned off.
#[must_use]
pub fn profile_path(request: &CreateTrainingJobRequest) -> Option<String> {
    let config = request.profiler_config.as_ref()?;
    let on = config.disable_profiler != Some(true);
    config.s3_output_path.clone().filter(|_| on)
}

/// Milliseconds between two of the profiler's measurements, when a request has it
/// measure.
#[must_use]
pub fn profiling_interval(request: &CreateTrainingJobRequest) -> Option<u64> {
    profile_path(request)?;
    let config = request.profiler_config.as_ref()?;
    let interval = config.profiling_interval_in_milliseconds;
    Some(interval.map_or(PROFILING_INTERVAL, i64::unsigned_abs))
}

/// The directories that a request names a place for. Those of a profiler that is
/// turned off are among them: it may have been on when the instance was placed.
///
/// # Errors
/// When a place is no S3 URI.
pub fn places(request: &CreateTrainingJobRequest) -> Result<Vec<Synchronised>, String> {
    let local = |path: &Option<String>, default: &str| {
        let path = path.as_deref().filter(|path| !path.is_empty());
        path.unwrap_or(default).to_owned()
    };
    let mut all = Vec::new();
    if let Some(config) = &request.checkpoint_config {
        all.push(Synchronised {
            config: "CheckpointConfig",
            kept: Kept::Checkpoints,
            path: local(&config.local_path, CHECKPOINTS),
            place: parse(&config.s3_uri)?,
        });
    }
    if let Some(config) = &request.debug_hook_config {
        all.push(Synchronised {
            config: "DebugHookConfig",
            kept: Kept::Records,
            path: local(&config.local_path, TENSORS),
            place: below_job(request, &config.s3_output_path, "debug-output")?,
        });
    }
    let profiler = request.profiler_config.as_ref();
    if let Some(path) = profiler.and_then(|config| config.s3_output_path.as_ref()) {
        all.push(Synchronised {
            config: PROFILER,
            kept: Kept::Records,
            path: PROFILE.to_owned(),
            place: below_job(request, path, "profiler-output")?,
        });
    }
    if let Some(config) = &request.tensor_board_output_config {
        all.push(Synchronised {
            config: "TensorBoardOutputConfig",
            kept: Kept::Events,
            path: local(&config.local_path, TENSORBOARD),
            place: below_job(request, &config.s3_output_path, "tensorboard-output")?,
        });
    }
    Ok(all)
}

/// The place of one of the job's own directories below a path that the request
/// names.
///
/// # Errors
/// When the path is no S3 URI.
pub fn below_job(
    request: &CreateTrainingJobRequest,
    path: &str,
    directory: &str,
) -> Result<S3Uri, String> {
    let name = &request.training_job_name;
    Ok(parse(path)?.child(&format!("{name}/{directory}")))
}

pub(super) fn the_output(request: &CreateTrainingJobRequest) -> Result<(), String> {
    output(request)?;
    let all = synchronised(request)?;
    for one in &all {
        the_path(one)?;
    }
    let inside = |one: &&Synchronised, other: &Synchronised| {
        **one != *other && Path::new(&one.path).starts_with(&other.path)
    };
    let nested = all
        .iter()
        .find_map(|other| all.iter().find(|one| inside(one, other)));
    match nested {
        Some(one) => Err(format!(
            "The local path {} lies in another directory that is synchronised with Amazon S3.",
            one.path
        )),
        None => Ok(()),
    }
}

fn the_path(one: &Synchronised) -> Result<(), String> {
    let path = Path::new(&one.path);
    let plain = path.is_absolute()
        && path.components().skip(1).count() > 0
        && path
            .components()
            .all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    refuse_if(
        !plain,
        format!(
            "The local path {} is not valid. Give an absolute path of a directory.",
            one.path
        ),
    )?;
    let taken = TAKEN
        .iter()
        .find(|taken| path.starts_with(taken) || Path::new(taken).starts_with(path));
    match taken {
        Some(taken) => Err(format!(
            "The local path {} is not valid: it collides with {taken}, which is reserved.",
            one.path
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn job(more: Value) -> CreateTrainingJobRequest {
        let mut request = json!({
            "TrainingJobName": "job",
            "RoleArn": "arn:aws:iam::123456789012:role/r",
            "OutputDataConfig": {"S3OutputPath": "s3://outputs"},
        });
        for (name, value) in more.as_object().unwrap() {
            request[name] = value.clone();
        }
        serde_json::from_value(request).unwrap()
    }

    #[test]
    fn what_is_synchronised_and_where() {
        let request = job(json!({
            "CheckpointConfig": {"S3Uri": "s3://state/here", "LocalPath": "/state"},
            "DebugHookConfig": {"S3OutputPath": "s3://debug/"},
            "ProfilerConfig": {"S3OutputPath": "s3://profile/x"},
            "TensorBoardOutputConfig": {"S3OutputPath": "s3://boards/", "LocalPath": "/tmp/tb"},
        }));
        let found: Vec<(String, String)> = synchronised(&request)
            .unwrap()
            .into_iter()
            .map(|one| (one.path, one.place.to_string()))
            .collect();
        let expected = [
            ("/state", "s3://state/here"),
            (TENSORS, "s3://debug/job/debug-output"),
            (PROFILE, "s3://profile/x/job/profiler-output"),
            ("/tmp/tb", "s3://boards/job/tensorboard-output"),
        ];
        assert_eq!(
            found,
            expected.map(|(path, place)| (path.to_owned(), place.to_owned()))
        );
        the_output(&request).unwrap();
        let off = job(
            json!({"ProfilerConfig": {"S3OutputPath": "s3://profile", "DisableProfiler": true}}),
        );
        assert_eq!(synchronised(&off), Ok(vec![]));
    }

    #[test]
    fn paths_that_belong_to_something_else_are_refused() {
        let cases = [
            ("/opt/ml/checkpoints", true),
            ("/state", true),
            ("/opt/ml/output/state", true),
            ("/opt/ml/input/state", false),
            ("/opt/ml/output/data/x", false),
            ("/opt/ml/output", false),
            ("/opt/ml", false),
            ("/", false),
            ("state", false),
            ("/a/../opt/ml/model", false),
            ("/proc/1", false),
        ];
        for (path, allowed) in cases {
            let config = json!({"S3Uri": "s3://state/here", "LocalPath": path});
            let outcome = the_output(&job(json!({"CheckpointConfig": config})));
            assert_eq!(outcome.is_ok(), allowed, "{path}: {outcome:?}");
        }
        let nested = job(json!({
            "CheckpointConfig": {"S3Uri": "s3://state/here", "LocalPath": "/state"},
            "TensorBoardOutputConfig": {"S3OutputPath": "s3://boards/", "LocalPath": "/state/tb"},
        }));
        assert!(the_output(&nested).is_err());
    }
}
