//! Compilation jobs: the operations of the API, on top of the state machine.
//!
//! A job has one instance and one attempt. What can be judged of its request without
//! the model is judged at the create call; whether the archive is there and what is in
//! it, its agent finds out.

mod change;
mod describe;
mod dispatch;
mod instances;
mod kind;
mod list;
mod place;
mod plan;
mod reports;
mod request;
mod scope;
mod state;
mod terms;

use std::sync::Arc;

use kiln_model::api::CreateCompilationJobRequest;
use kiln_model::{Arn, JobKind, JobName};
use kiln_store::{NewJob, StoredJob};

use self::state::{CompilationState, Event};
use crate::plane::{Alarms, Plane, now, pairs, settle};
use crate::{JobError, JobSession, Scope};

pub use list::CompilationJobList;

/// The kind, as the store and ARNs name it.
pub const KIND: &str = "compilation-job";
/// The log group of every compilation job; its streams have the jobs' names.
pub const LOG_GROUP: &str = "/aws/sagemaker/CompilationJobs";

/// The compilation jobs of a control plane. Clones are handles to the same.
#[derive(Clone)]
pub struct CompilationJobs {
    shared: Arc<Shared>,
}

struct Shared {
    plane: Arc<Plane>,
    alarms: Alarms,
}

impl std::fmt::Debug for CompilationJobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CompilationJobs")
            .field("settings", &self.shared.plane.settings)
            .finish_non_exhaustive()
    }
}

/// A job's documents, read.
struct Job {
    arn: Arn,
    request: CreateCompilationJobRequest,
    state: CompilationState,
}

impl CompilationJobs {
    /// The compilation jobs of a control plane.
    pub(crate) fn new(plane: Arc<Plane>) -> Self {
        Self {
            shared: Arc::new(Shared {
                plane,
                alarms: Alarms::default(),
            }),
        }
    }

    /// `CreateCompilationJob`: accepts a job whose shapes are right, durably.
    ///
    /// # Errors
    /// When a rule or the world speaks against it, or the name is taken.
    pub async fn create(&self, request: CreateCompilationJobRequest) -> Result<Arn, JobError> {
        let request = request::accept(request).map_err(JobError::Validation)?;
        self.check_output(&request).await?;
        let mut state = CompilationState::new(now());
        let role = self.shared.plane.created_role(&request.role_arn)?;
        state.role = role.map(|role| role.principal.id);
        let job = Job {
            arn: self.arn(&request.compilation_job_name)?,
            state,
            request,
        };
        let arn = job.arn.clone();
        let this = self.clone();
        settle(async move { this.enqueue(&job).await }).await?;
        Ok(arn)
    }

    /// Writes a new job down, and puts it at the end of the queue.
    async fn enqueue(&self, job: &Job) -> Result<(), JobError> {
        let (name, tags) = (&job.request.compilation_job_name, &job.request.tags);
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

    /// `DescribeCompilationJob`: the answer, as JSON.
    ///
    /// # Errors
    /// When there is no such job.
    pub fn describe(&self, name: &str) -> Result<String, JobError> {
        let found = self.shared.plane.store.jobs.description(KIND, name)?;
        found.ok_or_else(missing)
    }

    /// `StopCompilationJob`.
    ///
    /// # Errors
    /// When there is no such job, or it has ended.
    pub async fn stop(&self, name: &str) -> Result<(), JobError> {
        let decide = |job: &mut Job| {
            if job.state.is_terminal() {
                return Err(JobError::Validation(format!(
                    "The request was rejected because the compilation job is in status {}.",
                    job.state.status
                )));
            }
            Ok(job.step(Event::StopRequested, now()))
        };
        self.change_and_follow(name, decide).await
    }

    /// `DeleteCompilationJob`: forgets an ended job; its artifact and logs stay.
    ///
    /// # Errors
    /// When there is no such job, or it has not ended.
    pub async fn delete(&self, name: &str) -> Result<(), JobError> {
        let job = self.find(name)?.ok_or_else(missing)?;
        if !job.state.is_terminal() {
            return Err(JobError::Validation(format!(
                "The compilation job {} is in status {} and cannot be deleted. Its status must be \
                 COMPLETED, FAILED or STOPPED: stop it, or wait until it has ended.",
                job.arn, job.state.status
            )));
        }
        if self.shared.plane.store.jobs.delete(KIND, name).await? {
            self.shared.plane.tell();
            return Ok(());
        }
        Err(missing())
    }

    /// What the holder of a session's keys may do in S3; `None` once the work is over.
    fn scope_of(&self, holder: &JobSession) -> Result<Option<Scope>, JobError> {
        let Some(job) = self.find(&holder.job)? else {
            return Ok(None);
        };
        // The name may be another job's by now.
        if !job.state.is_on(&holder.instance) {
            return Ok(None);
        }
        let scope = scope::of(&job.request);
        let Some(id) = &job.state.role else {
            return Ok(scope);
        };
        let role = self.shared.plane.created_role(&job.request.role_arn)?;
        // Another role may have its name by now.
        let role = role.filter(|role| role.principal.id == *id);
        Ok(scope.zip(role).map(|(scope, role)| scope.under(role)))
    }

    fn find(&self, name: &str) -> Result<Option<Job>, JobError> {
        let stored = self.shared.plane.store.jobs.find(KIND, name)?;
        stored.map(|stored| self.read(stored)).transpose()
    }

    fn read(&self, stored: StoredJob) -> Result<Job, JobError> {
        Ok(Job {
            arn: self.arn(&stored.name)?,
            request: serde_json::from_str(&stored.request)?,
            state: serde_json::from_str(&stored.state)?,
        })
    }

    fn arn(&self, name: &str) -> Result<Arn, JobError> {
        let identity = &self.shared.plane.settings.identity;
        let name: JobName = name
            .parse()
            .map_err(|error| JobError::Validation(format!("{error}")))?;
        Ok(Arn::new(
            JobKind::Compilation,
            identity.region.clone(),
            identity.account.clone(),
            &name,
        ))
    }
}

/// What the model documents of a compilation job that does not exist.
fn missing() -> JobError {
    JobError::NotFound("Requested resource not found.".to_owned())
}

fn name_taken(arn: &Arn) -> JobError {
    JobError::InUse(format!(
        "Compilation job names must be unique within an AWS account and region, and a \
         compilation job with this name already exists ({arn})"
    ))
}
