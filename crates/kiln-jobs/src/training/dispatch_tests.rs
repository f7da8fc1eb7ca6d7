//! The way from the queue to an instance when calls break off, names stand twice,
//! and agents cannot be started.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use kiln_agent::plan::{FastFile, InstancePlan};
use kiln_agent::runtime::embedded::Tolerance;
use kiln_agent::runtime::{ControlAddress, Limits};
use kiln_engine::{Engine, EngineError, Fit, Leftovers, NoCapacity, Share};
use kiln_model::api::{CreateTrainingJobRequest, TrainingJobStatus};
use kiln_store::Store;
use serde_json::json;

use kiln_engine::Presence;

use super::*;
use crate::{Buckets, BucketsError, Identity, SessionKeys, Settings};

/// A machine of endless room whose agents live for ever, or cannot be started.
#[derive(Default)]
struct Fake {
    broken: AtomicBool,
    room: Mutex<HashSet<String>>,
    placed: Mutex<Vec<InstancePlan>>,
}

#[async_trait]
impl Engine for Fake {
    fn fit(&self, types: &[&str]) -> Result<Fit, NoCapacity> {
        let limits = Limits {
            memory_bytes: 1,
            cpus: 1.0,
            processes: 1,
            shm_bytes: 1,
        };
        Ok(Fit {
            shares: vec![Share { limits, gpus: 0 }; types.len()],
            remark: None,
        })
    }

    fn admit(&self, instances: &[(String, Share)]) -> Option<Vec<Claim>> {
        let claim = |(id, share): &(String, Share)| {
            self.room.lock().unwrap().insert(id.clone());
            Claim {
                limits: share.limits,
                gpus: Vec::new(),
            }
        };
        Some(instances.iter().map(claim).collect())
    }

    fn fits_without(&self, _: &[(String, Share)], _: &[String]) -> bool {
        true
    }

    fn adopt(&self, instance: &str, _: &Claim) {
        self.room.lock().unwrap().insert(instance.to_owned());
    }

    fn release(&self, instance: &str) {
        self.room.lock().unwrap().remove(instance);
    }

    async fn place(&self, plan: &InstancePlan) -> Result<(), EngineError> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(EngineError::Io {
                doing: "starting the agent",
                source: std::io::ErrorKind::StorageFull.into(),
            });
        }
        self.placed.lock().unwrap().push(plan.clone());
        Ok(())
    }

    fn presence(&self, _: &str) -> Presence {
        Presence::Absent
    }

    async fn departed(&self, _: &str) {
        if !self.broken.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
    }

    fn leftovers(&self, _: &str, _: u64) -> Result<Leftovers, EngineError> {
        Ok(Leftovers::none())
    }

    fn strays(&self, _: &HashSet<String>) -> Result<Vec<String>, EngineError> {
        Ok(Vec::new())
    }

    async fn clear(&self, _: &str) -> Result<(), EngineError> {
        Ok(())
    }
}

/// Buckets that hold whatever is looked for.
struct Full;

#[async_trait]
impl Buckets for Full {
    async fn exists(&self, _: &str) -> Result<bool, BucketsError> {
        Ok(true)
    }

    async fn any_object(&self, _: &str, _: &str) -> Result<bool, BucketsError> {
        Ok(true)
    }
}

/// The jobs of a control plane that begins with this store.
fn jobs(store: &Store, engine: &Arc<Fake>) -> TrainingJobs {
    let settings = Settings {
        identity: Identity {
            region: "us-east-1".parse().unwrap(),
            account: "123456789012".parse().unwrap(),
        },
        control: ControlAddress::File(PathBuf::new()),
        data_dir: PathBuf::new(),
        cache_dir: PathBuf::new(),
        images: Vec::new(),
        engine_socket: None,
        tolerance: Tolerance::default(),
        announced: false,
        preempt_spot: false,
        file_systems: Vec::new(),
        fast_file: FastFile::default(),
        external_store: None,
    };
    let keys = SessionKeys::new(b"secret");
    TrainingJobs::new(
        settings,
        store.clone(),
        engine.clone(),
        Arc::new(Full),
        keys,
    )
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

/// Waits until something holds, for ten seconds at most.
async fn until(mut holds: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never held");
}

#[tokio::test]
async fn a_job_whose_caller_went_away_runs_all_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let engine = Arc::<Fake>::default();
    let jobs = jobs(&store, &engine);
    jobs.start().await.unwrap();
    let mut call = Box::pin(jobs.create(request("a")));
    assert!(futures::poll!(&mut call).is_pending());
    drop(call);
    until(|| engine.placed.lock().unwrap().len() == 1).await;
}

#[tokio::test]
async fn a_job_that_stands_in_the_queue_twice_is_placed_once() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let engine = Arc::<Fake>::default();
    let jobs = jobs(&store, &engine);
    jobs.create(request("a")).await.unwrap();
    jobs.queue().push("a".to_owned());
    jobs.create(request("b")).await.unwrap();
    // Starting puts both in the queue once more.
    jobs.start().await.unwrap();
    until(|| jobs.queue().first().is_none()).await;
    let placed = engine.placed.lock().unwrap();
    let names: Vec<_> = placed
        .iter()
        .map(|plan| plan.environment["TRAINING_JOB_NAME"].as_str())
        .collect();
    assert_eq!(names, ["a", "b"]);
}

#[tokio::test]
async fn an_instance_that_cannot_be_begun_again_gives_its_room_back() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let engine = Arc::<Fake>::default();
    let before = jobs(&store, &engine);
    before.create(request("a")).await.unwrap();
    before.start().await.unwrap();
    until(|| engine.placed.lock().unwrap().len() == 1).await;

    let engine = Arc::<Fake>::default();
    engine.broken.store(true, Ordering::SeqCst);
    let after = jobs(&store, &engine);
    after.start().await.unwrap();
    until(|| store.instances.all().unwrap().is_empty()).await;
    until(|| engine.room.lock().unwrap().is_empty()).await;
    let stored = store.jobs.find(KIND, "a").unwrap().unwrap();
    let state = after.read(stored).unwrap().state;
    assert_eq!(state.status, TrainingJobStatus::Failed);
    let reason = state.failure_reason.unwrap();
    assert!(reason.contains("starting the agent"), "{reason}");
}
