//! Finds a job's image, and the runtime that its containers need.
//!
//! A name stands for, in this order: what configuration says, an image
//! registered under exactly this name, a framework environment when it is one of
//! AWS's framework images, and whatever a container engine knows by it.

use std::path::{Path, PathBuf};

use super::ImageStore;
use crate::plan::{InstancePlan, SCRATCH};
use crate::runtime::embedded::EmbeddedRuntime;
use crate::runtime::engine::EngineRuntime;
use crate::runtime::{ResolvedImage, Root, Runtime, RuntimeError, embedded};
use crate::spool::Spool;

/// The images that an agent can use.
#[derive(Debug)]
pub(crate) struct Images {
    data_dir: PathBuf,
    engine_socket: Option<PathBuf>,
}

impl Images {
    pub(crate) fn open(plan: &InstancePlan) -> Self {
        Self {
            data_dir: plan.data_dir.clone(),
            engine_socket: plan.engine_socket.clone(),
        }
    }

    /// Finds the plan's image and makes it ready.
    pub(crate) async fn resolve(
        &self,
        plan: &InstancePlan,
        _spool: &Spool,
    ) -> Result<ResolvedImage, RuntimeError> {
        let name = plan.image.as_str();
        if let Some(image) = self.stored(name)? {
            return Ok(image);
        }
        self.of_engine(name).await
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
        let program = std::env::current_exe().map_err(|source| RuntimeError::Io {
            doing: "finding this program".to_owned(),
            source,
        })?;
        Ok(Box::new(EmbeddedRuntime::new(&program, &["shim"])?))
    }
}

/// Removes what the container of a dead agent may have left on the machine.
pub async fn clear(directory: &Path, instance: &str) {
    if let Err(error) = embedded::clear(instance, &directory.join(SCRATCH)).await {
        tracing::warn!(instance, %error, "a dead container's traces could not be removed");
    }
    let Ok(plan) = InstancePlan::read(directory) else {
        return;
    };
    let Ok(engine) = EngineRuntime::connect(plan.engine_socket).await else {
        return;
    };
    if let Err(error) = engine.sweep(directory, &[]).await {
        tracing::warn!(instance, %error, "a dead container could not be removed from the engine");
    }
}
