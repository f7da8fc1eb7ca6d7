//! The way from the queue to an instance when calls break off, names stand twice,
//! and agents cannot be started.

use std::sync::Arc;

use kiln_model::api::{CreateTrainingJobRequest, TrainingJobStatus};
use kiln_store::Store;
use serde_json::json;

use super::*;
use crate::test_machine::{Machine, control_plane, start, until};

/// A machine of endless room.
fn endless() -> Arc<Machine> {
    Machine::with_room_for(usize::MAX)
}

fn request(name: &str) -> CreateTrainingJobRequest {
    let request = json!({
        "TrainingJobName": name,
        "RoleArn": "arn:aws:iam::123456789012:role/r",
        "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
        "ResourceConfig": {
            "InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10
        },
    });
    serde_json::from_value(request).unwrap()
}

#[tokio::test]
async fn a_job_whose_caller_went_away_runs_all_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let engine = endless();
    let jobs = TrainingJobs::new(control_plane(&store, directory.path(), &engine));
    start(&jobs.shared.plane, &jobs).await;
    let mut call = Box::pin(jobs.create(request("a")));
    assert!(futures::poll!(&mut call).is_pending());
    drop(call);
    until(|| engine.placed.lock().unwrap().len() == 1).await;
}

#[tokio::test]
async fn a_job_that_stands_in_the_queue_twice_is_placed_once() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let engine = endless();
    let jobs = TrainingJobs::new(control_plane(&store, directory.path(), &engine));
    jobs.create(request("a")).await.unwrap();
    jobs.shared.plane.queue().push(KIND, "a".to_owned());
    jobs.create(request("b")).await.unwrap();
    // Starting puts both in the queue once more.
    start(&jobs.shared.plane, &jobs).await;
    until(|| jobs.shared.plane.queue().first().is_none()).await;
    let placed = engine.placed.lock().unwrap();
    let names: Vec<_> = placed
        .iter()
        .map(|plan| match plan {
            Plan::Training(plan) => plan.environment["TRAINING_JOB_NAME"].as_str(),
            Plan::Compilation(_) | Plan::Optimization(_) => panic!("no such job was asked for"),
        })
        .collect();
    assert_eq!(names, ["a", "b"]);
}

#[tokio::test]
async fn an_instance_that_cannot_be_begun_again_gives_its_room_back() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let engine = endless();
    let before = TrainingJobs::new(control_plane(&store, directory.path(), &engine));
    before.create(request("a")).await.unwrap();
    start(&before.shared.plane, &before).await;
    until(|| engine.placed.lock().unwrap().len() == 1).await;

    let engine = endless();
    engine.break_down();
    let after = TrainingJobs::new(control_plane(&store, directory.path(), &engine));
    start(&after.shared.plane, &after).await;
    until(|| store.instances.all().unwrap().is_empty()).await;
    until(|| engine.room.lock().unwrap().is_empty()).await;
    let stored = store.jobs.find(KIND, "a").unwrap().unwrap();
    let state = after.read(stored).unwrap().state;
    assert_eq!(state.status, TrainingJobStatus::Failed);
    let reason = state.failure_reason.unwrap();
    assert!(reason.contains("starting the agent"), "{reason}");
}
