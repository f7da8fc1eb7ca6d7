//! Finds a job's image, and the runtime that its containers need.

use std::path::Path;
use std::sync::Arc;

use crate::plan::InstancePlan;
use crate::runtime::{ResolvedImage, Runtime, RuntimeError};
use crate::spool::Spool;

/// The images that an agent can use.
#[derive(Debug)]
pub struct Images {}

impl Images {
    pub(crate) fn open(_plan: &InstancePlan) -> Self {
        Self {}
    }

    pub(crate) async fn resolve(
        &self,
        plan: &InstancePlan,
        _spool: &Arc<Spool>,
    ) -> Result<ResolvedImage, RuntimeError> {
        Err(RuntimeError::Image(plan.image.clone()))
    }

    pub(crate) async fn runtime(
        &self,
        _image: &ResolvedImage,
    ) -> Result<Box<dyn Runtime>, RuntimeError> {
        Err(RuntimeError::Machine(String::new()))
    }
}

/// Removes what a dead agent's containers may have left on the machine.
pub async fn clear(_plan: &Path, _instance: &str) {}
