//! One step: a container that works on what the step before has left.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use super::workplace::Workplace;
use super::{Optimization, built_in, failure};
use crate::contract;
use crate::failure::read_message;
use crate::plan::StepPlan;
use crate::report::{Outcome, Report};
use crate::runtime::{Mount, Network, NetworkPolicy, ResolvedImage, Start};
use crate::solo::{Outfit, Program, Room, Told};
use crate::volume::Volume;
use crate::work::{Worked, internal};

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
        let said = *self.whole.around.spool.watch().borrow();
        let worked = self.work().await?;
        if let Some(cut) = worked.cut {
            return Err(cut);
        }
        match self.reason(&worked, said) {
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

    /// Runs the container: of an image that is started as it says itself, with the job's
    /// keys, or of this very program.
    async fn work(&self) -> Result<Worked, Outcome> {
        let (whole, plan) = (self.whole, &self.whole.plan);
        let room = Room {
            around: &whole.around,
            images: &whole.images,
            assignment: &plan.assignment,
            volume: self.volume,
            limits: plan.limits,
            host: HOST,
            deadline: self.deadline,
        };
        if let Some(image) = self.image.clone() {
            let start = Start::of_image(&image.config);
            let terms = (NetworkPolicy::Open, GRACE);
            return room
                .run(image, terms, |network| self.brought(start, network))
                .await;
        }
        built_in::furnish(self.workplace, self.number, plan).map_err(internal)?;
        let outfit = built_in::outfit(self.workplace, self.number, plan);
        let terms = (NetworkPolicy::Isolated, OWN_GRACE);
        let image = Program::image(BTreeSet::new());
        room.run(image, terms, |_| outfit).await
    }

    /// What the container of an image that somebody brought is started with.
    fn brought(&self, start: Start, network: &Network) -> Outfit {
        let plan = &self.whole.plan;
        let endpoint = network.endpoint.as_deref();
        Outfit {
            start,
            env: contract::environment(
                &self.plan().environment,
                &plan.assignment.site.region,
                endpoint.map(|url| (&plan.keys, url)),
            ),
            mounts: self.mounts(),
            gpus: plan.gpus.clone(),
        }
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
    fn reason(&self, worked: &Worked, said: u64) -> Option<String> {
        let Some(image) = &self.plan().image else {
            let message = read_message(&self.workplace.result(self.number));
            let memory = self.whole.plan.limits.memory_bytes;
            return failure::of_own_step(worked.exit, message, memory);
        };
        let errors = self.workplace.errors(self.number);
        let told = Told::read(worked, &errors, (&self.whole.around.directory, said));
        let reason = failure::of_image(worked.exit, told);
        reason.or_else(|| contract::of_nothing(image, &self.workplace.made(self.number)))
    }
}
