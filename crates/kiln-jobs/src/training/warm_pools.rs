//! Warm pools in the world: the room that they keep on the machine, their
//! directories, and how they pass from job to job.
//!
//! The room of a pool bears the pool's own names from its first job on, so that
//! nothing changes hands on the machine when a job ends or another takes over:
//! who has the pool is decided by the jobs' transactions alone. The pool's
//! directory is removed and its room is free once no job holds it.

use std::collections::HashSet;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use kiln_agent::removal::remove_tree;
use kiln_engine::{Claim, Share};
use kiln_model::Timestamp;
use kiln_store::{Instance, JobChange, SqliteError, StoreError, StoredJob, WarmPoolEntry};

use super::state::Action;
use super::warm_pool::WarmPool;
use super::warm_pool_match::{keep_alive, match_key};
use super::{Job, KIND, TrainingJobs};
use crate::JobError;
use crate::plane::{RETRY_AFTER, now};

/// Where pools have their directories, in the data directory.
const DIRECTORY: &str = "warm-pools";

/// The room for one attempt of a job.
pub(super) struct Allocation {
    /// The instances, and what each has of its machine, in the order of the hosts.
    pub(super) instances: Vec<(String, Claim)>,
    /// The pool that the room belongs to.
    pub(super) pool: Option<WarmPool>,
    /// The job that left the pool.
    from: Option<String>,
}

impl Allocation {
    /// The names of the room that was set aside for it.
    pub(super) fn set_aside(&self) -> Vec<String> {
        match (&self.from, &self.pool) {
            (Some(_), _) => Vec::new(),
            (None, Some(pool)) => pool.rooms().collect(),
            (None, None) => self.instances.iter().map(|(id, _)| id.clone()).collect(),
        }
    }
}

impl Job {
    /// What is written down of its warm pool, if it has or had one.
    pub(super) fn warm_pool_entry(&self) -> Result<Option<WarmPoolEntry>, JobError> {
        let pool = self.state.warm_pool.as_ref();
        let entry = pool.map(|pool| pool.entry(match_key(&self.request)));
        Ok(entry.transpose()?)
    }

    /// What a step of the job means for its warm pool. A job that the platform
    /// failed may have left machines that are not fit to be used again.
    pub(super) fn settle_warm_pool(&mut self, action: Action, at: Timestamp) -> Action {
        let state = &mut self.state;
        let Some(pool) = &mut state.warm_pool else {
            return action;
        };
        if matches!(action, Action::Requeue | Action::Finish) {
            let reason = state.failure_reason.as_deref();
            let sound = action == Action::Finish
                && !state.lost
                && !reason.is_some_and(kiln_agent::failure::is_internal);
            let keep = if sound { keep_alive(&self.request) } else { 0 };
            pool.settle(keep, state.modified);
        }
        if !pool.expire(at) {
            return action;
        }
        state.modified = state.modified.max(at);
        Action::Finish
    }

    /// Why it cannot be deleted because of its warm pool.
    pub(super) fn refuse_while_warm(&self) -> Result<(), JobError> {
        match &self.state.warm_pool {
            Some(pool) if pool.end().is_some() => Err(JobError::InUse(format!(
                "The training job {} retains a warm pool in status Available and cannot be \
                 deleted. Set its KeepAlivePeriodInSeconds to 0, or wait until it has ended.",
                self.arn
            ))),
            _ => Ok(()),
        }
    }
}

