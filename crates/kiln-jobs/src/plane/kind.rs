//! What a kind of jobs does when the plane comes to one of its jobs or instances.

use async_trait::async_trait;
use kiln_agent::report::{Numbered, Orders};
use kiln_engine::Share;
use kiln_model::Timestamp;
use kiln_store::{Instance, StoredJob};

use super::{Alarms, Plane};
use crate::{JobError, JobSession, Party, Scope};

/// What became of the first job in the queue.
pub(crate) enum Launch {
    /// It runs, or will never.
    Settled,
    /// There is no room for it.
    NoRoom(Want),
    /// What it was to have was gone before it had it.
    Late,
}

/// What a job wants of the machine.
pub(crate) struct Want {
    /// The instances, and what each is to get.
    pub(crate) instances: Vec<(String, Share)>,
    /// Whether nobody is interrupted for it.
    pub(crate) patient: bool,
}

/// A kind of jobs.
#[async_trait]
pub(crate) trait Kind: Send + Sync {
    /// The kind, as the store and ARNs name it.
    fn name(&self) -> &'static str;

    /// What it shares with the other kinds.
    fn plane(&self) -> &Plane;

    /// When which of its jobs must be looked at.
    fn alarms(&self) -> &Alarms;

    /// Finds the instances of its jobs that an earlier server left.
    async fn recover(&self, instances: Vec<Instance>) -> Result<(), JobError>;

    /// Sets the alarms of an open job that an earlier server left. Answers since when it
    /// waits, if it does.
    fn find_again(&self, stored: StoredJob) -> Result<Option<Timestamp>, JobError>;

    /// Begins what waits beside the queue.
    async fn begin_others(&self) {}

    /// Launches a job that is first in the queue.
    async fn launch(&self, name: &str) -> Result<Launch, JobError>;

    /// Has its jobs give up room for one that waits; answers whether there is room
    /// already.
    async fn give_up_room(&self, _: &Want) -> Result<bool, JobError> {
        Ok(false)
    }

    /// Tells a job that there is no room for it.
    async fn mark_waiting(&self, name: &str) -> Result<(), JobError>;

    /// Looks at a job whose limit may have passed.
    async fn look_at_clock(&self, name: &str) -> Result<(), JobError>;

    /// Starts the agent of an instance that died before it had begun, if its end is
    /// still to come. Answers whether it was.
    async fn begin_again(&self, instance: &Instance) -> Result<bool, JobError>;

    /// Has another agent go on where one that is gone was. Answers whether it does.
    async fn go_on(&self, _: &Instance) -> Result<bool, JobError> {
        Ok(false)
    }

    /// Takes in reports, those that were taken in before included.
    async fn take_in(&self, instance: &str, reports: Vec<Numbered>) -> Result<(), JobError>;

    /// Ends the instance's part of its job as failed by the platform, unless it has
    /// ended.
    async fn lose(&self, instance: &str, detail: &str) -> Result<(), JobError>;

    /// What is wanted of an instance.
    fn orders_of(&self, instance: &Instance) -> Result<Orders, JobError>;

    /// Whether another instance needs what this one has made, though its agent is gone.
    fn is_needed(&self, _: &Instance) -> Result<bool, JobError> {
        Ok(false)
    }

    /// Whom an instance's keys speak for.
    fn session(&self, instance: &Instance, party: Party) -> JobSession;

    /// What the holder of a session's keys may do in S3; `None` once they count no
    /// more.
    fn scope(&self, holder: &JobSession) -> Result<Option<Scope>, JobError>;
}
