//! What the work came to, in the light of what went wrong beside it.

use std::convert::Infallible;

use tokio::sync::watch;

use crate::failure;
use crate::report::Outcome;
use crate::runtime::Exit;
use crate::volume::{Exceeded, Volume};
use crate::work::Worked;

/// The outcome of a job that has filled more than it may.
pub(crate) fn full(exceeded: Exceeded) -> Outcome {
    Outcome::Failed(failure::of_volume(&exceeded))
}

/// Watches the volume for as long as it is polled, and tells when it is full.
pub(crate) async fn watch_volume(
    volume: &Volume,
    tell: &watch::Sender<Option<Outcome>>,
) -> Infallible {
    tell.send_replace(Some(full(volume.exceeded().await)));
    std::future::pending().await
}

/// How the work ended, and why: what it says itself counts least. A disk that the
/// job has filled may fail more than the job.
pub(crate) async fn judge(
    worked: Result<Worked, Outcome>,
    trouble: &watch::Receiver<Option<Outcome>>,
    volume: &Volume,
) -> Result<Worked, Outcome> {
    let worked = match worked {
        Ok(worked) => worked,
        Err(outcome @ Outcome::Failed(_)) => {
            return Err(volume.full().await.map_or(outcome, full));
        }
        Err(cut) => return Err(cut),
    };
    let trouble = trouble.borrow().clone();
    let trouble = match (worked.exit, trouble) {
        // What failed for want of room may have been faster than the watch.
        (exit, None) if exit != Exit::Code(0) => volume.full().await.map(full),
        (_, trouble) => trouble,
    };
    Ok(worked.unless(trouble))
}