impl TrainingJobs {
    /// Room for a job's next attempt: a warm pool that another job left, or what
    /// these instances want of the machine, if there is so much.
    pub(super) fn allocate(
        &self,
        job: &Job,
        wanted: &[(String, Share)],
    ) -> Result<Option<Allocation>, JobError> {
        let ids = wanted.iter().map(|(id, _)| id.clone());
        if let Some((from, pool)) = self.offered(job)? {
            return Ok(Some(Allocation {
                instances: ids.zip(pool.claims.iter().cloned()).collect(),
                pool: Some(pool.passed_on()),
                from: Some(from),
            }));
        }
        let pool = (keep_alive(&job.request) > 0).then(new_id);
        let named = wanted.iter().enumerate().map(|(position, (id, share))| {
            let room = pool.as_ref().map(|pool| WarmPool::room(pool, position));
            (room.unwrap_or_else(|| id.clone()), *share)
        });
        let Some(claims) = self.shared.plane.engine.admit(&Vec::from_iter(named)) else {
            return Ok(None);
        };
        Ok(Some(Allocation {
            instances: ids.zip(claims.iter().cloned()).collect(),
            pool: pool.map(|id| WarmPool::found(id, claims, now())),
            from: None,
        }))
    }

    /// The pool that a job can have, and who left it.
    fn offered(&self, job: &Job) -> Result<Option<(String, WarmPool)>, JobError> {
        let Some(key) = match_key(&job.request) else {
            return Ok(None);
        };
        let store = &self.shared.plane.store;
        let Some(from) = store.warm_pools.offered(KIND, &key, now().millis())? else {
            return Ok(None);
        };
        let stored = store.jobs.find(KIND, &from)?;
        let giver = stored.map(|stored| self.read(stored)).transpose()?;
        let pool = giver.and_then(|giver| giver.state.warm_pool);
        Ok(pool.map(|pool| (from, pool)))
    }

    /// Writes an attempt's instances down, with what their placement makes of
    /// the job and of the one that left it its pool. Answers nothing, and has
    /// done nothing, when that pool cannot be had any more.
    pub(super) async fn write_down<T: Send + 'static>(
        &self,
        name: &str,
        allocation: &Allocation,
        instances: Vec<Instance>,
        decide: impl FnOnce(StoredJob) -> Result<(JobChange, T), JobError> + Send + 'static,
    ) -> Result<Option<T>, JobError> {
        let store = &self.shared.plane.store;
        let Some(from) = &allocation.from else {
            let placed = store
                .instances
                .place((KIND, name), instances, decide)
                .await?;
            return Ok(Some(placed));
        };
        let (this, to) = (self.clone(), name.to_owned());
        let give = move |stored| {
            let mut giver = this.read(stored)?;
            let pool = giver.state.warm_pool.as_mut();
            let given = pool.map(|pool| pool.give_to(&to, now()));
            giver.state.modified = giver.state.modified.max(now());
            given.and_then(Result::ok).ok_or(Handing::Late)?;
            Ok(giver.change()?)
        };
        let handed = store
            .warm_pools
            .hand_over(KIND, (from, name), instances, give, |stored| {
                decide(stored).map_err(Handing::Failed)
            });
        match handed.await {
            Ok(placed) => Ok(Some(placed)),
            Err(Handing::Late) => Ok(None),
            Err(Handing::Failed(error)) => Err(error),
        }
    }

    /// The directory that a job's warm pool keeps for one of its hosts.
    pub(super) fn warm_pool_cache(
        &self,
        job: &Job,
        host: &str,
    ) -> Result<Option<PathBuf>, JobError> {
        let pool = job.state.warm_pool.as_ref().filter(|pool| pool.is_held());
        let Some(pool) = pool else {
            return Ok(None);
        };
        let directory = self.warm_pools().join(&pool.id).join(host);
        make(&directory).map_err(|error| {
            JobError::Internal(format!("a warm pool's directory cannot be made: {error}"))
        })?;
        Ok(Some(directory))
    }

    /// Sees to a job's warm pool after it may have changed: what is available is
    /// offered and ends in time, and of what is over nothing is left.
    pub(super) fn tend_warm_pool(&self, name: &str, pool: &WarmPool) {
        if pool.is_over() {
            self.clear_warm_pool(pool);
        } else if let Some(end) = pool.end() {
            self.set_alarm_at(name, end);
            self.shared.plane.wake.notify_one();
        }
    }

    fn clear_warm_pool(&self, pool: &WarmPool) {
        let rooms = Vec::from_iter(pool.rooms());
        self.shared.plane.release(rooms.iter().map(String::as_str));
        tokio::spawn(remove(self.warm_pools().join(&pool.id)));
    }

    /// Finds the pools that an earlier server kept: their room is theirs again,
    /// before anybody else gets it, and they end in time. Directories of pools
    /// that are no more are removed.
    pub(super) fn find_warm_pools(&self) -> Result<(), JobError> {
        let mut known = HashSet::new();
        for (name, id) in self.shared.plane.store.warm_pools.holders(KIND)? {
            let stored = self.shared.plane.store.jobs.find(KIND, &name)?;
            match stored.map(|stored| self.read(stored)).transpose() {
                Ok(job) => job.iter().for_each(|job| self.resume_warm_pool(job)),
                Err(error) => tracing::error!(job = name, %error, "a warm pool is not kept"),
            }
            known.insert(id);
        }
        let directory = self.warm_pools();
        let strays = strays(&directory, &known).map_err(|error| {
            JobError::Internal(format!("the warm pools cannot be looked for: {error}"))
        })?;
        for stray in strays {
            tokio::spawn(remove(stray));
        }
        Ok(())
    }

    fn resume_warm_pool(&self, job: &Job) {
        if let Some(pool) = &job.state.warm_pool {
            for (room, claim) in pool.rooms().zip(&pool.claims) {
                self.shared.plane.engine.adopt(&room, claim);
            }
            self.set_alarm(job);
        }
    }

    fn warm_pools(&self) -> PathBuf {
        self.shared.plane.settings.data_dir.join(DIRECTORY)
    }
}

