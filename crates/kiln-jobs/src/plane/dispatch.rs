//! From the queue to running instances.
//!
//! Jobs leave the queue in the order in which they began to wait, whatever their
//! kind: the first that does not fit holds up those behind it, so none is overtaken
//! for ever.

use std::sync::Arc;

use futures::future::join_all;

use super::{Kind, Launch, Plane, RETRY_AFTER, Want};
use crate::JobError;

/// Launches jobs whenever there are some and there is room, for ever.
pub(super) async fn dispatch(plane: Arc<Plane>, kinds: Vec<Arc<dyn Kind>>) {
    let dispatcher = Dispatcher { plane, kinds };
    loop {
        dispatcher.plane.wake.notified().await;
        for kind in &dispatcher.kinds {
            kind.begin_others().await;
        }
        dispatcher.empty_queue().await;
    }
}

struct Dispatcher {
    plane: Arc<Plane>,
    kinds: Vec<Arc<dyn Kind>>,
}

impl Dispatcher {
    /// Launches jobs until none is left for which there is room.
    async fn empty_queue(&self) {
        loop {
            let Some(first) = self.plane.queue().first() else {
                return;
            };
            match self.launch(first.kind, &first.name).await {
                Ok(Launch::Settled) => self.plane.queue().take(&first),
                Ok(Launch::Late) => {}
                Ok(Launch::NoRoom(want)) => {
                    if self.make_room(&want).await {
                        continue;
                    }
                    self.mark_waiting().await;
                    return;
                }
                Err(error) => {
                    tracing::error!(job = first.name, %error, "a job could not be launched yet");
                    // Others first, and then again: a full disk may have room by then.
                    self.plane.queue().defer(first);
                    tokio::time::sleep(RETRY_AFTER).await;
                }
            }
        }
    }

    async fn launch(&self, kind: &str, name: &str) -> Result<Launch, JobError> {
        match self.kind(kind) {
            Some(kind) => kind.launch(name).await,
            None => Ok(Launch::Settled),
        }
    }

    fn kind(&self, name: &str) -> Option<&Arc<dyn Kind>> {
        self.kinds.iter().find(|kind| kind.name() == name)
    }

    async fn make_room(&self, want: &Want) -> bool {
        for kind in &self.kinds {
            match kind.give_up_room(want).await {
                Ok(true) => return true,
                Ok(false) => {}
                Err(error) => tracing::error!(%error, "no room could be reclaimed yet"),
            }
        }
        false
    }

    async fn mark_waiting(&self) {
        let untold = self.plane.queue().take_untold();
        let marks = untold.iter().map(|(kind, name)| async move {
            match self.kind(kind) {
                Some(kind) => kind.mark_waiting(name).await,
                None => Ok(()),
            }
        });
        for error in join_all(marks).await.into_iter().filter_map(Result::err) {
            tracing::warn!(%error, "a waiting job could not be marked as such");
        }
    }
}
