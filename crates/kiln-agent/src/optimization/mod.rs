//! The life of an optimization: fetch the model, have one container after another work
//! on it, each on what the one before has made, store what the last one left.
//!
//! ```text
//! Preparing → Downloading → DownloadingImage → Working → Uploading → Ended
//! ```
//!
//! A step without an image is done by this very program in a container with neither
//! network nor keys. One with an image runs as that says itself, under the contract of
//! AWS's own images, with the job's keys.
//!
//! An order to stop cuts every stage short, and the time limit those from the work's
//! beginning on. Then nothing is left: no container, no object, no upload. An agent that
//! is killed may be begun again in the same directory: what is fetched stays, steps that
//! are done stay done, and the one that was not keeps its scratch. Where too many were, a
//! last one takes back what they have stored.

mod built_in;
mod failure;
mod fetch;
mod journal;
mod progress;
mod step;
mod store;
#[cfg(test)]
mod tests;
mod workplace;

use std::time::Duration;

use tokio::time::Instant;

use crate::image::Images;
use crate::judgement::full;
use crate::plan::OptimizationPlan;
use crate::report::{Ending, Optimized, Outcome, Report, Stage};
use crate::runtime::ResolvedImage;
use crate::surroundings::Surroundings;
use crate::volume::Volume;
use crate::work::{cut, failed, internal};
use fetch::Fetch;
use progress::Progress;
use step::Step;
use store::Stored;
use workplace::Workplace;

/// Stands for no limit.
const YEARS: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// What the life of an optimization needs.
pub(crate) struct Optimization {
    plan: OptimizationPlan,
    images: Images,
    around: Surroundings,
}

impl Optimization {
    /// The life that a plan asks for.
    pub(crate) fn new(plan: OptimizationPlan, surroundings: Surroundings) -> Self {
        let key = plan.kms_key.as_deref();
        Self {
            images: Images::open(&plan.assignment.site),
            around: surroundings.with_objects(|objects| objects.with_kms_key(key)),
            plan,
        }
    }

    /// Lives it to its end. What goes wrong is part of the ending.
    pub(crate) async fn live(&self) -> Ending {
        let lived = match self.plan.takes_back {
            true => Err(Outcome::Stopped),
            false => self.stages().await,
        };
        let Err(outcome) = lived else {
            return Ending {
                outcome: Outcome::Completed,
                stored: true,
            };
        };
        let (around, bucket) = (&self.around, &self.plan.output.bucket);
        journal::take_back(&around.objects, bucket, &around.directory).await;
        Ending {
            outcome,
            stored: false,
        }
    }

    async fn stages(&self) -> Result<(), Outcome> {
        let around = &self.around;
        around.enter(Stage::Preparing)?;
        // Models have any size, so that only the disk sets a limit.
        let volume = Volume::claim(&around.directory, None, u64::MAX).map_err(internal)?;
        let workplace = Workplace::create(&around.directory).map_err(internal)?;
        let mut progress = Progress::open(&around.directory).map_err(internal)?;
        clear_behind(&workplace, &progress).await?;
        let unlimited = Instant::now() + YEARS;
        if !progress.has_inputs() {
            around.enter(Stage::Downloading)?;
            let half = workplace.clone();
            blocking(move || half.clear_inputs()).await?;
            let bringing = self.bring(&workplace, &volume, progress.steps());
            let brought = around.unless_cut(unlimited, bringing);
            brought.await?.map_err(Outcome::Failed)?;
            progress.fetched().map_err(internal)?;
        }
        around.enter(Stage::DownloadingImage)?;
        let images = self.images(progress.steps());
        let images = around.unless_cut(unlimited, images).await??;
        let deadline = self.deadline(&mut progress).map_err(internal)?;
        around.enter(Stage::Working)?;
        self.work((&workplace, &volume), images, &mut progress, deadline)
            .await?;
        around.enter(Stage::Uploading)?;
        self.store(&workplace, &volume, deadline).await
    }

    /// Fetches what the steps from this one on need, as far as the disk holds it.
    async fn bring(
        &self,
        workplace: &Workplace,
        volume: &Volume,
        from: usize,
    ) -> Result<(), String> {
        let fetch = Fetch {
            plan: &self.plan,
            objects: &self.around.objects,
            workplace,
            directory: &self.around.directory,
            spool: &self.around.spool,
        };
        tokio::select! {
            brought = fetch.bring(from) => brought,
            exceeded = volume.exceeded() => Err(crate::failure::of_inputs(&exceeded)),
        }
    }

    /// The images of the steps from this one on, for those that have one.
    async fn images(&self, from: usize) -> Result<Vec<Option<ResolvedImage>>, Outcome> {
        let mut images = Vec::new();
        for step in self.plan.steps.iter().skip(from) {
            images.push(match &step.image {
                None => None,
                Some(name) => {
                    let (site, spool) = (&self.plan.assignment.site, &self.around.spool);
                    let image = self.images.resolve(site, name, spool).await;
                    Some(image.map_err(failed)?)
                }
            });
        }
        Ok(images)
    }

    /// When the work must be over, which is counted from its first beginning.
    fn deadline(&self, progress: &mut Progress) -> std::io::Result<Instant> {
        let limit = Duration::from_secs(self.plan.max_runtime_seconds);
        let passed = Duration::from_millis(progress.since_beginning()?);
        Ok(Instant::now() + limit.saturating_sub(passed))
    }

    /// Does the steps that are left.
    async fn work(
        &self,
        (workplace, volume): (&Workplace, &Volume),
        images: Vec<Option<ResolvedImage>>,
        progress: &mut Progress,
        deadline: Instant,
    ) -> Result<(), Outcome> {
        for image in images {
            let number = progress.steps();
            let step = Step {
                whole: self,
                number,
                image,
                workplace,
                volume,
                deadline,
            };
            step.run().await?;
            let made = workplace.made(number);
            blocking(move || progress::settle(&made)).await?;
            progress.step_done().map_err(internal)?;
            clear_behind(workplace, progress).await?;
        }
        Ok(())
    }

    /// Stores what the last step has made, and reports what that is.
    async fn store(
        &self,
        workplace: &Workplace,
        volume: &Volume,
        deadline: Instant,
    ) -> Result<(), Outcome> {
        let (around, steps) = (&self.around, &self.plan.steps);
        let made = workplace.given(steps.len());
        // What is stored in the server's own S3 goes to the same disk once more.
        let same_disk = self.plan.assignment.store.endpoint.is_none();
        let cut = async {
            tokio::select! {
                biased;
                cut = cut(&around.orders, deadline) => cut,
                exceeded = volume.disk_exceeded(), if same_disk => full(exceeded),
            }
        };
        let stored = store::store(around, made, &self.plan.output, cut).await?;
        let Stored {
            files,
            bytes,
            is_hugging_face,
        } = stored;
        let own_image = steps.last().and_then(|step| step.image.clone());
        let optimized = Report::Optimized(Optimized {
            own_image,
            is_hugging_face,
            files,
            bytes,
        });
        around.spool.append([optimized]).map_err(internal)
    }
}

/// Removes what the last step that is done has left to be removed.
async fn clear_behind(workplace: &Workplace, progress: &Progress) -> Result<(), Outcome> {
    let workplace = workplace.clone();
    match progress.steps().checked_sub(1) {
        None => Ok(()),
        Some(last) => blocking(move || workplace.end(last)).await,
    }
}

/// Does on another thread what keeps the disk busy.
async fn blocking(
    work: impl FnOnce() -> std::io::Result<()> + Send + 'static,
) -> Result<(), Outcome> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(internal)?.map_err(internal)
}