/// Makes a host's directory. The way to it is open to Kiln alone; what the
/// directory itself is open to is up to the container.
fn make(directory: &Path) -> io::Result<()> {
    if let Some(parent) = directory.parent() {
        let mut closed = std::fs::DirBuilder::new();
        closed.recursive(true).mode(0o700).create(parent)?;
    }
    std::fs::create_dir_all(directory)
}

/// What is in the directory of pools and belongs to none that is known.
fn strays(directory: &Path, known: &HashSet<String>) -> io::Result<Vec<PathBuf>> {
    let listed = match directory.read_dir() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed?,
    };
    let mut strays = Vec::new();
    for entry in listed {
        let entry = entry?;
        let name = entry.file_name();
        if !name.to_str().is_some_and(|name| known.contains(name)) {
            strays.push(entry.path());
        }
    }
    Ok(strays)
}

/// Removes a pool's directory. What a container left may still be written to
/// while it is being killed.
async fn remove(directory: PathBuf) {
    loop {
        let path = directory.clone();
        let removed = tokio::task::spawn_blocking(move || remove_tree(&path)).await;
        match removed.unwrap_or_else(|error| Err(io::Error::other(error))) {
            Ok(()) => return,
            Err(error) => {
                let directory = directory.display();
                tracing::warn!(%directory, %error, "a warm pool's directory stays for now");
            }
        }
        tokio::time::sleep(RETRY_AFTER).await;
    }
}

fn new_id() -> String {
    format!("pool-{}", uuid::Uuid::new_v4().simple())
}

/// Why a pool did not pass from one job to another.
enum Handing {
    /// It has ended meanwhile, or somebody else has it.
    Late,
    /// For any other reason.
    Failed(JobError),
}

impl From<JobError> for Handing {
    fn from(error: JobError) -> Self {
        Self::Failed(error)
    }
}

impl From<StoreError> for Handing {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<SqliteError> for Handing {
    fn from(error: SqliteError) -> Self {
        Self::Failed(error.into())
    }
}

#[cfg(test)]
#[path = "warm_pools_rig.rs"]
mod rig;
#[cfg(test)]
#[path = "warm_pools_tests.rs"]
mod tests;
