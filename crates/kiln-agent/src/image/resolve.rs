//! Finds a job's image, and the runtime that its containers need.
//!
//! A name stands for, in this order: what configuration says, an image
//! registered under exactly this name, a framework environment when it is one of
//! AWS's framework images, and whatever a container engine knows by it.

use std::path::{Path, PathBuf};

use super::ImageStore;
use super::environment::{Environments, Progress, Wanted};
use super::table::{self, Meaning};
use crate::agent;
use crate::aloud::aloud;
use crate::plan::{Plan, SCRATCH, Site};
use crate::runtime::embedded::{EmbeddedRuntime, Tolerance};
use crate::runtime::engine::EngineRuntime;
use crate::runtime::{ResolvedImage, Root, Runtime, RuntimeError, embedded};
use crate::spool::Spool;

/// The images that an agent can use.
#[derive(Debug)]
pub(crate) struct Images {
    data_dir: PathBuf,
    engine_socket: Option<PathBuf>,
    tolerance: Tolerance,
}

impl Images {
    pub(crate) fn open(site: &Site) -> Self {
        Self {
            data_dir: site.data_dir.clone(),
            engine_socket: site.engine_socket.clone(),
            tolerance: site.tolerance,
        }
    }

    /// Finds the image of this name and makes it ready. What a person may have to
    /// wait for is said in the job's log.
    pub(crate) async fn resolve(
        &self,
        site: &Site,
        name: &str,
        spool: &Spool,
    ) -> Result<ResolvedImage, RuntimeError> {
        match table::configured(&site.images, name) {
            Some(meaning) => self.ready(site, meaning, spool).await,
            None => {
                if let Some(image) = self.stored(name)? {
                    return Ok(image);
                }
                match table::framework_image(name) {
                    Some(wanted) => environment(site, wanted, spool).await,
                    None => self.of_engine(name).await,
                }
            }
        }
    }

    async fn ready(
        &self,
        site: &Site,
        meaning: Meaning,
        spool: &Spool,
    ) -> Result<ResolvedImage, RuntimeError> {
        match meaning {
            Meaning::Environment(wanted) => environment(site, wanted, spool).await,
            Meaning::Engine(name) => self.of_engine(&name).await,
            Meaning::Image(name) => self
                .stored(&name)?
                .ok_or_else(|| RuntimeError::Image(format!("no image is registered as '{name}'"))),
        }
    }

    fn stored(&self, name: &str) -> Result<Option<ResolvedImage>, RuntimeError> {
        ImageStore::open(&self.data_dir)
            .and_then(|store| store.resolve(name))
            .map_err(|error| RuntimeError::Image(error.to_string()))
    }

    async fn of_engine(&self, name: &str) -> Result<ResolvedImage, RuntimeError> {
        let engine = self.engine().await.map_err(|error| {
            RuntimeError::Image(format!("no image is registered as '{name}', and {error}"))
        })?;
        if !engine.has_image(name).await? {
            engine.pull(name).await?;
        }
        Ok(ResolvedImage {
            root: Root::Engine(name.to_owned()),
            config: Default::default(),
        })
    }

    async fn engine(&self) -> Result<EngineRuntime, RuntimeError> {
        EngineRuntime::connect(self.engine_socket.clone()).await
    }

    /// The runtime that runs containers of an image.
    pub(crate) async fn runtime(
        &self,
        image: &ResolvedImage,
    ) -> Result<Box<dyn Runtime>, RuntimeError> {
        if let Root::Engine(_) = image.root {
            return Ok(Box::new(self.engine().await?));
        }
        let program = Path::new(agent::PROGRAM);
        let embedded = EmbeddedRuntime::new(program, &["shim"])?;
        Ok(Box::new(embedded.tolerating(self.tolerance)))
    }
}

async fn environment(
    site: &Site,
    wanted: Wanted,
    spool: &Spool,
) -> Result<ResolvedImage, RuntimeError> {
    let cache = site.cache_dir.clone();
    let prepared = aloud(spool, move |say| {
        let mut progress = |progress: Progress<'_>| say(progress.to_string());
        Environments::open(&cache).prepare(&wanted, &mut progress)
    });
    let prepared = prepared
        .await
        .map_err(|error| RuntimeError::Machine(error.to_string()))?;
    prepared.map_err(|error| RuntimeError::Image(error.to_string()))
}

/// Removes what the container of a dead agent may have left on the machine. Where
/// its container engine is, the plan in its directory says.
pub async fn clear(directory: &Path, instance: &str) {
    if let Err(error) = embedded::clear(instance, &directory.join(SCRATCH)).await {
        tracing::warn!(instance, %error, "a dead container's traces could not be removed");
    }
    let Ok(plan) = Plan::read(directory) else {
        return;
    };
    let Ok(engine) = EngineRuntime::connect(plan.assignment().site.engine_socket.clone()).await
    else {
        return;
    };
    if let Err(error) = engine.sweep(directory, &[]).await {
        tracing::warn!(instance, %error, "a dead container could not be removed from the engine");
    }
}
