//! The jobs of all kinds behind one handle: what starts them, and what is the same
//! for all of them to agents and to whoever checks keys.

use std::sync::Arc;

use kiln_agent::report::{Numbered, Orders, Receipt};
use kiln_engine::Engine;
use kiln_store::Store;

use crate::compilation::{Compilation, CompilationJobs};
use crate::models::Models;
use crate::optimization::{Optimization, OptimizationJobs};
use crate::plane::{self, Kind, Plane, hearing};
use crate::training::TrainingJobs;
use crate::{
    Buckets, JobError, JobSession, Party, ReportError, Scope, Session, SessionKeys, Settings,
};

/// The jobs of a control plane. Clones are handles to the same.
#[derive(Clone)]
pub struct Jobs {
    plane: Arc<Plane>,
    training: TrainingJobs,
    compilation: CompilationJobs,
    optimization: OptimizationJobs,
    models: Models,
}

impl std::fmt::Debug for Jobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Jobs")
            .field("settings", &self.plane.settings)
            .finish_non_exhaustive()
    }
}

impl Jobs {
    /// The jobs in a store, run by an engine. Nothing runs before [`Jobs::start`].
    #[must_use]
    pub fn new(
        settings: Settings,
        store: Store,
        engine: Arc<dyn Engine>,
        buckets: Arc<dyn Buckets>,
        keys: SessionKeys,
    ) -> Self {
        let compilation = Compilation::new(&settings);
        let optimization = Optimization::new(&settings);
        let plane = Plane::new(settings, store, engine, buckets, keys);
        Self {
            training: TrainingJobs::new(plane.clone()),
            compilation: CompilationJobs::new(plane.clone(), compilation),
            optimization: OptimizationJobs::new(plane.clone(), optimization),
            models: Models::new(plane.clone()),
            plane,
        }
    }

    /// Training jobs.
    #[must_use]
    pub fn training(&self) -> &TrainingJobs {
        &self.training
    }

    /// Compilation jobs.
    #[must_use]
    pub fn compilation(&self) -> &CompilationJobs {
        &self.compilation
    }

    /// Optimization jobs.
    #[must_use]
    pub fn optimization(&self) -> &OptimizationJobs {
        &self.optimization
    }

    /// SageMaker models.
    #[must_use]
    pub fn models(&self) -> &Models {
        &self.models
    }

    /// Finds what an earlier server left running, and begins to run jobs.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn start(&self) -> Result<(), JobError> {
        let kinds: Vec<Arc<dyn Kind>> = vec![
            Arc::new(self.training.clone()),
            Arc::new(self.compilation.clone()),
            Arc::new(self.optimization.clone()),
        ];
        plane::start(&self.plane, kinds).await?;
        plane::watch_over(tokio::spawn(self.training.clone().keep_indexed()));
        Ok(())
    }

    /// The identifier that tells this control plane from all others, before and
    /// after restarts.
    #[must_use]
    pub fn server_id(&self) -> String {
        self.plane.server_id()
    }

    /// The holder of an access key, while its instance is there.
    #[must_use]
    pub fn session(&self, access_key: &str) -> Option<Session> {
        self.plane.session(access_key)
    }

    /// What the holder of a session's keys may do in S3; `None` once the work that it
    /// has them for is over, when its keys count no more.
    ///
    /// # Errors
    /// When the store fails.
    pub fn scope(&self, holder: &JobSession) -> Result<Option<Scope>, JobError> {
        match self.kinds().iter().find(|kind| kind.name() == holder.kind) {
            Some(kind) => kind.scope(holder),
            None => Ok(None),
        }
    }

    /// Takes in a delivery of reports from the instance's agent.
    ///
    /// # Errors
    /// See [`ReportError`].
    pub async fn report(
        &self,
        id: &str,
        token: &str,
        reports: Vec<Numbered>,
    ) -> Result<Receipt, ReportError> {
        let (kind, instance) = self.plane.heard(&self.kinds(), (id, token))?;
        hearing::report(kind, &instance, reports).await
    }

    /// Waits a while until the instance's orders are others than those that its
    /// agent knows.
    ///
    /// # Errors
    /// See [`ReportError`].
    pub async fn orders(
        &self,
        id: &str,
        token: &str,
        known: Orders,
    ) -> Result<Option<Orders>, ReportError> {
        let (kind, instance) = self.plane.heard(&self.kinds(), (id, token))?;
        hearing::orders(kind, &instance, known).await
    }

    /// Whether the instance's agent may read an object.
    ///
    /// # Errors
    /// See [`ReportError`].
    pub fn may_read(
        &self,
        id: &str,
        token: &str,
        object: (&str, &str),
    ) -> Result<bool, ReportError> {
        let (kind, instance) = self.plane.heard(&self.kinds(), (id, token))?;
        hearing::may_read(kind, &kind.session(&instance, Party::Agent), object)
    }

    fn kinds(&self) -> [&dyn Kind; 3] {
        [&self.training, &self.compilation, &self.optimization]
    }
}
