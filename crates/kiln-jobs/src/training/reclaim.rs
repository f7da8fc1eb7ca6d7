//! Room that others give up for the first job of the queue: warm pools that
//! nobody uses, and then spot jobs, where that is wanted.

use std::collections::HashMap;

use kiln_model::Timestamp;

use super::warm_pool::WarmPool;
use super::{Event, KIND, TrainingJobs};
use crate::JobError;
use crate::plane::{Want, now};

/// A job that may give room up, and the names of that room.
struct Holder {
    job: String,
    rooms: Vec<String>,
    gives: Gift,
}

/// What a job may give up.
enum Gift {
    /// The warm pool that it left, and since when nobody has used it.
    Pool(Timestamp),
    /// The machines that it runs on, and since when it had waited for them.
    Machines(Timestamp),
    /// Machines that it is about to give up of itself.
    Coming,
}

impl TrainingJobs {
    /// Sees to it that a job that waits gets room, if others can be made to give
    /// up enough of it: the pools that were left first, then the spot jobs that
    /// came last. Answers whether there is room already.
    pub(super) async fn reclaim_for(&self, want: &Want) -> Result<bool, JobError> {
        let mut holders = self.idle_pools()?;
        if self.shared.plane.settings.preempt_spot && !want.patient {
            holders.extend(self.spot_jobs()?);
        }
        holders.sort_by_key(|holder| match holder.gives {
            Gift::Coming => (0, 0),
            Gift::Pool(since) => (1, since.millis()),
            Gift::Machines(since) => (2, -since.millis()),
        });
        let mut freed = Vec::new();
        let mut givers = Vec::new();
        let mut holders = holders.into_iter();
        while !self
            .shared
            .plane
            .engine
            .fits_without(&want.instances, &freed)
        {
            let Some(holder) = holders.next() else {
                // All that they could give would not be enough.
                return Ok(false);
            };
            freed.extend(holder.rooms.iter().cloned());
            givers.push(holder);
        }
        let mut at_once = true;
        for giver in givers {
            match giver.gives {
                Gift::Coming => at_once = false,
                Gift::Pool(_) => self.end_warm_pool(&giver.job).await?,
                Gift::Machines(_) => {
                    at_once = false;
                    self.step(&giver.job, Event::Reclaimed).await?;
                }
            }
        }
        Ok(at_once)
    }

    fn idle_pools(&self) -> Result<Vec<Holder>, JobError> {
        let mut idle = Vec::new();
        for (name, _) in self.shared.plane.store.warm_pools.holders(KIND)? {
            let stored = self.shared.plane.store.jobs.find(KIND, &name)?;
            let job = stored.map(|stored| self.read(stored)).transpose()?;
            let pool = job.and_then(|job| job.state.warm_pool);
            idle.extend(pool.as_ref().and_then(|pool| pool_of(name, pool)));
        }
        Ok(idle)
    }

    fn spot_jobs(&self) -> Result<Vec<Holder>, JobError> {
        let mut rooms = HashMap::<String, Vec<String>>::new();
        let instances = self.shared.plane.store.instances.all()?;
        for instance in instances.into_iter().filter(|one| one.kind == KIND) {
            rooms.entry(instance.job).or_default().push(instance.id);
        }
        let mut running = Vec::new();
        for (name, rooms) in rooms {
            let stored = self.shared.plane.store.jobs.find(KIND, &name)?;
            let job = stored.map(|stored| self.read(stored)).transpose()?;
            let Some(job) = job.filter(|job| job.terms().spot) else {
                continue;
            };
            let Some(attempt) = &job.state.attempt else {
                continue;
            };
            let gives = match attempt.verdict {
                Some(_) => Gift::Coming,
                None => Gift::Machines(job.state.queued),
            };
            running.push(Holder {
                job: name,
                rooms,
                gives,
            });
        }
        Ok(running)
    }

    async fn end_warm_pool(&self, name: &str) -> Result<(), JobError> {
        let ended = self.change(name, |job| {
            if let Some(pool) = &mut job.state.warm_pool {
                // One that has been taken meanwhile is not there to be ended.
                let _ = pool.keep_for(0, now());
                job.state.modified = job.state.modified.max(now());
            }
            Ok(job.state.warm_pool.clone())
        });
        if let Some(pool) = ended.await? {
            self.tend_warm_pool(name, &pool);
        }
        Ok(())
    }
}

fn pool_of(job: String, pool: &WarmPool) -> Option<Holder> {
    Some(Holder {
        job,
        rooms: pool.rooms().collect(),
        gives: Gift::Pool(pool.idle_since()?),
    })
}
