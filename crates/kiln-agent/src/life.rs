//! One instance's life: fetch inputs, run the work, store outputs.
//!
//! ```text
//! Preparing → Downloading → DownloadingImage → Training → Uploading → Ended
//! ```
//!
//! Every step can be cut short by a command to stop or by the time limit. A cut
//! before the work has started ends the life there; afterwards the work is
//! asked to end, given its grace, and what it left behind is stored.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use kiln_data::Objects;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::capture::Matcher;
use crate::failure;
use crate::image::Images;
use crate::inputs::Inputs;
use crate::opt_ml::OptMl;
use crate::outputs::{self, Synchronised};
use crate::plan::{InstancePlan, SCRATCH};
use crate::report::{Ending, Outcome, Report, Stage};
use crate::runtime::{Container, Network, ResolvedImage};
use crate::spool::Spool;
use crate::work::{Work, Worked, cut, failed, internal};

/// The lists of the channels' objects, in the instance's directory.
const LISTS: &str = "lists";

/// What an instance's life needs.
pub(crate) struct Life {
    pub(crate) plan: InstancePlan,
    pub(crate) directory: PathBuf,
    pub(crate) spool: Arc<Spool>,
    pub(crate) objects: Objects,
    pub(crate) images: Images,
    /// Becomes true when the control plane says stop.
    pub(crate) stop: watch::Receiver<bool>,
}

/// What stands ready for the work, and lasts as long as it.
struct Brought {
    inputs: Inputs,
    synchronised: Synchronised,
}

impl Life {
    /// Lives it to its end. What goes wrong is part of the ending.
    pub(crate) async fn live(&self) -> Ending {
        let ending = self.stages().await;
        ending.unwrap_or_else(|outcome| Ending {
            outcome,
            stored: false,
        })
    }

    async fn stages(&self) -> Result<Ending, Outcome> {
        self.enter(Stage::Preparing)?;
        let opt_ml = OptMl::create(&self.directory).map_err(internal)?;
        let deadline = Instant::now() + Duration::from_secs(self.plan.max_runtime_seconds);
        self.enter(Stage::Downloading)?;
        let brought = self.bring(&opt_ml);
        let brought = self.unless_cut(deadline, brought).await?;
        let mut brought = brought.map_err(Outcome::Failed)?;
        self.enter(Stage::DownloadingImage)?;
        let image = self
            .unless_cut(deadline, self.images.resolve(&self.plan, &self.spool))
            .await?;
        let image = image.map_err(failed)?;
        let worked = self.train(&opt_ml, image, &mut brought, deadline).await?;
        let Brought {
            inputs,
            mut synchronised,
        } = brought;
        // Nobody reads them any more.
        drop(inputs);
        let outcome = outcome(&worked, failure::read_message(&opt_ml.output()));
        // A job that is stopping stays so while its outputs are stored.
        if !matches!(outcome, Outcome::Stopped | Outcome::MaxRuntimeExceeded) {
            self.enter(Stage::Uploading)?;
        }
        Ok(match self.upload(&opt_ml, &mut synchronised).await {
            Ok(()) => Ending {
                outcome,
                stored: true,
            },
            Err(reason) => Ending {
                outcome: worst(outcome, reason),
                stored: false,
            },
        })
    }

    /// Brings inputs and checkpoints into place.
    async fn bring(&self, opt_ml: &OptMl) -> Result<Brought, String> {
        let lists = self.directory.join(LISTS);
        Ok(Brought {
            inputs: Inputs::prepare(&self.plan, &self.objects, opt_ml, &lists).await?,
            synchronised: Synchronised::prepare(&self.plan, &self.objects, opt_ml).await?,
        })
    }

    fn enter(&self, stage: Stage) -> Result<(), Outcome> {
        self.spool.append([Report::Stage(stage)]).map_err(internal)
    }

    async fn unless_cut<T>(
        &self,
        deadline: Instant,
        work: impl Future<Output = T>,
    ) -> Result<T, Outcome> {
        tokio::select! {
            value = work => Ok(value),
            cut = cut(&self.stop, deadline) => Err(cut),
        }
    }

    /// Runs the work, and beside it what serves its inputs and keeps its
    /// outputs in step. Trouble with those ends the work.
    async fn train(
        &self,
        opt_ml: &OptMl,
        image: ResolvedImage,
        brought: &mut Brought,
        deadline: Instant,
    ) -> Result<Worked, Outcome> {
        let runtime = self.images.runtime(&image);
        let runtime = self.unless_cut(deadline, runtime).await?.map_err(failed)?;
        let opened =
            runtime.open_network(&self.plan.instance, self.plan.network, &self.plan.control);
        let network = self.unless_cut(deadline, opened).await?.map_err(failed)?;
        opt_ml
            .write_config(&self.plan, &network.interface)
            .map_err(internal)?;
        let mut container = self.container(opt_ml, image, &network).map_err(internal)?;
        container.mounts.extend(brought.inputs.mounts());
        container.mounts.extend(brought.synchronised.mounts());
        self.enter(Stage::Training)?;
        let (tell, trouble) = watch::channel(None);
        let work = Work {
            directory: &self.directory,
            spool: &self.spool,
            stop: &self.stop,
            deadline,
            trouble: trouble.clone(),
            grace: Duration::from_secs(self.plan.grace_seconds),
            file_systems: brought.inputs.file_systems(),
        };
        let matchers = Matcher::prepare(&self.plan.metrics);
        let working = work.run(runtime.as_ref(), &container, &network, matchers);
        let worked = tokio::select! {
            worked = working => worked?,
            never = self.attend(brought, tell) => match never {},
        };
        Ok(worked.unless(trouble.borrow().clone()))
    }

    /// Serves inputs and keeps outputs in step for as long as it is polled, and
    /// tells when something is wrong.
    async fn attend(
        &self,
        brought: &mut Brought,
        tell: watch::Sender<Option<Outcome>>,
    ) -> Infallible {
        let serving = async {
            let reason = brought.inputs.serve(&self.objects).await;
            tell.send_replace(Some(Outcome::Failed(reason)));
            std::future::pending().await
        };
        tokio::select! {
            never = serving => never,
            never = brought.synchronised.run() => never,
        }
    }

    fn container(
        &self,
        opt_ml: &OptMl,
        image: ResolvedImage,
        network: &Network,
    ) -> std::io::Result<Container> {
        let scratch = self.directory.join(SCRATCH);
        std::fs::create_dir_all(&scratch)?;
        Ok(Container {
            id: self.plan.instance.clone(),
            image,
            start: self.plan.start.clone(),
            env: environment(&self.plan, network.endpoint.as_deref()),
            mounts: opt_ml.mounts(),
            hostname: self.plan.host.clone(),
            hosts: vec![self.plan.host.clone()],
            limits: self.plan.limits,
            scratch,
        })
    }

    async fn upload(&self, opt_ml: &OptMl, synchronised: &mut Synchronised) -> Result<(), String> {
        let stored = tokio::try_join!(
            outputs::store(&self.plan.outputs, &self.objects, opt_ml),
            synchronised.finish(&self.objects),
        );
        stored.map(drop).map_err(|error| failure::of_upload(&error))
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

/// The work's own failure, or the time limit, says more than a failure to store
/// its outputs.
fn worst(outcome: Outcome, reason: String) -> Outcome {
    match outcome {
        first @ (Outcome::Failed(_) | Outcome::MaxRuntimeExceeded) => first,
        _ => Outcome::Failed(reason),
    }
}
