//! What `DescribeCompilationJob` answers: the request as it was made, and what has
//! happened since.
//!
//! The model requires `FailureReason` and `ModelArtifacts` in every answer: where
//! there is nothing to say yet, they are empty, as typed clients expect.

use kiln_agent::report::Compiled;
use kiln_model::Arn;
use kiln_model::api::{
    CreateCompilationJobRequest, DerivedInformation, DescribeCompilationJobResponse,
    ModelArtifacts, ModelDigests,
};

use super::place;
use crate::JobError;
use crate::solo::SoloState;

/// Renders the description of a job.
///
/// # Errors
/// When the request names no model or no places, which its acceptance rules out.
pub(super) fn describe(
    arn: &Arn,
    request: &CreateCompilationJobRequest,
    state: &SoloState<Compiled>,
) -> Result<DescribeCompilationJobResponse, JobError> {
    let request = request.clone();
    let damaged = || JobError::Internal("a stored request has no InputConfig".to_owned());
    let compiled = state.outcome.clone().filter(|_| state.stored);
    let derived = compiled
        .as_ref()
        .and_then(|compiled| compiled.derived_data_input_config.clone());
    let digest = compiled
        .as_ref()
        .map(|compiled| compiled.artifact_digest.clone());
    let artifact = place::artifact(&request.output_config).map_err(JobError::Internal)?;
    Ok(DescribeCompilationJobResponse {
        compilation_job_name: request.compilation_job_name,
        compilation_job_arn: arn.to_string(),
        compilation_job_status: state.status.parse()?,
        compilation_start_time: state.started,
        compilation_end_time: state.ended,
        stopping_condition: request.stopping_condition,
        inference_image: compiled.and_then(|compiled| compiled.inference_image),
        model_package_version_arn: request.model_package_version_arn,
        creation_time: state.created,
        last_modified_time: state.modified,
        failure_reason: state.failure_reason.clone().unwrap_or_default(),
        model_artifacts: ModelArtifacts {
            s3_model_artifacts: match state.stored {
                true => artifact.to_string(),
                false => String::new(),
            },
        },
        model_digests: digest.map(|digest| ModelDigests {
            artifact_digest: Some(digest),
        }),
        role_arn: request.role_arn,
        input_config: request.input_config.ok_or_else(damaged)?,
        output_config: request.output_config,
        vpc_config: request.vpc_config,
        derived_information: derived.map(|derived| DerivedInformation {
            derived_data_input_config: Some(derived),
        }),
    })
}

#[cfg(test)]
mod tests {
    use kiln_agent::report::{Ending, Outcome, Stage};
    use kiln_model::{JobKind, Timestamp};
    use serde_json::{Value, json};

    use super::*;
    use crate::compilation::Compilation;
    use crate::solo::{Event, Work};

    fn described(events: Vec<Event<Compiled>>) -> Value {
        let request: CreateCompilationJobRequest = serde_json::from_value(json!({
            "CompilationJobName": "c",
            "RoleArn": "arn:aws:iam::123456789012:role/r",
            "InputConfig": {"S3Uri": "s3://inputs/m.tar.gz", "Framework": "XGBOOST"},
            "OutputConfig": {
                "S3OutputLocation": "s3://out/x", "TargetDevice": "ml_c5", "KmsKeyId": "k",
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": 900},
            "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]},
        }))
        .unwrap();
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1000).unwrap();
        let mut state = SoloState::new(at(10));
        for (n, event) in (11..).zip(events) {
            state.step(event, at(n), &Compilation::terms(&request));
        }
        let (region, account) = (
            "us-east-1".parse().unwrap(),
            "123456789012".parse().unwrap(),
        );
        let arn = Arn::new(JobKind::Compilation, region, account, &"c".parse().unwrap());
        serde_json::to_value(describe(&arn, &request, &state).unwrap()).unwrap()
    }

    #[test]
    fn a_new_job_shows_its_request_and_nothing_that_is_not_there() {
        let expected = json!({
            "CompilationJobName": "c",
            "CompilationJobArn": "arn:aws:sagemaker:us-east-1:123456789012:compilation-job/c",
            "CompilationJobStatus": "STARTING",
            "StoppingCondition": {"MaxRuntimeInSeconds": 900},
            "CreationTime": 10,
            "LastModifiedTime": 10,
            "FailureReason": "",
            "ModelArtifacts": {"S3ModelArtifacts": ""},
            "RoleArn": "arn:aws:iam::123456789012:role/r",
            "InputConfig": {"S3Uri": "s3://inputs/m.tar.gz", "Framework": "XGBOOST"},
            "OutputConfig": {
                "S3OutputLocation": "s3://out/x", "TargetDevice": "ml_c5", "KmsKeyId": "k",
            },
            "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]},
        });
        let mut found = described(vec![]);
        for time in ["CreationTime", "LastModifiedTime"] {
            found[time] = json!(found[time].as_f64().unwrap() as i64);
        }
        assert_eq!(found, expected);
    }

    #[test]
    fn a_completed_job_shows_what_came_of_it() {
        let found = described(vec![
            Event::Placed("i".to_owned()),
            Event::Stage(Stage::Working),
            Event::Outcome(Compiled {
                artifact_digest: "beef".to_owned(),
                derived_data_input_config: Some("{\"data\":[1,4]}".to_owned()),
                inference_image: Some("image".to_owned()),
            }),
            Event::Ended(Ending {
                outcome: Outcome::Completed,
                stored: true,
            }),
        ]);
        let artifact = "s3://out/x/model-ml_c5.tar.gz";
        assert_eq!(found["CompilationJobStatus"], "COMPLETED");
        assert_eq!(found["ModelArtifacts"]["S3ModelArtifacts"], artifact);
        assert_eq!(found["ModelDigests"]["ArtifactDigest"], "beef");
        let derived = &found["DerivedInformation"]["DerivedDataInputConfig"];
        assert_eq!(derived, "{\"data\":[1,4]}");
        assert_eq!(found["InferenceImage"], "image");
        assert_eq!(found["CompilationStartTime"].as_f64(), Some(12.0));
        assert_eq!(found["CompilationEndTime"].as_f64(), Some(14.0));
    }
}
