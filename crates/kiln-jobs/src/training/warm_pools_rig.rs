//! A control plane on a machine with room for one host, whose jobs are placed
//! and ended by hand.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use kiln_agent::plan::{FastFile, InstancePlan};
use kiln_agent::report::{Ending, Outcome};
use kiln_agent::runtime::embedded::Tolerance;
use kiln_agent::runtime::{ControlAddress, Limits};
use kiln_engine::{Engine, EngineError, Fit, Leftovers, NoCapacity, Presence};
use kiln_model::api::{WarmPoolResourceStatus as Status, WarmPoolStatus};
use kiln_store::Store;
use serde_json::{Value, json};

use super::*;
use crate::training::{Event, TrainingJobs};
use crate::{Buckets, BucketsError, Identity, SessionKeys, Settings};

const SHARE: Share = Share {
    limits: Limits {
        memory_bytes: 1,
        cpus: 1.0,
        processes: 1,
        shm_bytes: 1,
    },
    gpus: 0,
};

/// A machine with room for one.
#[derive(Default)]
pub(super) struct Small {
    pub(super) room: Mutex<HashSet<String>>,
}

#[async_trait]
impl Engine for Small {
    fn fit(&self, types: &[&str]) -> Result<Fit, NoCapacity> {
        Ok(Fit {
            shares: vec![SHARE; types.len()],
            remark: None,
        })
    }

    fn admit(&self, instances: &[(String, Share)]) -> Option<Vec<Claim>> {
        let mut room = self.room.lock().unwrap();
        if room.len() + instances.len() > 1 {
            return None;
        }
        room.extend(instances.iter().map(|(name, _)| name.clone()));
        Some(vec![claim(); instances.len()])
    }

    fn fits_without(&self, _: &[(String, Share)], _: &[String]) -> bool {
        false
    }

    fn adopt(&self, instance: &str, _: &Claim) {
        self.room.lock().unwrap().insert(instance.to_owned());
    }

    fn release(&self, instance: &str) {
        self.room.lock().unwrap().remove(instance);
    }

    async fn place(&self, _: &InstancePlan) -> Result<(), EngineError> {
        Ok(())
    }

    fn presence(&self, _: &str) -> Presence {
        Presence::Absent
    }

    async fn departed(&self, _: &str) {}

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

fn claim() -> Claim {
    Claim {
        limits: SHARE.limits,
        gpus: Vec::new(),
    }
}

/// The control plane.
pub(super) struct Plane {
    pub(super) directory: tempfile::TempDir,
    pub(super) store: Store,
    pub(super) engine: Arc<Small>,
    pub(super) jobs: TrainingJobs,
}

impl Plane {
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        Self::over(directory, store)
    }

    fn over(directory: tempfile::TempDir, store: Store) -> Self {
        let settings = Settings {
            identity: Identity {
                region: "us-east-1".parse().unwrap(),
                account: "123456789012".parse().unwrap(),
            },
            control: ControlAddress::File(PathBuf::new()),
            data_dir: directory.path().to_owned(),
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
        let engine = Arc::<Small>::default();
        let keys = SessionKeys::new(b"secret");
        let jobs = TrainingJobs::new(
            settings,
            store.clone(),
            engine.clone(),
            Arc::new(Full),
            keys,
        );
        Self {
            directory,
            store,
            engine,
            jobs,
        }
    }

    /// The server is killed, and another one starts.
    pub(super) fn restart(self) -> Self {
        let after = Self::over(self.directory, self.store);
        after.jobs.find_warm_pools().unwrap();
        after
    }

    pub(super) async fn create(&self, name: &str, role: &str, keep: i32) {
        let request = json!({
            "TrainingJobName": name,
            "RoleArn": format!("arn:aws:iam::123456789012:role/{role}"),
            "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
            "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
            "ResourceConfig": {
                "InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10,
                "KeepAlivePeriodInSeconds": keep,
            },
        });
        let request = serde_json::from_value(request).unwrap();
        self.jobs.create(request).await.unwrap();
    }

    pub(super) fn job(&self, name: &str) -> Job {
        let stored = self.store.jobs.find(KIND, name).unwrap().unwrap();
        self.jobs.read(stored).unwrap()
    }

    pub(super) fn allocation(&self, name: &str) -> Option<Allocation> {
        let wanted = [(format!("instance-of-{name}"), SHARE)];
        self.jobs.allocate(&self.job(name), &wanted).unwrap()
    }

    pub(super) async fn place(&self, name: &str, allocation: Allocation) -> bool {
        let (this, pool) = (self.jobs.clone(), allocation.pool.clone());
        let decide = move |stored| {
            let mut job = this.read(stored)?;
            let placed = Event::Placed {
                instances: vec![String::new(); 1],
                remark: None,
            };
            job.step(placed, now());
            job.state.warm_pool = pool;
            Ok((job.change()?, ()))
        };
        let placed = self.jobs.write_down(name, &allocation, Vec::new(), decide);
        placed.await.unwrap().is_some()
    }

    /// Places the job, and answers where its cache is.
    pub(super) async fn run(&self, name: &str) -> Option<PathBuf> {
        let allocation = self.allocation(name).unwrap();
        assert!(self.place(name, allocation).await);
        self.jobs
            .warm_pool_cache(&self.job(name), "algo-1")
            .unwrap()
    }

    pub(super) async fn end(&self, name: &str, outcome: Outcome) {
        let ending = Ending {
            outcome,
            stored: false,
        };
        let ended = self.jobs.step(name, Event::Ended(0, ending));
        ended.await.unwrap();
    }

    pub(super) async fn update(&self, name: &str, keep: i32) -> Result<(), String> {
        let update = json!({
            "TrainingJobName": name, "ResourceConfig": {"KeepAlivePeriodInSeconds": keep},
        });
        let updated = self.jobs.update(serde_json::from_value(update).unwrap());
        updated.await.map(drop).map_err(|error| error.to_string())
    }

    /// What describe says of the job's pool; lists must say the same.
    pub(super) fn pool(&self, name: &str) -> Option<WarmPoolStatus> {
        loop {
            let pool = self.described_pool(name);
            let status = pool.as_ref().map(|pool| pool.status);
            let filter = json!({"WarmPoolStatusEquals": status, "NameContains": name});
            let listed = self.jobs.list(&serde_json::from_value(filter).unwrap());
            let listed = listed.unwrap().training_job_summaries;
            // It may have changed between the two looks.
            if pool == self.described_pool(name) {
                assert_eq!(listed.len(), 1, "{name}: {status:?}");
                assert_eq!(listed[0].warm_pool_status, pool);
                return pool;
            }
        }
    }

    fn described_pool(&self, name: &str) -> Option<WarmPoolStatus> {
        let described: Value = serde_json::from_str(&self.jobs.describe(name).unwrap()).unwrap();
        let pool = described.get("WarmPoolStatus").cloned();
        pool.map(|pool| serde_json::from_value(pool).unwrap())
    }

    pub(super) fn status(&self, name: &str) -> Option<Status> {
        self.pool(name).map(|pool| pool.status)
    }

    pub(super) fn is_free(&self) -> bool {
        self.engine.room.lock().unwrap().is_empty()
    }
}

/// Waits until something holds, for ten seconds at most.
pub(super) async fn until(mut holds: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never held");
}
