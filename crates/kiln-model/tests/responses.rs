//! Responses as they go over the wire, and stored documents as they come back.

use kiln_model::Timestamp;
use kiln_model::api::{
    CreateTrainingJobRequest, DescribeTrainingJobResponse, ResourceConfig, SecondaryStatus,
    SecondaryStatusTransition, StoppingCondition, TrainingInstanceType, TrainingJobStatus,
};
use serde_json::json;

fn instant(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis).expect("an instant")
}

#[test]
fn what_is_unset_is_left_out() {
    let response = DescribeTrainingJobResponse {
        resource_config: Some(ResourceConfig {
            instance_type: Some(TrainingInstanceType::MlM5Large),
            volume_size_in_gb: Some(1),
            ..ResourceConfig::default()
        }),
        secondary_status_transitions: Some(vec![SecondaryStatusTransition::new(
            SecondaryStatus::Starting,
            instant(1_700_000_000_250),
        )]),
        ..DescribeTrainingJobResponse::new(
            "Job-1".to_owned(),
            "arn:aws:sagemaker:us-east-1:123456789012:training-job/job-1".to_owned(),
            TrainingJobStatus::InProgress,
            SecondaryStatus::Starting,
            StoppingCondition::default(),
            instant(1_700_000_000_000),
        )
    };
    let wire = json!({
        "TrainingJobName": "Job-1",
        "TrainingJobArn": "arn:aws:sagemaker:us-east-1:123456789012:training-job/job-1",
        "TrainingJobStatus": "InProgress",
        "SecondaryStatus": "Starting",
        "StoppingCondition": {},
        "CreationTime": 1_700_000_000.0,
        "ResourceConfig": {"InstanceType": "ml.m5.large", "VolumeSizeInGB": 1},
        "SecondaryStatusTransitions": [{"Status": "Starting", "StartTime": 1_700_000_000.25}],
    });
    assert_eq!(serde_json::to_value(&response).expect("JSON"), wire);
    let read: DescribeTrainingJobResponse = serde_json::from_value(wire).expect("a response");
    assert_eq!(read, response);
}

#[test]
fn a_missing_required_member_is_refused() {
    let document = json!({"TrainingJobName": "job-1"});
    let error =
        serde_json::from_value::<CreateTrainingJobRequest>(document).expect_err("there is no role");
    assert_eq!(error.to_string(), "missing field `RoleArn`");
}
