//! One instance's life: fetch inputs, run the work, store outputs.
//!
//! ```text
//! Preparing → Downloading → DownloadingImage → Training → Uploading → Ended
//! ```
//!
//! Every step can be cut short by a command to stop or by the time limit. A cut
//! before the work has started ends the life there; afterwards the work is
//! asked to end, given its grace, and what it left behind is stored.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use kiln_data::{Objects, archive, file};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::capture::{Matcher, capture};
use crate::image::Images;
use crate::opt_ml::{OptMl, is_own_directory};
use crate::plan::{InstancePlan, SCRATCH};
use crate::report::{Ending, Outcome, Report, Stage};
use crate::runtime::{Container, Exit, Network, ResolvedImage, Running, RuntimeError};
use crate::spool::Spool;
use crate::{AgentError, failure};

const SIGTERM: i32 = nix::libc::SIGTERM;
const SIGKILL: i32 = nix::libc::SIGKILL;

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

/// How the work ended.
struct Worked {
    exit: Exit,
    /// What cut it short, if anything did.
    cut: Option<Outcome>,
    /// Why it could not even start.
    complaint: Option<String>,
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
        self.unless_cut(deadline, self.download(&opt_ml)).await??;
        self.enter(Stage::DownloadingImage)?;
        let image = self
            .unless_cut(deadline, self.images.resolve(&self.plan, &self.spool))
            .await?;
        let image = image.map_err(|error| Outcome::Failed(failure::of_runtime(&error)))?;
        let worked = self.train(&opt_ml, image, deadline).await?;
        let outcome = outcome(&worked, failure::read_message(&opt_ml.output()));
        // A job that is stopping stays so while its outputs are stored.
        if !matches!(outcome, Outcome::Stopped | Outcome::MaxRuntimeExceeded) {
            self.enter(Stage::Uploading)?;
        }
        Ok(match self.upload(&opt_ml).await {
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
            cut = self.cut(deadline) => Err(cut),
        }
    }

    /// Returns when the life must be cut short, and says why.
    async fn cut(&self, deadline: Instant) -> Outcome {
        let mut stop = self.stop.clone();
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => Outcome::Stopped,
            () = tokio::time::sleep_until(deadline) => Outcome::MaxRuntimeExceeded,
        }
    }

    async fn download(&self, opt_ml: &OptMl) -> Result<(), Outcome> {
        for plan in &self.plan.channels {
            let (directory, manifest) = opt_ml.channel(&plan.name);
            file::download(
                &self.objects,
                &plan.bucket,
                &plan.prefix,
                &directory,
                &manifest,
            )
            .await
            .map_err(|error| Outcome::Failed(failure::of_download(&error)))?;
        }
        Ok(())
    }

    async fn train(
        &self,
        opt_ml: &OptMl,
        image: ResolvedImage,
        deadline: Instant,
    ) -> Result<Worked, Outcome> {
        let failed = |error: RuntimeError| Outcome::Failed(failure::of_runtime(&error));
        let runtime = self.images.runtime(&image).await.map_err(failed)?;
        let network = runtime
            .open_network(&self.plan.instance, self.plan.network, &self.plan.control)
            .await
            .map_err(failed)?;
        opt_ml
            .write_config(&self.plan, &network.interface)
            .map_err(internal)?;
        let container = self.container(opt_ml, image, &network).map_err(internal)?;
        self.enter(Stage::Training)?;
        let (output, captured) = self.capture_output()?;
        match runtime.start(&container, &network, output).await {
            Ok(mut running) => {
                let worked = self.work(running.as_mut(), deadline).await;
                captured.await.map_err(internal)?.map_err(internal)?;
                running.remove().await.map_err(failed)?;
                worked.map_err(failed)
            }
            Err(RuntimeError::Command { message, code }) => {
                self.spool
                    .append([Report::Log(message.clone())])
                    .map_err(internal)?;
                Ok(Worked {
                    exit: Exit::Code(code),
                    cut: None,
                    complaint: Some(message),
                })
            }
            Err(error) => Err(failed(error)),
        }
    }

    fn capture_output(
        &self,
    ) -> Result<
        (
            std::os::fd::OwnedFd,
            tokio::task::JoinHandle<Result<(), AgentError>>,
        ),
        Outcome,
    > {
        let (sender, receiver) = tokio::net::unix::pipe::pipe().map_err(internal)?;
        let output = sender.into_blocking_fd().map_err(internal)?;
        let (spool, matchers) = (self.spool.clone(), Matcher::prepare(&self.plan.metrics));
        let captured = tokio::spawn(async move { capture(receiver, &matchers, &spool).await });
        Ok((output, captured))
    }

    async fn work(
        &self,
        running: &mut dyn Running,
        deadline: Instant,
    ) -> Result<Worked, RuntimeError> {
        let cut = tokio::select! {
            exit = running.wait() => return Ok(Worked { exit: exit?, cut: None, complaint: None }),
            cut = self.cut(deadline) => cut,
        };
        self.spool
            .append([Report::Stage(Stage::Stopping)])
            .map_err(spooling)?;
        running.signal(SIGTERM).await?;
        let grace = Duration::from_secs(self.plan.grace_seconds);
        let exit = match tokio::time::timeout(grace, running.wait()).await {
            Ok(exit) => exit?,
            Err(_) => {
                running.signal(SIGKILL).await?;
                running.wait().await?
            }
        };
        Ok(Worked {
            exit,
            cut: Some(cut),
            complaint: None,
        })
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

    async fn upload(&self, opt_ml: &OptMl) -> Result<(), String> {
        let store = |directory: PathBuf, name: &'static str| async move {
            let key = self.plan.outputs.key(name);
            let target = (self.plan.outputs.bucket.as_str(), key.as_str());
            archive::upload(&self.objects, own(&directory), target).await
        };
        let stored = tokio::try_join!(
            store(opt_ml.model(), "model.tar.gz"),
            store(opt_ml.output_data(), "output.tar.gz")
        );
        stored.map(drop).map_err(|error| failure::of_upload(&error))
    }
}

/// The directory, or a path that is certainly empty when the work has replaced
/// it by something else.
fn own(directory: &Path) -> &Path {
    if is_own_directory(directory) {
        directory
    } else {
        Path::new("/nonexistent")
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

fn spooling(source: std::io::Error) -> RuntimeError {
    RuntimeError::Io {
        doing: "writing down a report".to_owned(),
        source,
    }
}

fn internal(error: impl std::fmt::Display) -> Outcome {
    Outcome::Failed(failure::internal(&error))
}
