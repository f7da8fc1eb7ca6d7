//! Instances from the start of their agents to their last traces.

use std::sync::Arc;

use kiln_engine::Presence;
use kiln_store::Instance;

use super::{Kind, RETRY_AFTER};
use crate::JobError;

/// How many times an agent may die before it has begun.
const BEGINNINGS: u32 = 3;

/// What is said of an instance whose agent is gone before its end.
pub(crate) const GONE: &str = "the agent of the instance is gone";

/// Waits until an instance's agent is gone and no other goes on in its place, and clears
/// up behind it.
pub(crate) async fn attend(kind: Arc<dyn Kind>, id: String) {
    loop {
        see_through(kind.as_ref(), &id).await;
        match hear_out(kind.as_ref(), &id).await {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                tracing::error!(instance = id, %error, "a departed agent could not be heard yet");
                tokio::time::sleep(RETRY_AFTER).await;
            }
        }
    }
    while let Err(error) = clear_up(kind.as_ref(), &id).await {
        tracing::error!(instance = id, %error, "an instance could not be cleared up yet");
        tokio::time::sleep(RETRY_AFTER).await;
    }
    let plane = kind.plane();
    plane.revoke(&id);
    // Nobody waits for the answer to what the agent asked last.
    plane.tell();
    plane.release(std::iter::once(id.as_str()));
}

/// Returns when an instance's agent is gone for good. One that died before it
/// had begun is started again a few times, as nothing has happened yet.
async fn see_through(kind: &dyn Kind, id: &str) {
    let engine = &kind.plane().engine;
    for _ in 0..BEGINNINGS {
        engine.departed(id).await;
        match begin_again(kind, id).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                tracing::warn!(instance = id, %error, "an agent could not be started again");
                return;
            }
        }
    }
    engine.departed(id).await;
}

async fn begin_again(kind: &dyn Kind, id: &str) -> Result<bool, JobError> {
    let plane = kind.plane();
    let Some(instance) = plane.store.instances.find(id)? else {
        return Ok(false);
    };
    match must_begin(plane.engine.presence(id), &instance) {
        true => kind.begin_again(&instance).await,
        false => Ok(false),
    }
}

/// Takes in what an agent that is gone had still to say. Answers whether another goes
/// on in its place.
async fn hear_out(kind: &dyn Kind, id: &str) -> Result<bool, JobError> {
    let plane = kind.plane();
    let instance = plane.store.instances.find(id)?;
    let delivered = instance.as_ref().map_or(0, |instance| instance.delivered);
    for reports in plane.engine.leftovers(id, delivered)? {
        kind.take_in(id, reports).await?;
    }
    match instance {
        Some(instance) => kind.go_on(&instance).await,
        None => Ok(false),
    }
}

async fn clear_up(kind: &dyn Kind, id: &str) -> Result<(), JobError> {
    let plane = kind.plane();
    kind.lose(id, GONE).await?;
    until_needless(kind, id).await?;
    plane.engine.clear(id).await?;
    plane.store.logs.forget_instance(id).await?;
    plane.store.metrics.forget_instance(id).await?;
    plane.store.instances.forget(id).await?;
    Ok(())
}

/// Waits until nobody needs what the instance has made any more.
async fn until_needless(kind: &dyn Kind, id: &str) -> Result<(), JobError> {
    let plane = kind.plane();
    let mut told = plane.told.subscribe();
    while let Some(instance) = plane.store.instances.find(id)? {
        if !kind.is_needed(&instance)? {
            break;
        }
        // The sender lives as long as we do.
        let _ = told.changed().await;
    }
    Ok(())
}

/// Whether the agent of an instance of a running attempt must be started
/// (again): a server may have died after it wrote the instance down and before it
/// placed it.
pub(crate) fn must_begin(presence: Presence, instance: &Instance) -> bool {
    let untouched = matches!(presence, Presence::NotBegun | Presence::Absent);
    // One that has said something is about to be cleared away.
    untouched && instance.delivered == 0
}
