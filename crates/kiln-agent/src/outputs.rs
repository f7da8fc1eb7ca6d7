//! A job's outputs on their way to S3: directories that are kept in step while
//! the work runs, and the model and the output data once it has ended.

use std::convert::Infallible;
use std::path::PathBuf;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::select_all;
use kiln_data::mirror::{Mirror, Rules};
use kiln_data::{DataError, Objects, archive, upload};

use crate::failure;
use crate::opt_ml::OptMl;
use crate::plan::{InstancePlan, Kept, OutputPlan};
use crate::runtime::Mount;

/// The readers of Debugger's and the profiler's files wait for this one.
pub(crate) const END_OF_JOB: &str = "training_job_end.ts";

/// The directories of a job that are kept in step with S3.
pub(crate) struct Synchronised {
    all: Vec<One>,
    mounts: Vec<Mount>,
}

struct One {
    mirror: Mirror,
    kept: Kept,
    bucket: String,
    prefix: String,
}

impl Synchronised {
    /// Makes the directories, and brings back the checkpoints that are there.
    ///
    /// # Errors
    /// The reason, in the cloud's words.
    pub(crate) async fn prepare(
        plan: &InstancePlan,
        objects: &Objects,
        opt_ml: &OptMl,
    ) -> Result<Self, String> {
        let (mut all, mut mounts) = (Vec::new(), Vec::new());
        for (number, one) in plan.synchronised.iter().enumerate() {
            let (local, mount) = opt_ml.kept(&one.path, number);
            local
                .make()
                .map_err(|error| failure::of_kept_directory(&one.path, &error))?;
            mounts.extend(mount);
            let checkpoints = one.kept == Kept::Checkpoints;
            let rules = Rules {
                propagate_deletes: checkpoints,
                markers: checkpoints,
            };
            let mut mirror = Mirror::new(objects.clone(), local, &one.bucket, &one.prefix, rules);
            if checkpoints {
                let restored = mirror.restore().await;
                restored.map_err(|error| failure::of_download(&error))?;
            }
            all.push(One {
                mirror,
                kept: one.kept,
                bucket: one.bucket.clone(),
                prefix: one.prefix.clone(),
            });
        }
        Ok(Self { all, mounts })
    }

    /// The directories that lie outside of `/opt/ml`.
    pub(crate) fn mounts(&self) -> Vec<Mount> {
        self.mounts.clone()
    }

    /// Keeps the directories in step for as long as it is polled.
    pub(crate) async fn run(&mut self) -> Infallible {
        let all = self.all.iter_mut();
        let running: Vec<_> = all.map(|one| one.mirror.run().boxed_local()).collect();
        if running.is_empty() {
            return std::future::pending().await;
        }
        select_all(running).await.0
    }

    /// Stores what is left, now that the work has ended. What cannot be stored
    /// of one directory holds up no other.
    ///
    /// # Errors
    /// When something could not be stored: the first such thing.
    pub(crate) async fn finish(&mut self) -> Result<(), DataError> {
        let mut stored = Ok(());
        for one in &mut self.all {
            stored = stored.and(one.mirror.flush().await);
        }
        stored
    }

    /// Says to the readers of records that there will be no more of them, from
    /// any host.
    ///
    /// # Errors
    /// When the store refuses.
    pub(crate) async fn mark_end(&self, objects: &Objects) -> Result<(), DataError> {
        for one in self.all.iter().filter(|one| one.kept == Kept::Records) {
            let key = format!("{}/{END_OF_JOB}", one.prefix);
            objects.put(&one.bucket, &key, Bytes::new()).await?;
        }
        Ok(())
    }
}

/// Stores the model and the output data of all hosts, each whatever becomes of
/// the other. What lies at the same path on several hosts is the first one's.
///
/// # Errors
/// When the store refuses.
pub(crate) async fn store(
    plan: &OutputPlan,
    objects: &Objects,
    hosts: &[OptMl],
) -> Result<(), DataError> {
    let objects = objects.clone().with_kms_key(plan.kms_key.as_deref());
    // What is no directory any more, since the work has put something else in its
    // place, or has gone with its host, counts as empty.
    let model = hosts.iter().map(OptMl::model).collect();
    let data = hosts.iter().map(OptMl::output_data).collect();
    if plan.compressed {
        let store = |directories: Vec<PathBuf>, name: &'static str| {
            let (objects, key) = (&objects, plan.key(name));
            async move { archive::upload(objects, &directories, (&plan.bucket, &key)).await }
        };
        let stored = tokio::join!(store(model, "model.tar.gz"), store(data, "output.tar.gz"));
        stored.0.and(stored.1).map(drop)
    } else {
        let store = |directories: Vec<PathBuf>, name: &'static str| {
            let (objects, prefix) = (&objects, plan.key(name));
            async move { upload::tree(objects, &directories, &plan.bucket, &prefix).await }
        };
        let stored = tokio::join!(store(model, "model"), store(data, "data"));
        stored.0.and(stored.1).map(drop)
    }
}
