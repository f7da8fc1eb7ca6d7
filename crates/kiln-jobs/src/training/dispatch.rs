//! From the queue to running instances, and back after a crash.
//!
//! Jobs leave the queue in the order they were accepted: the first that does
//! not fit holds up those behind it, so none is overtaken for ever. An instance
//! is written down in the same transaction that says the job is placed, before
//! its agent is started; at start-up that list says which agents to look for.

use std::time::Duration;

use futures::future::join_all;
use kiln_engine::{Claim, Presence};
use kiln_store::Instance;

use super::plan::{HOST, Placement, build};
use super::{Event, Job, KIND, TrainingJobs, now};
use crate::{JobError, Party};

/// How long what failed rests before it is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What became of the first job in the queue.
enum Launch {
    /// It runs, or will never.
    Settled,
    /// There is no room for it.
    NoRoom,
}

impl TrainingJobs {
    /// Finds what an earlier server left running, and begins to run jobs.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn start(&self) -> Result<(), JobError> {
        let instances = self.shared.store.instances.all()?;
        self.clear_strays(&instances)?;
        for instance in instances {
            if instance.kind == KIND {
                let id = instance.id.clone();
                let recovered = self.recover(instance).await;
                tokio::spawn(self.clone().attend(id.clone()));
                if let Err(error) = recovered {
                    tracing::error!(instance = id, %error, "an instance could not be recovered");
                    // Should this fail too, it is tried again when the agent is gone.
                    if let Err(error) = self.lose(&id, &error.to_string()).await {
                        tracing::error!(instance = id, %error, "nor could its job be ended");
                    }
                }
            }
        }
        for stored in self.shared.store.jobs.open_jobs(KIND)? {
            let name = stored.name.clone();
            match self.read(stored) {
                Ok(job) if job.state.is_waiting() => self.queue().push(name),
                Ok(_) => {}
                Err(error) => tracing::error!(job = name, %error, "a job could not be read"),
            }
        }
        tokio::spawn(self.clone().dispatch());
        self.shared.wake.notify_one();
        Ok(())
    }

    /// Removes what is left of instances that were forgotten before they were
    /// cleared away wholly. Instances that are placed from now on are none of
    /// those that are found here.
    fn clear_strays(&self, instances: &[Instance]) -> Result<(), JobError> {
        let known = instances.iter().map(|instance| instance.id.clone());
        let strays = self.shared.engine.strays(&known.collect())?;
        let engine = self.shared.engine.clone();
        tokio::spawn(async move {
            for stray in strays {
                if let Err(error) = engine.clear(&stray).await {
                    tracing::warn!(instance = stray, %error, "a stray instance stays");
                }
            }
        });
        Ok(())
    }

    async fn recover(&self, instance: Instance) -> Result<(), JobError> {
        let engine = &self.shared.engine;
        let stored = self.shared.store.jobs.find(KIND, &instance.job)?;
        let job = stored.map(|stored| self.read(stored)).transpose()?;
        let open = job.filter(|job| !job.state.is_terminal());
        if let Some(job) = open {
            for party in [Party::Work, Party::Agent] {
                self.issue(&instance.job, &instance.id, party);
            }
            let claim: Claim = serde_json::from_str(&instance.claim)?;
            engine.adopt(&instance.id, &claim);
            if must_begin(engine.presence(&instance.id), &instance) {
                self.begin(&job, &instance.id, &claim).await?;
            }
        }
        Ok(())
    }

    async fn dispatch(self) {
        loop {
            self.shared.wake.notified().await;
            while let Some(name) = self.first() {
                match self.launch(&name).await {
                    Ok(Launch::Settled) => self.queue().remove(&name),
                    Ok(Launch::NoRoom) => {
                        self.mark_waiting().await;
                        break;
                    }
                    Err(error) => {
                        tracing::error!(job = name, %error, "a job could not be launched yet");
                        // Others first, and then again: a full disk may have room by then.
                        self.queue().remove(&name);
                        self.queue().push(name);
                        tokio::time::sleep(RETRY_AFTER).await;
                    }
                }
            }
        }
    }

    fn first(&self) -> Option<String> {
        self.queue().first().map(str::to_owned)
    }

    async fn launch(&self, name: &str) -> Result<Launch, JobError> {
        let Some(stored) = self.shared.store.jobs.find(KIND, name)? else {
            return Ok(Launch::Settled);
        };
        let job = self.read(stored)?;
        // A name may stand in the queue twice: once for a job that was stopped
        // and deleted, and once for the one that has its name now.
        if !job.state.is_waiting() {
            return Ok(Launch::Settled);
        }
        let id = format!("kiln-{}", uuid::Uuid::new_v4().simple());
        let engine = &self.shared.engine;
        let fit = engine
            .fit(&[&instance_type(&job)])
            .map_err(|error| JobError::Internal(error.to_string()))?;
        let wanted: Vec<_> = fit
            .shares
            .iter()
            .map(|share| (id.clone(), *share))
            .collect();
        let Some(claim) = engine.admit(&wanted).and_then(|mut claims| claims.pop()) else {
            return Ok(Launch::NoRoom);
        };
        let job = match self.place(&job, &id, &claim).await {
            Ok(placed) => placed,
            Err(error) => {
                engine.release(&id);
                return Err(error);
            }
        };
        let begun = self.begin(&job, &id, &claim).await;
        tokio::spawn(self.clone().attend(id.clone()));
        if let Err(error) = begun {
            self.lose(&id, &error.to_string()).await?;
        }
        Ok(Launch::Settled)
    }

    /// Writes down that the job is placed on this instance; answers the job as
    /// it is placed, for it may have been changed since it was looked at.
    async fn place(&self, job: &Job, id: &str, claim: &Claim) -> Result<Job, JobError> {
        let name = &job.request.training_job_name;
        let at = now();
        let instance = Instance {
            id: id.to_owned(),
            kind: KIND.to_owned(),
            job: name.clone(),
            attempt: job.state.attempts + 1,
            host: HOST.to_owned(),
            log_stream: format!("{name}/{HOST}-{}", at.millis().div_euclid(1000)),
            claim: serde_json::to_string(claim)?,
            delivered: 0,
        };
        let this = self.clone();
        let placed = move |stored| {
            let mut job = this.read(stored)?;
            if !job.state.is_waiting() {
                return Err(JobError::Internal(
                    "the job ended before it was placed".to_owned(),
                ));
            }
            job.state.step(Event::Placed, at);
            Ok((job.change()?, job))
        };
        self.shared
            .store
            .instances
            .place((KIND, name), vec![instance], placed)
            .await
    }

    /// Starts the agent of a placed instance.
    async fn begin(&self, job: &Job, id: &str, claim: &Claim) -> Result<(), JobError> {
        let name = &job.request.training_job_name;
        let placement = Placement {
            settings: &self.shared.settings,
            arn: &job.arn,
            instance: id,
            token: &self.shared.keys.agent_token(id),
            server: self.server_id(),
            keys: self.issue(name, id, Party::Work),
            agent_keys: self.issue(name, id, Party::Agent),
            claim,
        };
        let plan = build(&job.request, placement).map_err(JobError::Internal)?;
        Ok(self.shared.engine.place(&plan).await?)
    }

    async fn mark_waiting(&self) {
        let names = self.queue().take_untold();
        let marks = names.iter().map(|name| async move {
            let waiting = self.shared.store.jobs.find(KIND, name).ok().flatten();
            let job = waiting.and_then(|stored| self.read(stored).ok());
            if job.is_some_and(|job| job.state.transitions.len() == 1) {
                let at = now();
                self.change(name, move |job| Ok(job.state.step(Event::Waiting, at)))
                    .await?;
            }
            Ok::<_, JobError>(())
        });
        for error in join_all(marks).await.into_iter().filter_map(Result::err) {
            tracing::warn!(%error, "a waiting job could not be marked as such");
        }
    }

    /// Waits until an instance's agent is gone, and clears up behind it.
    async fn attend(self, id: String) {
        self.shared.engine.departed(&id).await;
        while let Err(error) = self.settle(&id).await {
            tracing::error!(instance = id, %error, "an instance could not be cleared up yet");
            tokio::time::sleep(RETRY_AFTER).await;
        }
        self.revoke(&id);
        // Nobody waits for the answer to what the agent asked last.
        self.shared.told.send_modify(|count| *count += 1);
        self.shared.engine.release(&id);
        self.shared.wake.notify_one();
    }

    async fn settle(&self, id: &str) -> Result<(), JobError> {
        let instance = self.shared.store.instances.find(id)?;
        let delivered = instance.map_or(0, |instance| instance.delivered);
        for reports in self.shared.engine.leftovers(id, delivered)? {
            self.take_in(id, reports).await?;
        }
        self.lose(id, "the agent of the instance is gone").await?;
        self.shared.engine.clear(id).await?;
        self.shared.store.instances.forget(id).await?;
        self.shared.store.logs.forget_instance(id).await?;
        Ok(())
    }

    /// Ends the instance's job as failed by the platform, unless it has ended.
    async fn lose(&self, id: &str, detail: &str) -> Result<(), JobError> {
        let Some(instance) = self.shared.store.instances.find(id)? else {
            return Ok(());
        };
        let stored = self.shared.store.jobs.find(KIND, &instance.job)?;
        let job = stored.map(|stored| self.read(stored)).transpose()?;
        if job.is_none_or(|job| job.state.is_terminal()) {
            // The usual case, which needs no write.
            return Ok(());
        }
        let reason = kiln_agent::failure::internal(&detail);
        let at = now();
        let lost = self
            .change(&instance.job, move |job| {
                if job.state.attempts == instance.attempt {
                    job.state.step(Event::Lost(reason), at);
                }
                Ok(())
            })
            .await;
        match lost {
            // A job that was deleted meanwhile needs no end.
            Err(JobError::Validation(_)) => Ok(()),
            settled => settled,
        }
    }
}

/// Whether the agent of an open job's instance must be started (again): a server
/// may have died after it wrote the instance down and before it placed it.
fn must_begin(presence: Presence, instance: &Instance) -> bool {
    match presence {
        Presence::NotBegun => true,
        Presence::Absent => instance.delivered == 0,
        Presence::Alive | Presence::Gone => false,
    }
}

fn instance_type(job: &Job) -> String {
    let kind = job
        .request
        .resource_config
        .as_ref()
        .and_then(|resources| resources.instance_type);
    kind.map_or_else(String::new, |kind| kind.to_string())
}

#[cfg(test)]
#[path = "dispatch_tests.rs"]
mod tests;
