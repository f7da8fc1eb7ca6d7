//! Training jobs: the operations of the API, on top of the state machine.

mod attempt;
mod config_files;
mod consequence;
mod describe;
mod dispatch;
mod event;
mod hosts;
mod instances;
mod list;
mod locations;
mod metrics;
mod page_token;
mod plan;
mod queue;
mod reclaim;
mod reports;
pub mod request;
mod rule;
mod rule_plan;
mod rule_statuses;
mod rules;
mod scope;
mod search;
mod spot;
mod state;
mod state_change;
mod tags;
mod terms;
#[cfg(test)]
mod test_machine;
mod timekeeping;
mod update;
mod warm_pool;
mod warm_pool_match;
mod warm_pools;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use kiln_agent::plan::Keys;
use kiln_engine::Engine;
use kiln_model::api::CreateTrainingJobRequest;
use kiln_model::{Arn, JobKind, JobName, Timestamp};
use kiln_store::{JobChange, JobIndex, NewJob, Store, StoreError, StoredJob};
use tokio::sync::{Notify, watch};

use self::consequence::Consequence;
use self::queue::Queue;
use self::rule::Rules;
use self::rules::WaitingRules;
use self::state_change::{Heard, announcements};
use self::terms::Terms;
use self::timekeeping::Alarms;
use crate::{Buckets, CreatedRole, JobError, JobSession, SessionKeys, Settings};

pub use list::TrainingJobList;
pub use metrics::trial_component;
pub use reports::ReportError;
pub use scope::{Access, Scope};
pub use state::{Action, AlreadyEnded, Event, LastMetric, TrainingState};
pub use tags::check_tag_keys;

/// The kind, as the store and ARNs name it.
pub const KIND: &str = "training-job";
/// The log group of every training job.
pub const LOG_GROUP: &str = "/aws/sagemaker/TrainingJobs";
/// Seconds a job may run when its request names no limit: one day.
pub const DEFAULT_MAX_RUNTIME: i32 = 86_400;

/// The training jobs of a control plane. Clones are handles to the same.
#[derive(Clone)]
pub struct TrainingJobs {
    shared: Arc<Shared>,
}

struct Shared {
    settings: Settings,
    store: Store,
    engine: Arc<dyn Engine>,
    buckets: Arc<dyn Buckets>,
    keys: SessionKeys,
    queue: Mutex<Queue>,
    alarms: Alarms,
    rules: WaitingRules,
    /// Rung when the queue or the room changes.
    wake: Notify,
    /// The keys of the instances there are, by access key.
    sessions: RwLock<HashMap<String, Session>>,
    /// Changes whenever a running job is told something.
    told: watch::Sender<u64>,
}

impl std::fmt::Debug for TrainingJobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TrainingJobs")
            .field("settings", &self.shared.settings)
            .finish_non_exhaustive()
    }
}

/// The holder of a job's keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The job and instance.
    pub holder: JobSession,
    /// What it signs with.
    pub keys: Keys,
}

/// A job's documents, read.
struct Job {
    arn: Arn,
    request: CreateTrainingJobRequest,
    state: TrainingState,
    heard: Heard,
}

