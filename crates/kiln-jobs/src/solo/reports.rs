//! What agents report, taken in exactly once.
//!
//! Log lines become durable before anything else a delivery says, so that who sees a
//! job's end can read its whole log.

use kiln_agent::report::{Numbered, Report};
use kiln_store::{Instance, NewEvent};

use super::change::Consequence;
use super::state::Event;
use super::{SoloJobs, Work};
use crate::JobError;
use crate::plane::{Stepping, instant, settle};

impl<W: Work> SoloJobs<W> {
    /// Takes in reports, those that were taken in before included.
    pub(super) async fn hear(&self, id: &str, reports: Vec<Numbered>) -> Result<(), JobError> {
        let plane = self.plane();
        let Some(instance) = plane.store.instances.find(id)? else {
            return Ok(());
        };
        let Some(last) = reports.last().map(|report| report.n) else {
            return Ok(());
        };
        let mut lines = Vec::new();
        let mut events = Vec::new();
        for Numbered { n, at, report } in reports {
            match report {
                Report::Log(message) => lines.push((n, NewEvent { at, message })),
                report => events.extend(event::<W>(report).map(|event| (n, at, event))),
            }
        }
        plane.keep_lines(&instance, W::LOG_GROUP, lines).await?;
        if events.is_empty() {
            return Ok(());
        }
        let this = self.clone();
        settle(async move {
            let consequence = this.follow(&instance, last, events).await?;
            this.carry_out(&consequence);
            Ok(())
        })
        .await
    }

    /// Steps the instance's job through what happened; answers what follows.
    async fn follow(
        &self,
        instance: &Instance,
        last: u64,
        events: Vec<(u64, i64, Event<W::Outcome>)>,
    ) -> Result<Consequence, JobError> {
        let (this, id) = (self.clone(), instance.id.clone());
        let instances = &self.plane().store.instances;
        let stepped = instances.deliver(&instance.id, last, move |before, stored| {
            let mut job = this.read(stored)?;
            if !job.state.is_on(&id) {
                return Ok((None, Consequence::default()));
            }
            let mut consequence = Consequence::default();
            for (_, at, event) in events.into_iter().filter(|(n, ..)| *n > before) {
                consequence = consequence.and(job.step(event, instant(at)));
            }
            Ok((Some(this.change_of(&job)?), consequence))
        });
        match stepped.await {
            // The job was deleted after it ended: nothing is left to step.
            Err(Stepping(JobError::NotFound(_))) => Ok(Consequence::default()),
            Err(Stepping(error)) => Err(error),
            Ok(consequence) => Ok(consequence),
        }
    }
}

/// What a report means for the job, other than a line of its log.
fn event<W: Work>(report: Report) -> Option<Event<W::Outcome>> {
    match report {
        Report::Stage(stage) => Some(Event::Stage(stage)),
        Report::Ended(ending) => Some(Event::Ended(ending)),
        report => W::outcome(report).map(Event::Outcome),
    }
}
