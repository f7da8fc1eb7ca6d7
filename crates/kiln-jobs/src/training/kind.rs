//! Training jobs as a kind of jobs of the plane.

use async_trait::async_trait;
use kiln_agent::report::{Numbered, Orders};
use kiln_model::Timestamp;
use kiln_store::{Instance, StoredJob};

use super::instances::session;
use super::{KIND, TrainingJobs};
use crate::plane::{Alarms, Kind, Launch, Plane, Want};
use crate::{JobError, JobSession, Party, Scope};

#[async_trait]
impl Kind for TrainingJobs {
    fn name(&self) -> &'static str {
        KIND
    }

    fn plane(&self) -> &Plane {
        &self.shared.plane
    }

    fn alarms(&self) -> &Alarms {
        &self.shared.alarms
    }

    async fn recover(&self, instances: Vec<Instance>) -> Result<(), JobError> {
        self.find_instances(instances).await
    }

    fn find_again(&self, stored: StoredJob) -> Result<Option<Timestamp>, JobError> {
        let job = self.read(stored)?;
        self.set_alarm_after_restart(&job);
        Ok(job.state.is_waiting().then_some(job.state.queued))
    }

    async fn begin_others(&self) {
        self.begin_rules().await;
    }

    async fn launch(&self, name: &str) -> Result<Launch, JobError> {
        self.launch_first(name).await
    }

    async fn give_up_room(&self, want: &Want) -> Result<bool, JobError> {
        self.reclaim_for(want).await
    }

    async fn mark_waiting(&self, name: &str) -> Result<(), JobError> {
        self.tell_that_it_waits(name).await
    }

    async fn look_at_clock(&self, name: &str) -> Result<(), JobError> {
        self.keep_time_of(name).await
    }

    async fn begin_again(&self, instance: &Instance) -> Result<bool, JobError> {
        self.begin_anew(instance).await
    }

    async fn take_in(&self, instance: &str, reports: Vec<Numbered>) -> Result<(), JobError> {
        self.hear(instance, reports).await
    }

    async fn lose(&self, instance: &str, detail: &str) -> Result<(), JobError> {
        self.give_up(instance, detail).await
    }

    fn orders_of(&self, instance: &Instance) -> Result<Orders, JobError> {
        self.orders_for(instance)
    }

    fn is_needed(&self, instance: &Instance) -> Result<bool, JobError> {
        self.is_needed_by_the_first(instance)
    }

    fn session(&self, instance: &Instance, party: Party) -> JobSession {
        session(instance, party)
    }

    fn scope(&self, holder: &JobSession) -> Result<Option<Scope>, JobError> {
        self.scope_of(holder)
    }
}
