//! A control plane on a machine with room for one host, whose jobs are placed
//! and ended by hand.

use std::sync::Arc;

use kiln_agent::report::{Ending, Outcome};
use kiln_model::api::{WarmPoolResourceStatus as Status, WarmPoolStatus};
use kiln_store::Store;
use serde_json::{Value, json};

use super::*;
use crate::test_machine::{Machine, SHARE, control_plane};
use crate::training::{Event, TrainingJobs};

/// The control plane.
pub(super) struct Plane {
    pub(super) directory: tempfile::TempDir,
    pub(super) store: Store,
    pub(super) engine: Arc<Machine>,
    pub(super) jobs: TrainingJobs,
}

impl Plane {
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        Self::over(directory, store)
    }

    fn over(directory: tempfile::TempDir, store: Store) -> Self {
        let engine = Machine::with_room_for(1);
        // Jobs are placed by hand, and no agent stands behind them.
        engine.break_down();
        let jobs = TrainingJobs::new(control_plane(&store, directory.path(), &engine));
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
