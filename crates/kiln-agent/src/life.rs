//! One instance's life: fetch inputs, run the work, store outputs.
//!
//! ```text
//! Preparing → Downloading → DownloadingImage → Training → Uploading → Ended
//! ```
//!
//! Every step can be cut short by an order to stop, by an interruption, or by the
//! time limit. A cut before the work has started ends the life there, with nothing
//! stored; afterwards the work is asked to end, given its grace, and what it left
//! behind is settled.

use std::convert::Infallible;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::capture::Matcher;
use crate::failure;
use crate::image::Images;
use crate::inputs::Inputs;
use crate::judgement::{full, judge};
use crate::opt_ml::{OptMl, WARM_POOL_CACHE};
use crate::outputs::Synchronised;
use crate::plan::{InstancePlan, SCRATCH};
use crate::profile::{Gauge, Profiler};
use crate::records::Records;
use crate::report::{Ending, Outcome, Report, Stage};
use crate::rule;
use crate::runtime::{Container, Mount, Network, ResolvedImage, Root, RuntimeError};
use crate::settlement::Settlement;
use crate::surroundings::Surroundings;
use crate::volume::Volume;
use crate::work::{Work, Worked, failed, internal};

/// The lists of the channels' objects, in the instance's directory.
const LISTS: &str = "lists";

/// What the life of a training job's instance needs.
pub(crate) struct Life {
    plan: InstancePlan,
    images: Images,
    around: Surroundings,
}

/// What stands ready for the work, and lasts as long as it.
struct Brought {
    inputs: Inputs,
    synchronised: Synchronised,
    /// What a rule reads.
    records: Records,
}

impl Life {
    /// The life that a plan asks for.
    pub(crate) fn new(plan: InstancePlan, surroundings: Surroundings) -> Self {
        Self {
            images: Images::open(&plan.assignment.site),
            around: surroundings
                .with_objects(|objects| objects.with_largest_file(plan.volume_bytes)),
            plan,
        }
    }

    /// Lives it to its end. What goes wrong is part of the ending.
    pub(crate) async fn live(&self) -> Ending {
        let ending = self.stages().await;
        ending.unwrap_or_else(|outcome| Ending {
            outcome,
            stored: false,
        })
    }

    async fn stages(&self) -> Result<Ending, Outcome> {
        self.around.enter(Stage::Preparing)?;
        let cache = self.plan.warm_pool_cache.as_deref();
        let claimed = Volume::claim(&self.around.directory, cache, self.plan.volume_bytes);
        let volume = claimed.map_err(internal)?;
        let opt_ml = OptMl::create(&self.around.directory).map_err(internal)?;
        let deadline = Instant::now() + Duration::from_secs(self.plan.max_runtime_seconds);
        self.around.enter(Stage::Downloading)?;
        let brought = self.bring(&opt_ml, &volume);
        let brought = self.around.unless_cut(deadline, brought).await?;
        let mut brought = brought.map_err(Outcome::Failed)?;
        self.around.enter(Stage::DownloadingImage)?;
        let image = self
            .around
            .unless_cut(
                deadline,
                self.images.resolve(
                    &self.plan.assignment.site,
                    &self.plan.image,
                    &self.around.spool,
                ),
            )
            .await?;
        let image = image.map_err(|error| self.no_image(&error))?;
        let place = (&opt_ml, &volume);
        let worked = self.train(place, image, &mut brought, deadline).await?;
        let Brought {
            inputs,
            mut synchronised,
            records,
        } = brought;
        // Nobody reads them any more.
        drop((inputs, records));
        let outcome = self.outcome(&worked, &opt_ml);
        // What is stored in the server's own S3 goes to the same disk once more.
        let same_disk = self.plan.assignment.store.endpoint.is_none();
        if same_disk && volume.used_up_disk() && matches!(outcome, Outcome::Failed(_)) {
            return Err(outcome);
        }
        // A job that is stopping stays so while its outputs are stored.
        if matches!(outcome, Outcome::Completed | Outcome::Failed(_)) {
            self.around.enter(Stage::Uploading)?;
        }
        self.warn_the_others(&outcome)?;
        let settlement = Settlement {
            plan: &self.plan,
            directory: &self.around.directory,
            objects: &self.around.objects,
            orders: &self.around.orders,
        };
        let known = outcome.clone();
        let settled = settlement.settle(outcome, opt_ml, &mut synchronised);
        tokio::select! {
            biased;
            ending = settled => Ok(ending),
            exceeded = volume.disk_exceeded(), if same_disk => Err(match known {
                Outcome::Failed(_) | Outcome::MaxRuntimeExceeded => known,
                _ => full(exceeded),
            }),
        }
    }