impl TrainingJobs {
    /// The training jobs in a store, run by an engine. Nothing runs before
    /// [`TrainingJobs::start`].
    #[must_use]
    pub fn new(
        settings: Settings,
        store: Store,
        engine: Arc<dyn Engine>,
        buckets: Arc<dyn Buckets>,
        keys: SessionKeys,
    ) -> Self {
        let shared = Shared {
            settings,
            store,
            engine,
            buckets,
            keys,
            queue: Mutex::default(),
            alarms: Alarms::default(),
            rules: WaitingRules::default(),
            wake: Notify::new(),
            sessions: RwLock::default(),
            told: watch::Sender::new(0),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// `CreateTrainingJob`: accepts a job whose shapes are right, durably.
    ///
    /// # Errors
    /// When a rule or the world speaks against it, or the name is taken.
    pub async fn create(&self, request: CreateTrainingJobRequest) -> Result<Arn, JobError> {
        let request = request::accept(request).map_err(JobError::Validation)?;
        self.check_locations(&request).await?;
        let mut state = TrainingState::new(now());
        state.rules = Rules::of(&request, state.created);
        let role = self.created_role(&request.role_arn)?;
        state.role = role.map(|role| role.principal.id);
        let job = Job {
            arn: self.arn(&request.training_job_name)?,
            state,
            heard: Heard::nothing(self.shared.settings.announced),
            request,
        };
        let arn = job.arn.clone();
        let this = self.clone();
        settle(async move { this.enqueue(&job).await }).await?;
        Ok(arn)
    }

    /// Writes a new job down, and puts it at the end of the queue.
    async fn enqueue(&self, job: &Job) -> Result<(), JobError> {
        let tags = job.request.tags.iter().flatten();
        let new = NewJob {
            kind: KIND,
            name: job.request.training_job_name.clone(),
            arn: job.arn.to_string(),
            request: serde_json::to_string(&job.request)?,
            change: job.change()?,
            tags: tags
                .map(|tag| (tag.key.clone(), tag.value.clone()))
                .collect(),
        };
        let name = new.name.clone();
        match self.shared.store.jobs.create(new).await {
            Ok(()) => {}
            Err(StoreError::NameTaken) => return Err(name_taken(&job.arn)),
            Err(error) => return Err(error.into()),
        }
        self.set_alarm(job);
        self.queue().push(name);
        self.shared.wake.notify_one();
        Ok(())
    }

    /// `DescribeTrainingJob`: the answer, as JSON.
    ///
    /// # Errors
    /// When there is no such job.
    pub fn describe(&self, name: &str) -> Result<String, JobError> {
        self.shared
            .store
            .jobs
            .description(KIND, name)?
            .ok_or_else(JobError::missing)
    }

    /// `StopTrainingJob`.
    ///
    /// # Errors
    /// When there is no such job, or it has ended.
    pub async fn stop(&self, name: &str) -> Result<(), JobError> {
        let (this, name) = (self.clone(), name.to_owned());
        settle(async move { this.ask_to_stop(&name).await }).await
    }

    async fn ask_to_stop(&self, name: &str) -> Result<(), JobError> {
        let consequence = self
            .change(name, move |job| {
                if job.state.is_terminal() {
                    return Err(JobError::Validation(
                        AlreadyEnded(job.state.status).to_string(),
                    ));
                }
                Ok(job.step(Event::StopRequested, now()))
            })
            .await?;
        self.carry_out(name, consequence);
        Ok(())
    }

    /// Lets something happen to a job now, and does what follows from it.
    async fn step(&self, name: &str, event: Event) -> Result<(), JobError> {
        self.step_if(name, event, |_| true).await
    }

    /// The same, if the job is as it was thought to be.
    async fn step_if(
        &self,
        name: &str,
        event: Event,
        holds: impl FnOnce(&Job) -> bool + Send + 'static,
    ) -> Result<(), JobError> {
        let (this, name) = (self.clone(), name.to_owned());
        settle(async move {
            let change = move |job: &mut Job| match holds(job) {
                true => Ok(job.step(event, now())),
                false => Ok(Consequence::default()),
            };
            let consequence = this.change(&name, change).await?;
            this.carry_out(&name, consequence);
            Ok(())
        })
        .await
    }

    /// Has all agents that wait for orders look again, and rules that wait for their
    /// job be looked at.
    fn tell(&self) {
        self.shared.told.send_modify(|count| *count += 1);
        self.shared.wake.notify_one();
    }

    /// `DeleteTrainingJob`: forgets an ended job; its artifacts and logs stay.
    ///
    /// # Errors
    /// When there is no such job, or it has not ended.
    pub async fn delete(&self, name: &str) -> Result<(), JobError> {
        let missing = || JobError::NotFound("Requested resource not found.".to_owned());
        let stored = self
            .shared
            .store
            .jobs
            .find(KIND, name)?
            .ok_or_else(missing)?;
        let job = self.read(stored)?;
        if !job.state.is_terminal() {
            return Err(JobError::InUse(format!(
                "The training job {} is in status {} and cannot be deleted. Stop it, or wait until \
                 it has ended.",
                job.arn, job.state.status
            )));
        }
        job.refuse_while_warm()?;
        if self.shared.store.jobs.delete(KIND, name).await? {
            // Its rules may still be at it.
            self.tell();
            Ok(())
        } else {
            Err(missing())
        }
    }

    /// What the holder of a session's keys may do in S3; `None` once the attempt of its
    /// job, or the rule that it evaluates, is over, when its keys count no more.
    ///
    /// # Errors
    /// When the store fails.
    pub fn scope(&self, holder: &JobSession) -> Result<Option<Scope>, JobError> {
        let Some(stored) = self.shared.store.jobs.find(KIND, &holder.job)? else {
            return Ok(None);
        };
        let job = self.read(stored)?;
        // The name may be another job's by now, and the job be in another attempt.
        let instance = self.shared.store.instances.find(&holder.instance)?;
        if !instance.is_some_and(|instance| instance.job == holder.job && job.is_in(&instance)) {
            return Ok(None);
        }
        let scope = match holder.rule {
            None => Some(Scope::of(&job.request, holder.party)),
            Some(rule) => Scope::of_rule(&job.request, rule, holder.party),
        };
        let Some(id) = &job.state.role else {
            return Ok(scope);
        };
        let role = self.created_role(&job.request.role_arn)?;
        // Another role may have its name by now.
        let role = role.filter(|role| role.principal.id == *id);
        Ok(scope.zip(role).map(|(scope, role)| scope.under(role)))
    }

    /// The role with an ARN, if it was created here.
    fn created_role(&self, arn: &str) -> Result<Option<CreatedRole>, JobError> {
        let (principals, identity) = (
            &self.shared.store.principals,
            &self.shared.settings.identity,
        );
        CreatedRole::named_by(arn, principals, identity)
    }

    /// The identifier that tells this control plane from all others, before and
    /// after restarts.
    #[must_use]
    pub fn server_id(&self) -> String {
        self.shared.keys.server_id()
    }

    /// The holder of an access key, while its instance is there.
    #[must_use]
    pub fn session(&self, access_key: &str) -> Option<Session> {
        let sessions = self
            .shared
            .sessions
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        sessions.get(access_key).cloned()
    }

    /// Issues the keys of one party of an instance, and knows them from now on.
    fn issue(&self, holder: JobSession) -> Keys {
        let keys = self.shared.keys.issue(&holder);
        let session = Session {
            holder,
            keys: keys.clone(),
        };
        let mut sessions = self
            .shared
            .sessions
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        sessions.insert(keys.access_key.clone(), session);
        keys
    }

    /// Knows an instance's keys no more.
    fn revoke(&self, instance: &str) {
        let mut sessions = self
            .shared
            .sessions
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, session| session.holder.instance != instance);
    }

    /// Reads a job, lets `decide` alter it, and writes it back, in one
    /// transaction.
    async fn change<T, F>(&self, name: &str, decide: F) -> Result<T, JobError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Job) -> Result<T, JobError> + Send + 'static,
    {
        let this = self.clone();
        self.shared
            .store
            .jobs
            .change(KIND, name, move |stored| {
                let mut job = this.read(stored.ok_or_else(JobError::missing)?)?;
                let value = decide(&mut job)?;
                let change = JobChange {
                    request: Some(serde_json::to_string(&job.request)?),
                    ..job.change()?
                };
                Ok((Some(change), value))
            })
            .await
    }

