//! The life of a compilation: fetch the model's archive, make the tools ready,
//! compile in a container, store the artifact.
//!
//! ```text
//! Preparing → Downloading → DownloadingImage → Working → Uploading → Ended
//! ```
//!
//! The container runs this very program, for nothing that a model holds may run
//! anywhere else. It has neither network nor keys; the archive, the tools and what
//! it is told are read-only to it, and what it leaves is read as a stranger's. For a
//! target that only its maker's compiler builds for it runs an image in its place, under
//! the same rules.
//!
//! An order to stop cuts every stage short, and the time limit those from the
//! work's beginning on; what comes before has a limit of its own. Then nothing is left: no
//! container, no object, no upload.

mod failure;
mod outfit;
mod parts;
mod pickle;
mod result;
mod task;
#[cfg(test)]
mod tests;
mod tools;
mod vendor;
mod workplace;

use std::ops::ControlFlow;
use std::time::Duration;

use kiln_data::upload;
use tokio::time::Instant;

pub use task::{ARTIFACT, COMPILED, Findings, Task};

use crate::aloud::aloud;
use crate::contract;
use crate::image::Images;
use crate::one_object;
use crate::plan::{CompilationPlan, VendorPlan};
use crate::report::{Compiled, Ending, Outcome, Report, Stage};
use crate::runtime::{NetworkPolicy, ResolvedImage};
use crate::solo::{Program, Room, Told};
use crate::surroundings::Surroundings;
use crate::volume::Volume;
use crate::work::{Worked, cut, internal};
use tools::Tools;
use workplace::Workplace;

/// What a compilation may fill of the machine's disk: several times what the largest
/// archive unpacks to.
const VOLUME_BYTES: u64 = 64 << 30;
/// The name of the container in its own eyes.
const HOST: &str = "compiler";
/// What is cut short has nothing to put in order.
const GRACE: Duration = Duration::from_secs(1);
/// How long it may take to fetch the archive, and to make the tools ready: an hour, in
/// which the largest environment is fetched on a slow line.
const PREPARED_WITHIN: Duration = Duration::from_secs(3600);

/// What the life of a compilation needs.
pub(crate) struct Compilation {
    plan: CompilationPlan,
    images: Images,
    around: Surroundings,
}

impl Compilation {
    /// The life that a plan asks for.
    pub(crate) fn new(plan: CompilationPlan, surroundings: Surroundings) -> Self {
        let key = plan.kms_key.as_deref();
        Self {
            images: Images::open(&plan.assignment.site),
            around: surroundings
                .with_objects(|objects| objects.with_largest_file(VOLUME_BYTES).with_kms_key(key)),
            plan,
        }
    }

    /// Lives it to its end. What goes wrong is part of the ending.
    pub(crate) async fn live(&self) -> Ending {
        let (outcome, stored) = match self.stages().await {
            Ok(()) => (Outcome::Completed, true),
            Err(outcome) => (failure::in_its_words(outcome), false),
        };
        Ending { outcome, stored }
    }

    async fn stages(&self) -> Result<(), Outcome> {
        let around = &self.around;
        around.enter(Stage::Preparing)?;
        let volume = Volume::claim(&around.directory, None, VOLUME_BYTES).map_err(internal)?;
        let workplace = Workplace::create(&around.directory).map_err(internal)?;
        let image = self.prepare(&workplace, &volume).await?;
        around.enter(Stage::Working)?;
        let (said, began) = (*around.spool.watch().borrow(), Instant::now());
        let deadline = began + Duration::from_secs(self.plan.max_runtime_seconds);
        let worked = self.work(&workplace, &volume, image, deadline).await?;
        if let Some(cut) = worked.cut {
            return Err(cut);
        }
        if let Some(reason) = self.reason(&workplace, &worked, said) {
            return Err(Outcome::Failed(reason));
        }
        if let Some(vendor) = &self.plan.vendor {
            let seconds = began.elapsed().as_secs_f64();
            let packing = self.pack(vendor, &workplace, &volume, seconds);
            around.unless_cut(deadline, packing).await??;
        }
        around.enter(Stage::Uploading)?;
        self.store(&workplace, deadline).await
    }

    /// Fetches the archive, and makes ready what compiles it.
    async fn prepare(
        &self,
        workplace: &Workplace,
        volume: &Volume,
    ) -> Result<ResolvedImage, Outcome> {
        let around = &self.around;
        let deadline = Instant::now() + PREPARED_WITHIN;
        let late = |cut| failure::of_preparation(cut, PREPARED_WITHIN);
        around.enter(Stage::Downloading)?;
        let fetched = around.unless_cut(deadline, self.fetch(workplace, volume));
        fetched.await.map_err(late)?.map_err(Outcome::Failed)?;
        around.enter(Stage::DownloadingImage)?;
        let image = async {
            match &self.plan.vendor {
                None => self.own(workplace).await,
                Some(vendor) => self.vendors(vendor, workplace, volume).await,
            }
        };
        around.unless_cut(deadline, image).await.map_err(late)?
    }

    /// Makes ready what Kiln itself compiles with.
    async fn own(&self, workplace: &Workplace) -> Result<ResolvedImage, Outcome> {
        let tools = self.tools(workplace).await?;
        let furnished = workplace.furnish(&self.plan.order, &tools);
        furnished.map_err(internal)?;
        Ok(Program::image(tools.visible()))
    }

