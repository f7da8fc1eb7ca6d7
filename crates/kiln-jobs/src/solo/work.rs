//! What the jobs of a kind are about: whatever differs from kind to kind.

use kiln_agent::plan::{Assignment, Keys, Plan};
use kiln_agent::report::Report;
use kiln_engine::{Claim, Size};
use kiln_model::api::Tag;
use kiln_model::{Arn, JobKind};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::state::SoloState;
use super::terms::Terms;
use crate::{JobError, Party, Scope};

/// What an instance gets beside its job's request.
pub struct Seat {
    /// Which instance it is, and how it reaches the control plane and the data.
    pub(crate) assignment: Assignment,
    /// The keys of the code in a container, which only some kinds of work hand on.
    pub(crate) keys: Keys,
    /// What it has of the machine.
    pub(crate) claim: Claim,
    /// For how long its work may run.
    pub(crate) runtime_seconds: u64,
    /// The number of the last report of it that was taken in.
    pub(crate) reported: u64,
    /// Whether its job is to end, so that only what was stored is to be taken back.
    pub(crate) takes_back: bool,
}

/// A kind of work that one instance does.
pub trait Work: Sized + Send + Sync + 'static {
    /// What is asked for, as it is kept.
    type Request: Serialize + DeserializeOwned + Send + Sync + 'static;
    /// What comes of it, apart from what is in S3.
    type Outcome: Serialize + DeserializeOwned + Clone + Send + Sync + 'static;

    /// The kind.
    const KIND: JobKind;
    /// What stands before "job", such as `compilation`.
    const WORD: &'static str;
    /// The same with its article.
    const A_WORD: &'static str;
    /// The log group of all jobs; its streams have their names.
    const LOG_GROUP: &'static str;
    /// The only instance of a job among its own.
    const HOST: &'static str;
    /// Who has keys.
    const PARTIES: &'static [Party];
    /// How many agents in a row may be lost at the same place before the job is.
    const PATIENCE: u32;

    /// The kind, as the store and ARNs name it.
    fn kind() -> &'static str {
        Self::KIND.resource_type()
    }

    /// What stands before "job" where a sentence begins with it.
    fn title() -> String {
        let mut title = Self::WORD.to_owned();
        title[..1].make_ascii_uppercase();
        title
    }

    /// The job's name.
    fn name(request: &Self::Request) -> &str;

    /// The ARN of its role.
    fn role(request: &Self::Request) -> &str;

    /// The tags that it comes with.
    fn tags(request: &Self::Request) -> Option<&[Tag]>;

    /// How long it may take.
    fn terms(request: &Self::Request) -> Terms;

    /// What it gets of the machine, if there is so much.
    fn most(request: &Self::Request) -> Size;

    /// What lists narrow by beside its status.
    fn label(_: &Self::Request) -> String {
        String::new()
    }

    /// What the keys of one of its parties open in S3.
    fn scope(request: &Self::Request, party: Party) -> Option<Scope>;

    /// The plan of its instance.
    fn plan(&self, request: &Self::Request, seat: Seat) -> Result<Plan, JobError>;

    /// What a describe call answers, as JSON.
    fn describe(
        &self,
        arn: &Arn,
        request: &Self::Request,
        state: &SoloState<Self::Outcome>,
    ) -> Result<String, JobError>;

    /// What a report says of what came of it.
    fn outcome(report: Report) -> Option<Self::Outcome>;
}
