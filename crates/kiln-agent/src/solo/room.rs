//! Runs one container, with the volume watched beside it.

use std::path::Path;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::Outfit;
use crate::cluster::Cluster;
use crate::image::Images;
use crate::inputs::FileSystems;
use crate::judgement::{judge, watch_volume};
use crate::plan::{Assignment, SCRATCH};
use crate::removal::remove_tree;
use crate::report::Outcome;
use crate::runtime::{Container, Limits, Network, NetworkPolicy, ResolvedImage};
use crate::surroundings::Surroundings;
use crate::volume::Volume;
use crate::work::{Work, Worked, failed, internal};

/// What a job's containers run in, one after another.
pub(crate) struct Room<'a> {
    pub(crate) around: &'a Surroundings,
    pub(crate) images: &'a Images,
    pub(crate) assignment: &'a Assignment,
    pub(crate) volume: &'a Volume,
    pub(crate) limits: Limits,
    /// The name of a container in its own eyes.
    pub(crate) host: &'static str,
    pub(crate) deadline: Instant,
}

impl Room<'_> {
    /// Runs a container of this image to its end. What it is started with may depend on
    /// the network that it has; what is cut short has the grace to put things in order.
    ///
    /// # Errors
    /// When it could not be run, or was cut short before it ran.
    pub(crate) async fn run(
        &self,
        image: ResolvedImage,
        (policy, grace): (NetworkPolicy, Duration),
        outfit: impl FnOnce(&Network) -> Outfit,
    ) -> Result<Worked, Outcome> {
        let (around, deadline) = (self.around, self.deadline);
        let alone = Cluster::alone(self.host, &self.assignment.instance);
        let network = (policy, &alone);
        let footing = around.footing(self.images, &image, self.assignment, network, deadline);
        let (runtime, network) = footing.await?.map_err(failed)?;
        let scratch = around.directory.join(SCRATCH);
        clear(&scratch).map_err(internal)?;
        let container = self.container(image, outfit(&network), &network, &scratch);
        let (tell, trouble) = watch::channel(None);
        let work = Work {
            directory: &around.directory,
            spool: &around.spool,
            orders: &around.orders,
            deadline,
            trouble: trouble.clone(),
            grace,
            file_systems: FileSystems::default(),
            profiler: None,
            gauge: None,
            unsettled: &around.unsettled,
        };
        let working = work.run(runtime.as_ref(), &container, &network, Vec::new());
        let worked = tokio::select! {
            worked = working => worked,
            never = watch_volume(self.volume, &tell) => match never {},
        };
        judge(worked, &trouble, self.volume).await
    }

    fn container(
        &self,
        image: ResolvedImage,
        outfit: Outfit,
        network: &Network,
        scratch: &Path,
    ) -> Container {
        Container {
            id: self.assignment.instance.clone(),
            image,
            start: outfit.start,
            env: outfit.env,
            mounts: outfit.mounts,
            shared: Vec::new(),
            hostname: self.host.to_owned(),
            hosts: network.hosts.clone(),
            limits: self.limits,
            gpus: outfit.gpus,
            scratch: scratch.to_owned(),
        }
    }
}

/// Makes the directory of a container's own files anew: another container, or an agent that
/// was lost, may have left something there.
fn clear(scratch: &Path) -> std::io::Result<()> {
    remove_tree(scratch)?;
    std::fs::create_dir(scratch)
}
