//! Training jobs: the operations of the API, on top of the state machine.

mod attempt;
mod config_files;
mod consequence;
mod describe;
mod dispatch;
mod event;
mod hosts;
mod instances;
mod kind;
mod list;
mod locations;
mod metrics;
mod plan;
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
mod terms;
mod timekeeping;
mod update;
mod warm_pool;
mod warm_pool_match;
mod warm_pools;

use std::sync::Arc;

use kiln_model::api::CreateTrainingJobRequest;
use kiln_model::{Arn, JobKind, Timestamp};
use kiln_store::{JobChange, JobIndex, NewJob, StoredJob};

use self::consequence::Consequence;
use self::rule::Rules;
use self::rules::WaitingRules;
use self::state_change::{Heard, announcements};
use self::terms::Terms;
use crate::plane::{Alarms, Plane, now, pairs, settle};
use crate::{JobError, JobSession, Scope};

pub use list::TrainingJobList;
pub use metrics::trial_component;
pub use state::{Action, AlreadyEnded, Event, LastMetric, TrainingState};

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
    plane: Arc<Plane>,
    alarms: Alarms,
    rules: WaitingRules,
}

impl std::fmt::Debug for TrainingJobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TrainingJobs")
            .field("settings", &self.shared.plane.settings)
            .finish_non_exhaustive()
    }
}

/// A job's documents, read.
struct Job {
    arn: Arn,
    request: CreateTrainingJobRequest,
    state: TrainingState,
    heard: Heard,
}

impl TrainingJobs {
    /// The training jobs of a control plane.
    pub(crate) fn new(plane: Arc<Plane>) -> Self {
        Self {
            shared: Arc::new(Shared {
                plane,
                alarms: Alarms::default(),
                rules: WaitingRules::default(),
            }),
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
        let role = self.shared.plane.created_role(&request.role_arn)?;
        state.role = role.map(|role| role.principal.id);
        let job = Job {
            arn: self.arn(&request.training_job_name)?,
            state,
            heard: Heard::nothing(self.shared.plane.settings.announced),
            request,
        };
        let arn = job.arn.clone();
        let this = self.clone();
        settle(async move { this.enqueue(&job).await }).await?;
        Ok(arn)
    }

    /// Writes a new job down, and puts it at the end of the queue.
    async fn enqueue(&self, job: &Job) -> Result<(), JobError> {
        let (name, tags) = (&job.request.training_job_name, &job.request.tags);
        let new = NewJob {
            kind: KIND,
            name: name.clone(),
            arn: job.arn.to_string(),
            request: serde_json::to_string(&job.request)?,
            change: job.change()?,
            tags: pairs(tags.as_deref()),
        };
        let taken = || name_taken(&job.arn);
        self.shared.plane.accept(new, taken).await?;
        self.set_alarm(job);
        self.shared.plane.enqueue(KIND, name);
        Ok(())
    }

    /// `DescribeTrainingJob`: the answer, as JSON.
    ///
    /// # Errors
    /// When there is no such job.
    pub fn describe(&self, name: &str) -> Result<String, JobError> {
        self.shared
            .plane
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

    /// `DeleteTrainingJob`: forgets an ended job; its artifacts and logs stay.
    ///
    /// # Errors
    /// When there is no such job, or it has not ended.
    pub async fn delete(&self, name: &str) -> Result<(), JobError> {
        let missing = || JobError::NotFound("Requested resource not found.".to_owned());
        let stored = self
            .shared
            .plane
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
        if self.shared.plane.store.jobs.delete(KIND, name).await? {
            // Its rules may still be at it.
            self.shared.plane.tell();
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
    pub(crate) fn scope_of(&self, holder: &JobSession) -> Result<Option<Scope>, JobError> {
        let Some(stored) = self.shared.plane.store.jobs.find(KIND, &holder.job)? else {
            return Ok(None);
        };
        let job = self.read(stored)?;
        // The name may be another job's by now, and the job be in another attempt.
        let instance = self.shared.plane.store.instances.find(&holder.instance)?;
        if !instance.is_some_and(|instance| instance.job == holder.job && job.is_in(&instance)) {
            return Ok(None);
        }
        let scope = match holder.rule {
            None => Some(Scope::of(&job.request, holder.party)),
            Some(rule) => Scope::of_rule(&job.request, rule, holder.party),
        };
        let (arn, role) = (&job.request.role_arn, job.state.role.as_deref());
        self.shared.plane.under_role(scope, arn, role)
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
            .plane
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
        self.shared.plane.arn(JobKind::Training, name)
    }

    fn read(&self, stored: StoredJob) -> Result<Job, JobError> {
        let state = serde_json::from_str(&stored.state)?;
        Ok(Job {
            arn: self.arn(&stored.name)?,
            request: serde_json::from_str(&stored.request)?,
            heard: Heard::all_of(&state, self.shared.plane.settings.announced),
            state,
        })
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
