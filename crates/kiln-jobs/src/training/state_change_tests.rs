//! What is told of which changes, and in which words.

use kiln_model::Timestamp;
use kiln_model::api::SecondaryStatusTransition;
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_600_000_000_000 + millis).unwrap()
}

fn arn() -> Arn {
    "arn:aws:sagemaker:us-east-1:123456789012:training-job/my-job"
        .parse()
        .unwrap()
}

fn request() -> CreateTrainingJobRequest {
    let request = json!({
        "TrainingJobName": "My-Job",
        "RoleArn": "arn:aws:iam::123456789012:role/r",
        "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
        "ResourceConfig": {
            "InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10
        },
        "HyperParameters": {"CreationTime": "12.5"},
        "Environment": {"StartTime": "1"},
        "Tags": [{"Key": "team", "Value": "blue"}, {"Key": "empty", "Value": ""}],
    });
    serde_json::from_value(request).unwrap()
}

/// A job that entered these statuses, one each second.
fn state(statuses: &[(SecondaryStatus, &str)]) -> TrainingState {
    let mut state = TrainingState::new(at(0));
    state.transitions.clear();
    for (second, (status, message)) in statuses.iter().enumerate() {
        let start_time = at(1000 * second as i64);
        if let Some(last) = state.transitions.last_mut() {
            last.end_time = Some(start_time);
        }
        state.transitions.push(SecondaryStatusTransition {
            status: *status,
            start_time,
            end_time: None,
            status_message: Some((*message).to_owned()),
        });
        state.modified = start_time;
    }
    state
}

const DOWNLOADING: [(SecondaryStatus, &str); 2] = [
    (SecondaryStatus::Starting, "Starting the training job"),
    (SecondaryStatus::Downloading, "Downloading input data"),
];

fn completed() -> TrainingState {
    let more = [
        (SecondaryStatus::Training, "Training in progress."),
        (SecondaryStatus::Completed, "Training job completed"),
    ];
    let mut state = state(&[&DOWNLOADING[..], &more[..]].concat());
    state.status = TrainingJobStatus::Completed;
    state.started = Some(at(1000));
    state.ended = Some(at(3000));
    state.stored = true;
    if let Some(last) = state.transitions.last_mut() {
        last.end_time = Some(at(3000));
    }
    state
}

fn event_of(state: &TrainingState) -> Value {
    let (arn, request) = (arn(), request());
    let told = announcement(&arn, &request, &describe(&arn, &request, state)).unwrap();
    assert_eq!(told.subject, arn.to_string());
    assert_eq!(told.created, state.modified.millis());
    let event: Value = serde_json::from_str(&told.body).unwrap();
    assert_eq!(event["id"], told.id.as_str());
    event
}

#[test]
fn the_envelope_is_eventbridges() {
    let event = event_of(&completed());
    let expected = [
        ("version", "0"),
        ("detail-type", "SageMaker Training Job State Change"),
        ("source", "aws.sagemaker"),
        ("account", "123456789012"),
        ("time", "2020-09-13T12:26:43Z"),
        ("region", "us-east-1"),
    ];
    for (member, value) in expected {
        assert_eq!(event[member], value, "{member}");
    }
    assert_eq!(event["resources"], json!([arn().to_string()]));
    assert_ne!(event["id"], event_of(&completed())["id"]);
}

#[test]
fn the_detail_is_the_description_with_times_in_milliseconds() {
    let detail = &event_of(&completed())["detail"];
    assert_eq!(detail["TrainingJobName"], "My-Job");
    assert_eq!(detail["TrainingJobStatus"], "Completed");
    assert_eq!(detail["SecondaryStatus"], "Completed");
    assert_eq!(detail["CreationTime"], json!(1_600_000_000_000_i64));
    assert_eq!(detail["TrainingStartTime"], json!(1_600_000_001_000_i64));
    assert_eq!(detail["TrainingEndTime"], json!(1_600_000_003_000_i64));
    assert_eq!(detail["LastModifiedTime"], json!(1_600_000_003_000_i64));
    let second = &detail["SecondaryStatusTransitions"][1];
    assert_eq!(second["StartTime"], json!(1_600_000_001_000_i64));
    assert_eq!(second["EndTime"], json!(1_600_000_002_000_i64));
    assert_eq!(detail["HyperParameters"]["CreationTime"], "12.5");
    assert_eq!(detail["Environment"]["StartTime"], "1");
    assert_eq!(detail["Tags"], json!({"team": "blue", "empty": ""}));
}