    /// Tells of a failure at once where others work on: the first host will wait
    /// for their end before its own.
    fn warn_the_others(&self, outcome: &Outcome) -> Result<(), Outcome> {
        match outcome {
            Outcome::Failed(reason) if self.plan.cluster.hosts.len() > 1 => {
                let failing = Report::Failing(reason.clone());
                self.around.spool.append([failing]).map_err(internal)
            }
            _ => Ok(()),
        }
    }

    /// Brings inputs and checkpoints into place, as far as the volume holds them.
    async fn bring(&self, opt_ml: &OptMl, volume: &Volume) -> Result<Brought, String> {
        let lists = self.around.directory.join(LISTS);
        let bringing = async {
            Ok(Brought {
                inputs: Inputs::prepare(&self.plan, &self.around.objects, opt_ml, &lists).await?,
                synchronised: Synchronised::prepare(&self.plan, &self.around.objects, opt_ml)
                    .await?,
                records: self.records().map_err(|error| failure::internal(&error))?,
            })
        };
        let brought: Result<Brought, String> = tokio::select! {
            brought = bringing => brought,
            exceeded = volume.exceeded() => return Err(failure::of_inputs(&exceeded)),
        };
        let reason = match brought {
            Err(reason) => reason,
            brought => return brought,
        };
        // A write that failed may have been faster than the watch.
        let exceeded = volume.full().await;
        Err(exceeded.map_or(reason, |exceeded| failure::of_inputs(&exceeded)))
    }

    fn records(&self) -> std::io::Result<Records> {
        let rule = self.plan.rule.iter();
        let plans: Vec<_> = rule.flat_map(|rule| rule.records.clone()).collect();
        Records::prepare(&plans, &self.around.objects, &self.around.directory)
    }

    fn no_image(&self, error: &RuntimeError) -> Outcome {
        Outcome::Failed(match self.plan.rule {
            Some(_) => failure::of_rule_image(error),
            None => failure::of_runtime(error),
        })
    }

    fn outcome(&self, worked: &Worked, opt_ml: &OptMl) -> Outcome {
        match self.plan.rule {
            Some(_) => rule::outcome(
                worked,
                failure::read_exit_message(&opt_ml.output()).as_deref(),
            ),
            None => outcome(worked, failure::read_message(&opt_ml.output())),
        }
    }

    /// Runs the work, and beside it what serves its inputs and keeps its
    /// outputs in step. Trouble with those ends the work.
    async fn train(
        &self,
        (opt_ml, volume): (&OptMl, &Volume),
        image: ResolvedImage,
        brought: &mut Brought,
        deadline: Instant,
    ) -> Result<Worked, Outcome> {
        let plan = &self.plan;
        let footing = self.around.footing(
            &self.images,
            &image,
            &plan.assignment,
            (plan.network, &plan.cluster),
            deadline,
        );
        let (runtime, network) = footing.await?.map_err(failed)?;
        opt_ml
            .write_config(&self.plan, &network.interface)
            .map_err(internal)?;
        let mut container = self.container(opt_ml, image, &network).map_err(internal)?;
        container.mounts.extend(brought.inputs.mounts());
        container.shared = brought.inputs.shared();
        container.mounts.extend(brought.synchronised.mounts());
        container.mounts.extend(brought.records.mounts());
        self.around.enter(Stage::Working)?;
        let (tell, trouble) = watch::channel(None);
        let work = Work {
            directory: &self.around.directory,
            spool: &self.around.spool,
            orders: &self.around.orders,
            deadline,
            trouble: trouble.clone(),
            grace: Duration::from_secs(self.plan.grace_seconds),
            file_systems: brought.inputs.file_systems(),
            profiler: Profiler::prepare(&self.plan, opt_ml, &self.around.orders),
            gauge: Gauge::prepare(&self.plan, volume.filling(), &self.around.spool),
            unsettled: &self.around.unsettled,
        };
        let matchers = Matcher::prepare(&self.plan.metrics);
        let working = work.run(runtime.as_ref(), &container, &network, matchers);
        let worked = tokio::select! {
            worked = working => worked,
            never = self.attend(brought, volume, tell) => match never {},
        };
        judge(worked, &trouble, volume).await
    }