    fn arn(&self, name: &str) -> Result<Arn, JobError> {
        let identity = &self.shared.settings.identity;
        let name: JobName = name
            .parse()
            .map_err(|error| JobError::Validation(format!("{error}")))?;
        Ok(Arn::new(
            JobKind::Training,
            identity.region.clone(),
            identity.account.clone(),
            &name,
        ))
    }

    fn read(&self, stored: StoredJob) -> Result<Job, JobError> {
        let state = serde_json::from_str(&stored.state)?;
        Ok(Job {
            arn: self.arn(&stored.name)?,
            request: serde_json::from_str(&stored.request)?,
            heard: Heard::all_of(&state, self.shared.settings.announced),
            state,
        })
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.shared
            .queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Job {
    fn terms(&self) -> Terms {
        Terms::of(&self.request)
    }

    fn change(&self) -> Result<JobChange, JobError> {
        let state = &self.state;
        let description = describe::describe(&self.arn, &self.request, state);
        Ok(JobChange {
            request: None,
            state: serde_json::to_string(state)?,
            description: serde_json::to_string(&description)?,
            index: JobIndex {
                status: state.status.to_string(),
                secondary: state.secondary().to_string(),
                created: state.created.millis(),
                modified: state.modified.millis(),
                ended: state.ended.map(Timestamp::millis),
            },
            announcements: announcements(&self.heard, &self.arn, &self.request, state)?,
            warm_pool: self.warm_pool_entry()?,
        })
    }
}

fn name_taken(arn: &Arn) -> JobError {
    JobError::InUse(format!(
        "Training job names must be unique within an AWS account and region, and a training job \
         with this name already exists ({arn})"
    ))
}

/// Runs work to its end even when the request that wants it is dropped: what a
/// commit says must be followed by what it is said for.
async fn settle<T: Send + 'static>(
    work: impl Future<Output = Result<T, JobError>> + Send + 'static,
) -> Result<T, JobError> {
    let settled = tokio::spawn(work).await;
    settled.unwrap_or_else(|error| Err(JobError::Internal(error.to_string())))
}

fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    instant(since.as_millis() as i64)
}

/// An instant that a clock has shown; one before 1970 or after 9999 is taken
/// for 1970.
fn instant(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis).unwrap_or_else(|_| UNIX_EPOCH.into())
}
