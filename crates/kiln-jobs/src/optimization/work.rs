//! Optimization as the work of one instance.

use kiln_agent::plan::Plan;
use kiln_agent::report::{Optimized, Report};
use kiln_engine::Size;
use kiln_model::api::Tag;
use kiln_model::{Arn, JobKind, Region};

use super::order::Accepted;
use super::request::DEFAULT_MAX_RUNTIME;
use super::{LOG_GROUP, describe, plan, scope, steps};
use crate::solo::{Seat, SoloState, Terms, Work};
use crate::{JobError, Party, Scope, Settings};

/// What optimization jobs are about.
#[derive(Debug)]
pub struct Optimization {
    region: Region,
    /// The image that trains EAGLE heads, where one is configured.
    trainer: Option<String>,
}

impl Optimization {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            region: settings.identity.region.clone(),
            trainer: settings.eagle_image.clone(),
        }
    }
}

/// What a job gets of the machine whose steps are all Kiln's own, which stream.
const BUILT_IN: Size = Size {
    cpus: 4,
    memory: 8 << 30,
    gpus: 0,
};
/// And one with an image that somebody brought, which may hold the model whole.
const BROUGHT: Size = Size {
    cpus: 48,
    memory: 192 << 30,
    gpus: 8,
};

impl Work for Optimization {
    type Request = Accepted;
    type Outcome = Optimized;

    const KIND: JobKind = JobKind::Optimization;
    const WORD: &'static str = "optimization";
    const A_WORD: &'static str = "an optimization";
    const LOG_GROUP: &'static str = LOG_GROUP;
    const HOST: &'static str = "optimizer";
    const PARTIES: &'static [Party] = &[Party::Agent, Party::Work];
    const PATIENCE: u32 = 3;

    fn name(job: &Accepted) -> &str {
        &job.request.optimization_job_name
    }

    fn role(job: &Accepted) -> &str {
        &job.request.role_arn
    }

    fn tags(job: &Accepted) -> Option<&[Tag]> {
        job.request.tags.as_deref()
    }

    fn terms(job: &Accepted) -> Terms {
        Terms::of::<Self>(&job.request.stopping_condition, DEFAULT_MAX_RUNTIME)
    }

    fn most(job: &Accepted) -> Size {
        match steps::steps(&job.request).any(|step| step.is_brought()) {
            true => BROUGHT,
            false => BUILT_IN,
        }
    }

    /// The techniques.
    fn label(job: &Accepted) -> String {
        steps::words(&job.request.optimization_configs).join(" ")
    }

    fn scope(job: &Accepted, party: Party) -> Option<Scope> {
        scope::of(job, party)
    }

    fn plan(&self, job: &Accepted, seat: Seat) -> Result<Plan, JobError> {
        plan::build(job, seat, self.trainer.as_deref())
    }

    fn describe(
        &self,
        arn: &Arn,
        job: &Accepted,
        state: &SoloState<Optimized>,
    ) -> Result<String, JobError> {
        let description = describe::describe(arn, job, state, &self.region)?;
        Ok(serde_json::to_string(&description)?)
    }

    fn outcome(report: Report) -> Option<Optimized> {
        match report {
            Report::Optimized(optimized) => Some(optimized),
            _ => None,
        }
    }
}