    /// Serves inputs, keeps outputs in step and watches the volume for as long as
    /// it is polled, and tells when something is wrong.
    async fn attend(
        &self,
        brought: &mut Brought,
        volume: &Volume,
        tell: watch::Sender<Option<Outcome>>,
    ) -> Infallible {
        // What went wrong first is the reason for all that follows.
        let tell = |outcome| {
            tell.send_if_modified(|first| first.is_none() && first.replace(outcome).is_none());
        };
        let failing = |reason| tell(Outcome::Failed(reason));
        let filling = async {
            tell(full(volume.exceeded().await));
            std::future::pending().await
        };
        tokio::select! {
            never = brought.inputs.serve(&self.around.objects, failing) => never,
            never = filling => never,
            never = brought.synchronised.run() => never,
            never = brought.records.follow() => never,
        }
    }

    fn container(
        &self,
        opt_ml: &OptMl,
        image: ResolvedImage,
        network: &Network,
    ) -> std::io::Result<Container> {
        let scratch = self.around.directory.join(SCRATCH);
        std::fs::create_dir_all(&scratch)?;
        let mut mounts = opt_ml.mounts();
        if self.plan.rule.is_some() {
            mounts.push(opt_ml.processing_config());
        }
        if let Some(cache) = &self.plan.warm_pool_cache {
            std::fs::create_dir_all(cache)?;
            mounts.push(Mount {
                source: cache.clone(),
                target: WARM_POOL_CACHE.into(),
                read_only: false,
            });
        }
        // Images bring their own.
        if let (Some(key), Root::System { .. }) = (&self.plan.cluster_key, &image.root) {
            mounts.extend(key.install(&scratch, &self.plan.cluster)?);
        }
        Ok(Container {
            id: self.plan.assignment.instance.clone(),
            image,
            start: self.plan.start.clone(),
            env: environment(&self.plan, network.endpoint.as_deref()),
            mounts,
            shared: Vec::new(),
            hostname: self.plan.cluster.name().to_owned(),
            hosts: network.hosts.clone(),
            limits: self.plan.limits,
            gpus: self.plan.gpus.clone(),
            scratch,
        })
    }
}

/// The container's environment: the plan's, then what only the agent knows.
/// Without a way to the control plane, keys would be of no use.
fn environment(plan: &InstancePlan, endpoint: Option<&str>) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = plan
        .environment
        .iter()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    if plan.warm_pool_cache.is_some() {
        let name = "SAGEMAKER_MANAGED_WARMPOOL_CACHE_DIRECTORY";
        all.push((name.to_owned(), WARM_POOL_CACHE.to_owned()));
    }
    if let Some(endpoint) = endpoint {
        let keys = &plan.keys;
        let added = [
            ("AWS_ACCESS_KEY_ID", keys.access_key.as_str()),
            ("AWS_SECRET_ACCESS_KEY", &keys.secret_key),
            ("AWS_SESSION_TOKEN", &keys.session_token),
            ("AWS_ENDPOINT_URL", endpoint),
            // The training toolkit passes this one on; older SDKs know no other.
            ("S3_ENDPOINT_URL", endpoint),
        ];
        all.extend(added.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
    all
}

fn outcome(worked: &Worked, message: Option<String>) -> Outcome {
    if let Some(cut) = &worked.cut {
        return cut.clone();
    }
    let message = message.or_else(|| worked.complaint.clone());
    match failure::of_exit(worked.exit, message.as_deref()) {
        None => Outcome::Completed,
        Some(reason) => Outcome::Failed(reason),
    }
}

#[cfg(test)]
#[path = "life_tests.rs"]
mod tests;
