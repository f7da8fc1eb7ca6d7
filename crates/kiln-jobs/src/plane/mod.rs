//! What the kinds of jobs have in common: one queue for one machine, one wake-up call,
//! one register of keys, and the attendance of instances.
//!
//! What a job of a kind is, and what a report means for it, its [`Kind`] knows.

mod alarms;
mod attendance;
mod clock;
mod dispatch;
pub(crate) mod hearing;
mod kind;
pub(crate) mod page_token;
pub(crate) mod pages;
mod places;
mod queue;
mod recovery;
mod sessions;
pub(crate) mod state_change;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kiln_agent::plan::Keys;
use kiln_engine::Engine;
use kiln_model::api::Tag;
use kiln_model::{Arn, JobKind, JobName};
use kiln_store::{Instance, NewJob, Store, StoreError};
use tokio::sync::{Notify, watch};

pub(crate) use alarms::Alarms;
pub(crate) use attendance::{GONE, attend, must_begin};
pub(crate) use clock::{instant, now, until};
pub use hearing::ReportError;
pub(crate) use hearing::Stepping;
pub(crate) use kind::{Kind, Launch, Want};
pub(crate) use places::S3Input;
pub(crate) use queue::Queue;
#[cfg(test)]
pub(crate) use recovery::keep_time;
pub(crate) use recovery::{start, watch_over};
pub use sessions::Session;

use self::sessions::Sessions;
use crate::{Buckets, CreatedRole, JobError, JobSession, Scope, SessionKeys, Settings};

/// How long what failed rests before it is tried again.
pub(crate) const RETRY_AFTER: std::time::Duration = std::time::Duration::from_secs(1);

/// What all kinds of jobs of a control plane share.
pub(crate) struct Plane {
    pub(crate) settings: Settings,
    pub(crate) store: Store,
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) buckets: Arc<dyn Buckets>,
    pub(crate) keys: SessionKeys,
    queue: Mutex<Queue>,
    /// Rung when the queue or the room changes.
    pub(crate) wake: Notify,
    /// The keys of the instances there are.
    sessions: Sessions,
    /// Changes whenever a running job is told something.
    pub(crate) told: watch::Sender<u64>,
}

impl Plane {
    pub(crate) fn new(
        settings: Settings,
        store: Store,
        engine: Arc<dyn Engine>,
        buckets: Arc<dyn Buckets>,
        keys: SessionKeys,
    ) -> Arc<Self> {
        Arc::new(Self {
            settings,
            store,
            engine,
            buckets,
            keys,
            queue: Mutex::default(),
            wake: Notify::new(),
            sessions: Sessions::default(),
            told: watch::Sender::new(0),
        })
    }

    pub(crate) fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a new job down, unless its name is taken.
    pub(crate) async fn accept(
        &self,
        job: NewJob,
        taken: impl FnOnce() -> JobError,
    ) -> Result<(), JobError> {
        match self.store.jobs.create(job).await {
            Err(StoreError::NameTaken) => Err(taken()),
            created => Ok(created?),
        }
    }

    /// Puts a job at the end of the queue.
    pub(crate) fn enqueue(&self, kind: &'static str, name: &str) {
        self.queue().push(kind, name.to_owned());
        self.wake.notify_one();
    }

    /// Has all agents that wait for orders look again, and rules that wait for their
    /// job be looked at.
    pub(crate) fn tell(&self) {
        self.told.send_modify(|count| *count += 1);
        self.wake.notify_one();
    }

    /// Gives the room of instances back.
    pub(crate) fn release<'a>(&self, instances: impl Iterator<Item = &'a str>) {
        instances.for_each(|id| self.engine.release(id));
        self.wake.notify_one();
    }

    /// The identifier that tells this control plane from all others, before and
    /// after restarts.
    pub(crate) fn server_id(&self) -> String {
        self.keys.server_id()
    }

    /// Issues the keys of one party of an instance, and knows them from now on.
    pub(crate) fn issue(&self, holder: JobSession) -> Keys {
        let keys = self.keys.issue(&holder);
        self.sessions.add(Session {
            holder,
            keys: keys.clone(),
        });
        keys
    }

    /// Knows an instance's keys no more.
    pub(crate) fn revoke(&self, instance: &str) {
        self.sessions.remove_all_of(instance);
    }

    /// The holder of an access key, while its instance is there.
    pub(crate) fn session(&self, access_key: &str) -> Option<Session> {
        self.sessions.find(access_key)
    }

    /// The role with an ARN, if it was created here.
    pub(crate) fn created_role(&self, arn: &str) -> Result<Option<CreatedRole>, JobError> {
        CreatedRole::named_by(arn, &self.store.principals, &self.settings.identity)
    }

    /// What a job's keys open: what its request names, or what its role's policies allow,
    /// if that was created here. `role` is its id from then; another may have its name
    /// by now.
    pub(crate) fn under_role(
        &self,
        scope: Option<Scope>,
        arn: &str,
        role: Option<&str>,
    ) -> Result<Option<Scope>, JobError> {
        let Some(id) = role else {
            return Ok(scope);
        };
        let role = self.created_role(arn)?;
        let role = role.filter(|role| role.principal.id == *id);
        Ok(scope.zip(role).map(|(scope, role)| scope.under(role)))
    }

    /// The ARN of a job.
    pub(crate) fn arn(&self, kind: JobKind, name: &str) -> Result<Arn, JobError> {
        let identity = &self.settings.identity;
        let name: JobName = name
            .parse()
            .map_err(|error| JobError::Validation(format!("{error}")))?;
        Ok(Arn::new(
            kind,
            identity.region.clone(),
            identity.account.clone(),
            &name,
        ))
    }

    /// The instance whose agent shows this token.
    fn authenticate(&self, id: &str, token: &str) -> Result<Instance, ReportError> {
        let instance = self.store.instances.find(id).map_err(JobError::from)?;
        let genuine = self.keys.is_agent_token(id, token);
        instance.filter(|_| genuine).ok_or(ReportError::Unknown)
    }
}

/// A name for an instance that no other has had.
pub(crate) fn new_instance_id() -> String {
    format!("kiln-{}", uuid::Uuid::new_v4().simple())
}

/// Runs work to its end even when the request that wants it is dropped: what a
/// commit says must be followed by what it is said for.
pub(crate) async fn settle<T: Send + 'static>(
    work: impl Future<Output = Result<T, JobError>> + Send + 'static,
) -> Result<T, JobError> {
    let settled = tokio::spawn(work).await;
    settled.unwrap_or_else(|error| Err(JobError::Internal(error.to_string())))
}

/// Tags as the store has them.
pub(crate) fn pairs(tags: Option<&[Tag]>) -> Vec<(String, String)> {
    let tags = tags.unwrap_or_default().iter();
    tags.map(|tag| (tag.key.clone(), tag.value.clone()))
        .collect()
}