    /// Makes ready an image that compiles in place of Kiln, and unpacks the model for it.
    async fn vendors(
        &self,
        vendor: &VendorPlan,
        workplace: &Workplace,
        volume: &Volume,
    ) -> Result<ResolvedImage, Outcome> {
        let (spool, VendorPlan { image, target }) = (&self.around.spool, vendor);
        let line = format!("Kiln: {image} compiles for {target}, in place of Kiln");
        spool.append([Report::Log(line)]).map_err(internal)?;
        let home = workplace.clone();
        let opening = tokio::task::spawn_blocking(move || vendor::open(&home));
        let opened = tokio::select! {
            opened = opening => opened.map_err(internal)?,
            exceeded = volume.exceeded() => Err(crate::failure::of_volume(&exceeded)),
        };
        opened.map_err(Outcome::Failed)?;
        let site = &self.plan.assignment.site;
        let resolved = self.images.resolve(site, image, spool).await;
        resolved.map_err(crate::work::failed)
    }

    /// Fetches the archive, as far as the volume holds it.
    async fn fetch(&self, workplace: &Workplace, volume: &Volume) -> Result<(), String> {
        let (from, to) = (&self.plan.input, workplace.archive());
        let fetching = one_object::fetch(&self.around.objects, from, &to, VOLUME_BYTES);
        let region = &self.plan.assignment.store.region;
        tokio::select! {
            fetched = fetching => {
                fetched.map_err(|error| failure::of_download(error, from, region))
            }
            exceeded = volume.exceeded() => Err(crate::failure::of_volume(&exceeded)),
        }
    }

    async fn tools(&self, workplace: &Workplace) -> Result<Tools, Outcome> {
        let cache = self.plan.assignment.site.cache_dir.clone();
        let (order, archive) = (self.plan.order.clone(), workplace.archive());
        let prepared = aloud(&self.around.spool, move |say| {
            Tools::prepare(&cache, &order, &archive, say)
        });
        prepared.await.map_err(internal)?.map_err(internal)
    }

    /// Compiles.
    async fn work(
        &self,
        workplace: &Workplace,
        volume: &Volume,
        image: ResolvedImage,
        deadline: Instant,
    ) -> Result<Worked, Outcome> {
        let room = Room {
            around: &self.around,
            images: &self.images,
            assignment: &self.plan.assignment,
            volume,
            limits: self.plan.limits,
            host: HOST,
            deadline,
        };
        let outfit = outfit::outfit(&self.plan, workplace, &image.config);
        let terms = (NetworkPolicy::Isolated, GRACE);
        room.run(image, terms, |_| outfit).await
    }

    /// Why the container has failed, if it has. `said` is the number of the last report
    /// before its own.
    fn reason(&self, workplace: &Workplace, worked: &Worked, said: u64) -> Option<String> {
        let memory = self.plan.limits.memory_bytes;
        let Some(VendorPlan { image, target }) = &self.plan.vendor else {
            let message = crate::failure::read_message(&workplace.output());
            return failure::of_exit(worked.exit, message, memory);
        };
        let places = workplace.places();
        let told = Told::read(worked, &places.errors, (&self.around.directory, said));
        let reason = failure::of_image(worked.exit, target, told, memory);
        reason.or_else(|| contract::of_nothing(image, &places.made))
    }

    /// Packs what an image has left, as far as the volume holds it.
    async fn pack(
        &self,
        vendor: &VendorPlan,
        workplace: &Workplace,
        volume: &Volume,
        seconds: f64,
    ) -> Result<(), Outcome> {
        let (plan, vendor, workplace) = (self.plan.clone(), vendor.clone(), workplace.clone());
        let packing =
            tokio::task::spawn_blocking(move || vendor::pack(&plan, &vendor, &workplace, seconds));
        let packed = tokio::select! {
            packed = packing => packed.map_err(internal)?,
            exceeded = volume.exceeded() => Err(crate::failure::of_volume(&exceeded)),
        };
        let lines = packed.map_err(Outcome::Failed)?.into_iter();
        let told = self.around.spool.append(lines.map(Report::Log));
        told.map_err(internal)
    }

    /// Stores the artifact, and reports what came of the compilation.
    async fn store(&self, workplace: &Workplace, deadline: Instant) -> Result<(), Outcome> {
        let (around, to) = (&self.around, &self.plan.output);
        let reading = result::read(workplace.output());
        let (artifact, digest, findings) = around
            .unless_cut(deadline, reading)
            .await?
            .map_err(internal)?;
        let called_off = cut(&around.orders, deadline);
        let target = (to.bucket.as_str(), to.key.as_str());
        let stored = upload::file(&around.objects, artifact, target, called_off).await;
        let stored = stored.map_err(|error| Outcome::Failed(failure::of_upload(&error)))?;
        if let ControlFlow::Break(cut) = stored {
            return Err(cut);
        }
        let compiled = Report::Compiled(Compiled {
            artifact_digest: digest,
            derived_data_input_config: findings.derived_data_input_config,
            // An artifact brings its own loader, and runs in any image, or needs its
            // vendor's, which is nothing that Kiln could name.
            inference_image: None,
        });
        around.spool.append([compiled]).map_err(internal)
    }
}
