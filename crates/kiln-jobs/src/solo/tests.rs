//! Instances whose agents are lost: some kinds of work go on where they were.

use std::sync::Arc;

use kiln_agent::plan::Plan;
use kiln_model::api::{CreateCompilationJobRequest, CreateOptimizationJobRequest};
use kiln_store::Store;
use serde_json::{Value, json};

use super::*;
use crate::compilation::{Compilation, CompilationJobs};
use crate::models::Models;
use crate::optimization::{Optimization, OptimizationJobs};
use crate::test_machine::{Machine, announcing_plane, control_plane, start, until};

const ROLE: &str = "arn:aws:iam::123456789012:role/r";

/// A control plane, and the machine that it runs its jobs on.
struct Rig {
    directory: tempfile::TempDir,
    engine: Arc<Machine>,
    plane: Arc<Plane>,
}

impl Rig {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let engine = Machine::with_room_for(1);
        Self {
            plane: control_plane(&store, directory.path(), &engine),
            engine,
            directory,
        }
    }

    /// Waits until so many agents have been started, and answers the plans they had.
    async fn started(&self, many: usize) -> Vec<Plan> {
        until(|| self.engine.placed.lock().unwrap().len() == many).await;
        self.engine.placed.lock().unwrap().clone()
    }

    /// Waits until nothing is left of any instance.
    async fn cleared(&self) {
        until(|| self.plane.store.instances.all().unwrap().is_empty()).await;
        until(|| self.engine.room.lock().unwrap().is_empty()).await;
    }
}

async fn optimizing(rig: &Rig) -> OptimizationJobs {
    let jobs = OptimizationJobs::new(rig.plane.clone(), Optimization::new(&rig.plane.settings));
    start(&rig.plane, &jobs).await;
    let request: CreateOptimizationJobRequest = serde_json::from_value(json!({
        "OptimizationJobName": "o",
        "RoleArn": ROLE,
        "ModelSource": {"S3": {"S3Uri": "s3://data/m"}},
        "DeploymentInstanceType": "ml.g5.xlarge",
        "OptimizationConfigs": [{"ModelQuantizationConfig": {}}],
        "OutputConfig": {"S3OutputLocation": "s3://out/x"},
        "StoppingCondition": {},
    }))
    .unwrap();
    let models = Models::new(rig.plane.clone());
    jobs.create(request, &models).await.unwrap();
    jobs
}

fn described<W: Work>(jobs: &SoloJobs<W>, name: &str) -> Value {
    serde_json::from_str(&jobs.describe(name).unwrap()).unwrap()
}

#[tokio::test]
async fn another_agent_goes_on_in_the_same_instance_a_few_times() {
    let rig = Rig::new();
    let jobs = optimizing(&rig).await;
    for many in 1..=3 {
        rig.started(many).await;
        rig.engine.lose_an_agent();
    }
    let plans = rig.started(4).await;
    let instance = |plan: &Plan| plan.assignment().instance.clone();
    let first = instance(&plans[0]);
    assert!(plans.iter().all(|plan| instance(plan) == first));
    rig.engine.lose_an_agent();
    rig.cleared().await;
    assert_eq!(rig.started(4).await.len(), 4);
    let job = described(&jobs, "o");
    assert_eq!(job["OptimizationJobStatus"], "FAILED");
    assert_eq!(
        job["FailureReason"],
        "ServerError: There was an internal server error during the optimization job. (the agent \
         of the instance is gone)"
    );
}

#[tokio::test]
async fn no_agent_goes_on_with_what_is_to_stop() {
    let rig = Rig::new();
    let jobs = optimizing(&rig).await;
    rig.started(1).await;
    jobs.stop("o").await.unwrap();
    rig.engine.lose_an_agent();
    rig.cleared().await;
    assert_eq!(rig.started(1).await.len(), 1);
    assert_eq!(described(&jobs, "o")["OptimizationJobStatus"], "STOPPED");
}

#[tokio::test]
async fn a_compilation_does_not_survive_its_agent() {
    let rig = Rig::new();
    let work = Compilation::new(&rig.plane.settings);
    let jobs = CompilationJobs::new(rig.plane.clone(), work);
    start(&rig.plane, &jobs).await;
    jobs.create(compilation("c")).await.unwrap();
    rig.started(1).await;
    rig.engine.lose_an_agent();
    rig.cleared().await;
    assert_eq!(rig.started(1).await.len(), 1);
    assert_eq!(described(&jobs, "c")["CompilationJobStatus"], "FAILED");
}

fn compilation(name: &str) -> CreateCompilationJobRequest {
    serde_json::from_value(json!({
        "CompilationJobName": name,
        "RoleArn": ROLE,
        "InputConfig": {"S3Uri": "s3://data/m.tar.gz", "Framework": "XGBOOST"},
        "OutputConfig": {"S3OutputLocation": "s3://out/x", "TargetDevice": "ml_c5"},
        "StoppingCondition": {},
        "Tags": [{"Key": "team", "Value": "blue"}],
    }))
    .unwrap()
}

#[tokio::test]
async fn a_listener_hears_of_each_status_once() {
    let mut rig = Rig::new();
    let store = rig.plane.store.clone();
    rig.plane = announcing_plane(&store, rig.directory.path(), &rig.engine);
    let work = Compilation::new(&rig.plane.settings);
    let jobs = CompilationJobs::new(rig.plane.clone(), work);
    start(&rig.plane, &jobs).await;
    jobs.create(compilation("c")).await.unwrap();
    rig.started(1).await;
    jobs.stop("c").await.unwrap();
    rig.engine.lose_an_agent();
    rig.cleared().await;
    let subject = described(&jobs, "c")["CompilationJobArn"].clone();
    let subject = subject.as_str().unwrap();
    let mut heard = Vec::new();
    while let Some(told) = store.announcements.first(subject).unwrap() {
        heard.push(serde_json::from_str::<Value>(&told.body).unwrap());
        store.announcements.remove(told.number).await.unwrap();
    }
    let status = |event: &Value| event["detail"]["CompilationJobStatus"].clone();
    let statuses: Vec<Value> = heard.iter().map(status).collect();
    assert_eq!(statuses, ["STARTING", "STOPPING", "STOPPED"]);
    let last = &heard[2];
    assert_eq!(
        last["detail-type"],
        "SageMaker Compilation Job State Change"
    );
    assert_eq!(last["resources"], json!([subject]));
    assert_eq!(last["detail"]["Tags"], json!({"team": "blue"}));
    let created = described(&jobs, "c")["CreationTime"].as_f64().unwrap();
    let millis = (created * 1000.0).round() as i64;
    assert_eq!(last["detail"]["CreationTime"], json!(millis));
}
