//! Jobs of one instance as a kind of jobs of the plane.

use async_trait::async_trait;
use kiln_agent::report::{Numbered, Orders};
use kiln_model::Timestamp;
use kiln_store::{Instance, StoredJob};

use super::instances::session;
use super::state::OVER;
use super::{SoloJobs, Work};
use crate::plane::{Alarms, Kind, Launch, Plane};
use crate::{JobError, JobSession, Party, Scope};

#[async_trait]
impl<W: Work> Kind for SoloJobs<W> {
    fn name(&self) -> &'static str {
        W::kind()
    }

    fn plane(&self) -> &Plane {
        SoloJobs::plane(self)
    }

    fn alarms(&self) -> &Alarms {
        &self.shared.alarms
    }

    async fn recover(&self, instances: Vec<Instance>) -> Result<(), JobError> {
        for instance in &instances {
            self.recover_instance(instance).await;
        }
        Ok(())
    }

    fn find_again(&self, stored: StoredJob) -> Result<Option<Timestamp>, JobError> {
        let job = self.read(stored)?;
        self.set_alarm(&job);
        Ok(job.state.is_waiting().then_some(job.state.created))
    }

    async fn launch(&self, name: &str) -> Result<Launch, JobError> {
        self.launch_first(name).await
    }

    /// There is no status that would say so.
    async fn mark_waiting(&self, _: &str) -> Result<(), JobError> {
        Ok(())
    }

    async fn look_at_clock(&self, name: &str) -> Result<(), JobError> {
        self.keep_time_of(name).await
    }

    async fn begin_again(&self, instance: &Instance) -> Result<bool, JobError> {
        self.begin_anew(instance).await
    }

    async fn go_on(&self, instance: &Instance) -> Result<bool, JobError> {
        self.begin_where_it_was(instance).await
    }

    async fn take_in(&self, instance: &str, reports: Vec<Numbered>) -> Result<(), JobError> {
        self.hear(instance, reports).await
    }

    async fn lose(&self, instance: &str, detail: &str) -> Result<(), JobError> {
        self.give_up(instance, detail).await
    }

    fn orders_of(&self, instance: &Instance) -> Result<Orders, JobError> {
        let job = self.find(&instance.job)?;
        let orders = job.map(|job| job.state.orders(&instance.id));
        Ok(orders.unwrap_or(OVER))
    }

    fn session(&self, instance: &Instance, party: Party) -> JobSession {
        session(instance, party)
    }

    fn scope(&self, holder: &JobSession) -> Result<Option<Scope>, JobError> {
        self.scope_of(holder)
    }
}
