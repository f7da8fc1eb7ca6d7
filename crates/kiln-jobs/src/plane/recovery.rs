//! How everything is found again when a server starts.

use std::sync::Arc;

use kiln_store::Instance;
use tokio::task::JoinHandle;

use super::dispatch::dispatch;
use super::{Kind, Plane};
use crate::JobError;

/// Finds what an earlier server left running, and begins to run jobs.
///
/// # Errors
/// When the store fails.
pub(crate) async fn start(plane: &Arc<Plane>, kinds: Vec<Arc<dyn Kind>>) -> Result<(), JobError> {
    let instances = plane.store.instances.all()?;
    clear_strays(plane, &instances)?;
    for kind in &kinds {
        let ours = instances.iter().filter(|one| one.kind == kind.name());
        kind.recover(ours.cloned().collect()).await?;
    }
    find_waiting(plane, &kinds)?;
    for kind in &kinds {
        watch_over(tokio::spawn(keep_time(kind.clone())));
    }
    watch_over(tokio::spawn(dispatch(plane.clone(), kinds)));
    plane.wake.notify_one();
    Ok(())
}

/// Puts the jobs that wait back into the queue, in the order in which they began to
/// wait, and sets everybody's alarms.
fn find_waiting(plane: &Plane, kinds: &[Arc<dyn Kind>]) -> Result<(), JobError> {
    let mut waiting = Vec::new();
    for kind in kinds {
        for stored in plane.store.jobs.open_jobs(kind.name())? {
            let name = stored.name.clone();
            match kind.find_again(stored) {
                Ok(Some(since)) => waiting.push((since, kind.name(), name)),
                Ok(None) => {}
                Err(error) => tracing::error!(job = name, %error, "a job could not be read"),
            }
        }
    }
    // The sort is stable: jobs of one millisecond stay in the order they came.
    waiting.sort_by_key(|(since, ..)| *since);
    let mut queue = plane.queue();
    for (_, kind, name) in waiting {
        queue.push(kind, name);
    }
    Ok(())
}

/// Removes what is left of instances that were forgotten before they were
/// cleared away wholly. Instances that are placed from now on are none of
/// those that are found here.
fn clear_strays(plane: &Plane, instances: &[Instance]) -> Result<(), JobError> {
    let known = instances.iter().map(|instance| instance.id.clone());
    let strays = plane.engine.strays(&known.collect())?;
    let engine = plane.engine.clone();
    tokio::spawn(async move {
        for stray in strays {
            if let Err(error) = engine.clear(&stray).await {
                tracing::warn!(instance = stray, %error, "a stray instance stays");
            }
        }
    });
    Ok(())
}

/// Looks at jobs whose limits have passed, for ever.
pub(crate) async fn keep_time(kind: Arc<dyn Kind>) {
    loop {
        let name = kind.alarms().next().await;
        if let Err(error) = kind.look_at_clock(&name).await {
            tracing::error!(job = name, %error, "a time limit could not be kept yet");
            kind.alarms().set_again(name);
        }
    }
}

/// Ends the server when one of its loops breaks: agents outlive it, and the next one
/// finds everything again, while this one would take in jobs and run none.
pub(crate) fn watch_over(task: JoinHandle<()>) {
    tokio::spawn(async move {
        if task.await.is_err_and(|error| error.is_panic()) {
            tracing::error!("the server has a fault and ends; start it again");
            std::process::abort();
        }
    });
}
