//! What the life of an instance is surrounded by, whatever its work is.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use kiln_data::Objects;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::cluster::Cluster;
use crate::image::Images;
use crate::plan::Assignment;
use crate::report::{Orders, Outcome, Report, Stage};
use crate::runtime::{Network, NetworkPolicy, ResolvedImage, Runtime, RuntimeError};
use crate::spool::Spool;
use crate::work::{cut, internal};

/// What a container runs on: a runtime that knows its image, and its network.
pub(crate) type Footing = (Box<dyn Runtime>, Network);

/// The instance's directory, where it reports, its way to the data, and what is
/// wanted of it.
pub(crate) struct Surroundings {
    pub(crate) directory: PathBuf,
    pub(crate) spool: Arc<Spool>,
    pub(crate) objects: Objects,
    /// What the control plane wants.
    pub(crate) orders: watch::Receiver<Orders>,
    /// Set when something of the container may be left, or come to be only now.
    pub(crate) unsettled: Arc<AtomicBool>,
}

impl Surroundings {
    /// The same with another way to the data.
    pub(crate) fn with_objects(self, change: impl FnOnce(Objects) -> Objects) -> Self {
        Self {
            objects: change(self.objects),
            ..self
        }
    }

    /// Reports that the life has come to a stage.
    pub(crate) fn enter(&self, stage: Stage) -> Result<(), Outcome> {
        self.spool.append([Report::Stage(stage)]).map_err(internal)
    }

    /// Does something, unless an order or the time limit cuts it short.
    pub(crate) async fn unless_cut<T>(
        &self,
        deadline: Instant,
        work: impl Future<Output = T>,
    ) -> Result<T, Outcome> {
        tokio::select! {
            biased;
            value = work => Ok(value),
            cut = cut(&self.orders, deadline) => Err(cut),
        }
    }

    /// Finds the runtime for an image, and opens the network of the instance's
    /// container there.
    pub(crate) async fn footing(
        &self,
        images: &Images,
        image: &ResolvedImage,
        assignment: &Assignment,
        (policy, cluster): (NetworkPolicy, &Cluster),
        deadline: Instant,
    ) -> Result<Result<Footing, RuntimeError>, Outcome> {
        let runtime = match self.unless_cut(deadline, images.runtime(image)).await? {
            Ok(runtime) => runtime,
            Err(error) => return Ok(Err(error)),
        };
        let (instance, control) = (&assignment.instance, &assignment.site.control);
        let opening = runtime.open_network(instance, policy, control, cluster);
        let opened = self.unless_cut(deadline, opening).await;
        // An engine that was asked for a network may yet make it.
        let dropped = |_: &Outcome| self.unsettled.store(true, Ordering::Relaxed);
        let opened = opened.inspect_err(dropped)?;
        Ok(opened.map(|network| (runtime, network)))
    }
}
