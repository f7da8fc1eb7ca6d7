//! From the first place in the queue to a running instance.
//!
//! The instance is written down in the transaction that says that the job is placed,
//! before its agent is started.

use std::sync::Arc;

use kiln_engine::Claim;
use kiln_store::Instance;

use super::instances::session;
use super::state::Event;
use super::work::Seat;
use super::{Job, SoloJobs, Work};
use crate::plane::{Launch, Want, attend, new_instance_id, now};
use crate::{JobError, Party};

impl<W: Work> SoloJobs<W> {
    /// Launches a job that is first in the queue.
    pub(super) async fn launch_first(&self, name: &str) -> Result<Launch, JobError> {
        // It may have been stopped, or deleted and created again, since it came.
        let Some(job) = self.find(name)?.filter(|job| job.state.is_waiting()) else {
            return Ok(Launch::Settled);
        };
        let engine = &self.plane().engine;
        let share = engine.up_to(&W::most(&job.request));
        let instances = vec![(new_instance_id(), share)];
        let Some(claim) = engine.admit(&instances).and_then(|mut all| all.pop()) else {
            return Ok(Launch::NoRoom(Want {
                instances,
                patient: false,
            }));
        };
        let id = instances.into_iter().next().map(|(id, _)| id);
        let instance = self.instance(&job, id.unwrap_or_default(), &claim)?;
        match self.place(&instance).await {
            Ok(job) => self.begin_and_attend(&job, &instance).await,
            Err(error) => {
                self.plane().release(std::iter::once(instance.id.as_str()));
                // It was stopped, or deleted, since it was looked at.
                if !matches!(error, JobError::NotFound(_)) {
                    return Err(error);
                }
            }
        }
        Ok(Launch::Settled)
    }

    fn instance(&self, job: &Job<W>, id: String, claim: &Claim) -> Result<Instance, JobError> {
        let name = W::name(&job.request);
        Ok(Instance {
            id,
            kind: W::kind().to_owned(),
            job: name.to_owned(),
            attempt: 1,
            host: W::HOST.to_owned(),
            log_stream: name.to_owned(),
            claim: serde_json::to_string(claim)?,
            delivered: 0,
        })
    }

    /// Writes down that a job is placed on an instance, if it waits still; answers the job as
    /// it is placed, for another may have its name by now.
    async fn place(&self, instance: &Instance) -> Result<Job<W>, JobError> {
        let (this, id) = (self.clone(), instance.id.clone());
        let placed = move |stored| {
            let mut job = this.read(stored)?;
            if !job.state.is_waiting() {
                return Err(JobError::NotFound("the job waits no longer".to_owned()));
            }
            job.step(Event::Placed(id), now());
            Ok((this.change_of(&job)?, job))
        };
        let instances = &self.plane().store.instances;
        instances
            .place((W::kind(), &instance.job), vec![instance.clone()], placed)
            .await
    }

    /// Starts the agent of a placed instance, and sees to it that it is cleared away
    /// when that is gone.
    async fn begin_and_attend(&self, job: &Job<W>, instance: &Instance) {
        let id = &instance.id;
        let begun = self.begin(job, instance).await;
        tokio::spawn(attend(Arc::new(self.clone()), id.clone()));
        if let Err(error) = begun {
            // Should this fail too, it is tried again when the agent is gone.
            if let Err(error) = self.give_up(id, &error.to_string()).await {
                tracing::error!(instance = id, %error, "a loss is not written down yet");
            }
        }
    }

    /// Starts the agent of a placed instance.
    pub(super) async fn begin(&self, job: &Job<W>, instance: &Instance) -> Result<(), JobError> {
        let plane = self.plane();
        for party in W::PARTIES {
            plane.issue(session(instance, *party));
        }
        let assignment = plane.settings.assignment(
            instance.id.clone(),
            plane.keys.agent_token(&instance.id),
            plane.server_id(),
            plane.keys.issue(&session(instance, Party::Agent)),
        );
        let logged = plane.store.logs.delivered(&instance.id)?;
        let seat = Seat {
            takes_back: job.state.orders(&instance.id).cut.is_some(),
            reported: logged.max(instance.delivered),
            assignment,
            keys: plane.keys.issue(&session(instance, Party::Work)),
            claim: serde_json::from_str(&instance.claim)?,
            // The agent counts from the first beginning, whichever of its kind that was.
            runtime_seconds: (job.terms().runtime / 1000).max(1).unsigned_abs(),
        };
        let plan = self.shared.work.plan(&job.request, seat)?;
        Ok(plane.engine.place(&plan).await?)
    }
}