#[test]
fn a_silent_change_is_not_told() {
    let state = completed();
    let mut with_metric = state.clone();
    with_metric.modified = at(9000);
    let heard = Heard::all_of(&state, true);
    assert!(heard.missing(&with_metric).is_empty());
}

#[test]
fn nothing_is_told_where_nobody_listens() {
    let state = completed();
    assert!(Heard::nothing(false).missing(&state).is_empty());
    let heard = Heard::all_of(&self::state(&DOWNLOADING), false);
    assert!(heard.missing(&state).is_empty());
}

#[test]
fn a_new_message_is_told_and_so_is_a_new_status() {
    let before = state(&DOWNLOADING);
    let heard = Heard::all_of(&before, true);
    let mut message = before.clone();
    message.transitions[1].status_message = Some("Downloading the image".to_owned());
    assert_eq!(heard.missing(&message), std::slice::from_ref(&message));
    let mut status = before.clone();
    status.status = TrainingJobStatus::Stopping;
    assert_eq!(heard.missing(&status), std::slice::from_ref(&status));
}

#[test]
fn statuses_that_were_passed_at_once_are_told_one_by_one() {
    let end = completed();
    for (heard, count) in [
        (Heard::nothing(true), 4),
        (Heard::all_of(&state(&DOWNLOADING), true), 2),
        (Heard::all_of(&end, true), 0),
    ] {
        let states = heard.missing(&end);
        assert_eq!(states.len(), count);
        let passed: Vec<_> = states.iter().map(TrainingState::secondary).collect();
        let all = [
            SecondaryStatus::Starting,
            SecondaryStatus::Downloading,
            SecondaryStatus::Training,
            SecondaryStatus::Completed,
        ];
        assert_eq!(passed, all[4 - count..]);
    }
    let states = Heard::nothing(true).missing(&end);
    let starting = event_of(&states[0]);
    assert_eq!(starting["time"], "2020-09-13T12:26:40Z");
    assert_eq!(starting["detail"]["TrainingJobStatus"], "InProgress");
    assert!(starting["detail"].get("TrainingStartTime").is_none());
    assert!(starting["detail"].get("ModelArtifacts").is_none());
    let training = event_of(&states[2]);
    assert_eq!(
        training["detail"]["TrainingStartTime"],
        json!(1_600_000_001_000_i64)
    );
    assert!(training["detail"].get("TrainingEndTime").is_none());
    let last = &training["detail"]["SecondaryStatusTransitions"][2];
    assert!(last.get("EndTime").is_none());
}

#[test]
fn a_job_that_was_stopped_in_passing_was_stopping() {
    let more = [
        (SecondaryStatus::Stopping, "Stopping the training job"),
        (SecondaryStatus::Stopped, "Training job stopped"),
    ];
    let mut stopped = state(&[&DOWNLOADING[..], &more[..]].concat());
    stopped.status = TrainingJobStatus::Stopped;
    let heard = Heard::all_of(&state(&DOWNLOADING), true);
    let passed: Vec<_> = heard
        .missing(&stopped)
        .iter()
        .map(|state| state.status)
        .collect();
    let expected = [TrainingJobStatus::Stopping, TrainingJobStatus::Stopped];
    assert_eq!(passed, expected);
}

const PASSING: [SecondaryStatus; 6] = [
    SecondaryStatus::Starting,
    SecondaryStatus::Pending,
    SecondaryStatus::Downloading,
    SecondaryStatus::Training,
    SecondaryStatus::Interrupted,
    SecondaryStatus::Stopping,
];

proptest! {
    /// However a job's changes are grouped, each status is told once, in order.
    #[test]
    fn every_status_is_told_once_however_changes_are_grouped(
        steps in prop::collection::vec((0..PASSING.len(), any::<bool>()), 1..40),
    ) {
        let mut entered: Vec<(SecondaryStatus, &str)> = Vec::new();
        let mut heard = Heard::nothing(true);
        let mut told = Vec::new();
        for (status, commits) in steps {
            let status = PASSING[status];
            if entered.last().is_none_or(|(last, _)| *last != status) {
                entered.push((status, "message"));
            }
            if commits {
                let state = state(&entered);
                told.extend(heard.missing(&state).iter().map(TrainingState::secondary));
                heard = Heard::all_of(&state, true);
            }
        }
        told.extend(heard.missing(&state(&entered)).iter().map(TrainingState::secondary));
        let entered: Vec<SecondaryStatus> = entered.iter().map(|(status, _)| *status).collect();
        prop_assert_eq!(told, entered);
    }
}
