//! A request as it is kept: with what was found of its model when it was accepted.

use kiln_model::api::CreateOptimizationJobRequest;
use serde::{Deserialize, Serialize};

use super::place::FoundModel;

/// A request, and its model: the SageMaker model that it names may be deleted, or be
/// another, before the job has its turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Accepted {
    /// The create request.
    pub(super) request: CreateOptimizationJobRequest,
    /// Its model.
    pub(super) model: FoundModel,
}
