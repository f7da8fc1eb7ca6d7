//! What `DescribeOptimizationJob` answers: the request as it was made, and what has
//! happened since.

use kiln_agent::report::Optimized;
use kiln_model::api::{DescribeOptimizationJobResponse, OptimizationJobStatus, OptimizationOutput};
use kiln_model::{Arn, Region};

use super::order::Accepted;
use super::serving;
use crate::JobError;
use crate::solo::SoloState;

/// Renders the description of a job.
///
/// # Errors
/// When its status is none that such a job can have.
pub(super) fn describe(
    arn: &Arn,
    job: &Accepted,
    state: &SoloState<Optimized>,
    region: &Region,
) -> Result<DescribeOptimizationJobResponse, JobError> {
    let request = job.request.clone();
    let status: OptimizationJobStatus = state.status.parse()?;
    let output = |made: &Optimized| OptimizationOutput {
        recommended_inference_image: serving::image(job, made, region),
    };
    let made = state.outcome.as_ref();
    let made = made.filter(|_| status == OptimizationJobStatus::Completed);
    Ok(DescribeOptimizationJobResponse {
        optimization_job_arn: arn.to_string(),
        optimization_job_status: status,
        optimization_start_time: state.started,
        optimization_end_time: state.ended,
        creation_time: state.created,
        last_modified_time: state.modified,
        failure_reason: state.failure_reason.clone(),
        optimization_job_name: request.optimization_job_name,
        model_source: request.model_source,
        optimization_environment: request.optimization_environment,
        deployment_instance_type: request.deployment_instance_type,
        max_instance_count: request.max_instance_count,
        optimization_configs: request.optimization_configs,
        output_config: request.output_config,
        optimization_output: made.map(output),
        role_arn: request.role_arn,
        stopping_condition: request.stopping_condition,
        vpc_config: request.vpc_config,
    })
}

#[cfg(test)]
mod tests {
    use kiln_agent::report::{Ending, Outcome, Stage};
    use kiln_model::{JobKind, Timestamp};
    use serde_json::{Value, json};

    use super::super::{Optimization, place};
    use super::*;
    use crate::solo::{Event, Work};

    fn request() -> Value {
        json!({
            "OptimizationJobName": "O",
            "RoleArn": "arn:aws:iam::123456789012:role/r",
            "ModelSource": {"S3": {"S3Uri": "s3://data/m",
                "ModelAccessConfig": {"AcceptEula": true}}},
            "DeploymentInstanceType": "ml.g5.xlarge",
            "MaxInstanceCount": 2,
            "OptimizationEnvironment": {"OPTION_QUANTIZE": "awq"},
            "OptimizationConfigs": [
                {"ModelQuantizationConfig": {"OverrideEnvironment": {"A": "B"}}}],
            "OutputConfig": {"S3OutputLocation": "s3://out/x", "KmsKeyId": "k"},
            "StoppingCondition": {"MaxRuntimeInSeconds": 900},
            "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]},
        })
    }

    fn described(events: Vec<Event<Optimized>>) -> Value {
        let request: kiln_model::api::CreateOptimizationJobRequest =
            serde_json::from_value(request()).unwrap();
        let model = place::of_source(&request.model_source).unwrap();
        let job = Accepted { request, model };
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1000).unwrap();
        let mut state = SoloState::new(at(10));
        for (n, event) in (11..).zip(events) {
            state.step(event, at(n), &Optimization::terms(&job));
        }
        let region: Region = "us-east-1".parse().unwrap();
        let account = "123456789012".parse().unwrap();
        let name = "O".parse().unwrap();
        let arn = Arn::new(JobKind::Optimization, region.clone(), account, &name);
        serde_json::to_value(describe(&arn, &job, &state, &region).unwrap()).unwrap()
    }

    #[test]
    fn a_new_job_shows_its_request_and_nothing_that_is_not_there() {
        let found = described(vec![]);
        for (member, value) in request().as_object().unwrap() {
            assert_eq!(&found[member], value, "{member}");
        }
        assert_eq!(
            found["OptimizationJobArn"],
            "arn:aws:sagemaker:us-east-1:123456789012:optimization-job/O"
        );
        assert_eq!(found["OptimizationJobStatus"], "STARTING");
        let absent = [
            "FailureReason",
            "OptimizationOutput",
            "OptimizationStartTime",
            "OptimizationEndTime",
        ];
        for member in absent {
            assert_eq!(found.get(member), None, "{member}");
        }
    }

    #[test]
    fn a_completed_job_shows_what_serves_it() {
        let found = described(vec![
            Event::Placed("i".to_owned()),
            Event::Stage(Stage::Working),
            Event::Outcome(Optimized {
                is_hugging_face: true,
                ..Optimized::default()
            }),
            Event::Ended(Ending {
                outcome: Outcome::Completed,
                stored: true,
            }),
        ]);
        assert_eq!(found["OptimizationJobStatus"], "COMPLETED");
        let image = &found["OptimizationOutput"]["RecommendedInferenceImage"];
        assert!(image.as_str().unwrap().contains("djl-inference:0.31.0-lmi"));
        assert_eq!(found["OptimizationStartTime"].as_f64(), Some(12.0));
        assert_eq!(found["OptimizationEndTime"].as_f64(), Some(14.0));
    }
}
