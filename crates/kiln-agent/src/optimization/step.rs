//! One step: a container that works on what the step before has left.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::workplace::Workplace;
use super::{Optimization, built_in, failure};
use crate::cluster::Cluster;
use crate::contract::{self, words};
use crate::failure::read_message;
use crate::inputs::FileSystems;
use crate::judgement::{judge, watch_volume};
use crate::plan::{SCRATCH, StepPlan};
use crate::removal::remove_tree;
use crate::report::{Outcome, Report};
use crate::runtime::{Container, Mount, Network, NetworkPolicy, ResolvedImage, Start};
use crate::volume::Volume;
use crate::work::{Work, Worked, failed, internal};

/// The name of the container in its own eyes.
const HOST: &str = "algo-1";
/// Where a training channel would be.
const DATA: &str = "/opt/ml/input/data/training";
/// Work of our own that is cut short has nothing to put in order.
const OWN_GRACE: Duration = Duration::from_secs(1);
/// What an image has between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(120);

/// One step of an optimization.
pub(super) struct Step<'a> {
    pub(super) whole: &'a Optimization,
    pub(super) number: usize,
    /// The image of its own that it has.
    pub(super) image: Option<ResolvedImage>,
    pub(super) workplace: &'a Workplace,
    pub(super) volume: &'a Volume,
    pub(super) deadline: Instant,
}

impl Step<'_> {
    /// Does the step. What it has made lies in the workplace.
    pub(super) async fn run(&self) -> Result<(), Outcome> {
        self.announce().map_err(internal)?;
        self.workplace.begin(self.number).map_err(internal)?;
        // What a crash has left of the container before.
        let scratch = self.whole.around.directory.join(SCRATCH);
        remove_tree(&scratch).map_err(internal)?;
        std::fs::create_dir(&scratch).map_err(internal)?;
        let said = *self.whole.around.spool.watch().borrow();
        let worked = self.work().await?;
        if let Some(cut) = worked.cut {
            return Err(cut);
        }
        match self.reason(worked, said) {
            Some(reason) => Err(Outcome::Failed(reason)),
            None => Ok(()),
        }
    }

    fn plan(&self) -> &StepPlan {
        &self.whole.plan.steps[self.number]
    }

    fn announce(&self) -> std::io::Result<()> {
        let (number, all) = (self.number + 1, self.whole.plan.steps.len());
        let by = match &self.plan().image {
            Some(image) => format!(" by {image}"),
            None => String::new(),
        };
        let technique = self.plan().technique;
        let line = format!("Kiln: step {number} of {all}: {technique:?}{by}");
        self.whole.around.spool.append([Report::Log(line)])
    }

    /// Runs the container, and watches the volume beside it. Answers when it has to be
    /// over, too.
    async fn work(&self) -> Result<Worked, Outcome> {
        let around = &self.whole.around;
        let assignment = &self.whole.plan.assignment;
        let image = self.image.clone().unwrap_or_else(built_in::image);
        let alone = Cluster::alone(HOST, &assignment.instance);
        let policy = match self.image {
            Some(_) => NetworkPolicy::Open,
            None => NetworkPolicy::Isolated,
        };
        let images = &self.whole.images;
        let network = (policy, &alone);
        let footing = around.footing(images, &image, assignment, network, self.deadline);
        let (runtime, network) = footing.await?.map_err(failed)?;
        let container = self.container(image, &network).map_err(internal)?;
        let (tell, trouble) = watch::channel(None);
        let work = Work {
            directory: &around.directory,
            spool: &around.spool,
            orders: &around.orders,
            deadline: self.deadline,
            trouble: trouble.clone(),
            grace: if self.image.is_some() {
                GRACE
            } else {
                OWN_GRACE
            },
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

    /// The container that does the step: of an image that is started as it says itself,
    /// or of this very program.
    fn container(&self, image: ResolvedImage, network: &Network) -> std::io::Result<Container> {
        let plan = &self.whole.plan;
        let around = (self.workplace, self.number);
        let (start, env, mounts, gpus) = match self.image {
            Some(_) => (
                Start::of_image(&image.config),
                contract::environment(
                    &self.plan().environment,
                    &plan.assignment.site.region,
                    network.endpoint.as_deref().map(|url| (&plan.keys, url)),
                ),
                self.mounts(),
                plan.gpus.clone(),
            ),
            None => {
                built_in::furnish(around.0, around.1, plan)?;
                let start = Start {
                    entrypoint: Some(built_in::command()),
                    arguments: None,
                };
                let mounts = built_in::mounts(around.0, around.1, plan);
                (start, Vec::new(), mounts, Vec::new())
            }
        };
        Ok(Container {
            id: plan.assignment.instance.clone(),
            image,
            start,
            env,
            mounts,
            shared: Vec::new(),
            hostname: HOST.to_owned(),
            hosts: network.hosts.clone(),
            limits: plan.limits,
            gpus,
            scratch: self.whole.around.directory.join(SCRATCH),
        })
    }

    /// What an image's container sees: what the contract names, and what the step learns
    /// from.
    fn mounts(&self) -> Vec<Mount> {
        let mut mounts = contract::mounts(self.workplace.places(self.number));
        if self.plan().calibration.is_some() {
            mounts.push(Mount {
                source: self.workplace.calibration(self.number),
                target: DATA.into(),
                read_only: true,
            });
        }
        mounts
    }

    /// Why the step failed, if it has. `said` is the number of the last report before
    /// the container's own.
    fn reason(&self, worked: Worked, said: u64) -> Option<String> {
        let Some(image) = &self.plan().image else {
            let message = read_message(&self.workplace.result(self.number));
            let memory = self.whole.plan.limits.memory_bytes;
            return failure::of_own_step(worked.exit, message, memory);
        };
        let error = contract::read_error(&self.workplace.errors(self.number));
        let words = worked
            .complaint
            .or_else(|| words::last(&self.whole.around.directory, said));
        let reason = failure::of_image(worked.exit, error, words.as_deref());
        reason.or_else(|| contract::of_nothing(image, &self.workplace.made(self.number)))
    }
}
