//! Compilation as the work of one instance.

use kiln_agent::plan::Plan;
use kiln_agent::report::{Compiled, Report};
use kiln_engine::Size;
use kiln_model::api::{CreateCompilationJobRequest, Tag};
use kiln_model::{Arn, JobKind};

use super::request::DEFAULT_MAX_RUNTIME;
use super::{LOG_GROUP, describe, plan, scope};
use crate::solo::{Seat, SoloState, Terms, Work};
use crate::{JobError, Party, Scope};

/// What compilation jobs are about.
#[derive(Debug)]
pub struct Compilation;

impl Work for Compilation {
    type Request = CreateCompilationJobRequest;
    type Outcome = Compiled;

    const KIND: JobKind = JobKind::Compilation;
    const WORD: &'static str = "compilation";
    const A_WORD: &'static str = "a compilation";
    const LOG_GROUP: &'static str = LOG_GROUP;
    const HOST: &'static str = "compiler";
    /// The compiler has no network to use keys on.
    const PARTIES: &'static [Party] = &[Party::Agent];
    /// A compilation is over soon, and keeps nothing that another could go on with.
    const PATIENCE: u32 = 0;

    fn name(request: &Self::Request) -> &str {
        &request.compilation_job_name
    }

    fn role(request: &Self::Request) -> &str {
        &request.role_arn
    }

    fn tags(request: &Self::Request) -> Option<&[Tag]> {
        request.tags.as_deref()
    }

    fn terms(request: &Self::Request) -> Terms {
        Terms::of::<Self>(&request.stopping_condition, DEFAULT_MAX_RUNTIME)
    }

    /// A compiler has little use for more, and shall not keep training from its room.
    fn most(_: &Self::Request) -> Size {
        Size {
            cpus: 2,
            memory: 8 << 30,
            gpus: 0,
        }
    }

    fn scope(request: &Self::Request) -> Option<Scope> {
        scope::of(request)
    }

    fn plan(&self, request: &Self::Request, seat: Seat) -> Result<Plan, JobError> {
        plan::build(request, seat)
    }

    fn describe(
        &self,
        arn: &Arn,
        request: &Self::Request,
        state: &SoloState<Compiled>,
    ) -> Result<String, JobError> {
        let description = describe::describe(arn, request, state)?;
        Ok(serde_json::to_string(&description)?)
    }

    fn outcome(report: Report) -> Option<Compiled> {
        match report {
            Report::Compiled(compiled) => Some(compiled),
            _ => None,
        }
    }
}
