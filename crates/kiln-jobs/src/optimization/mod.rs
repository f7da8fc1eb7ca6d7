//! Optimization jobs: what their requests may ask for, and what is answered about them.
//!
//! What can be judged of a request without the model is judged at the create call, as is
//! whether everything that it names is there. What is in the model, and whether it can be
//! optimized so, the job's agent finds out.

mod describe;
mod list;
mod order;
mod place;
mod plan;
mod request;
mod scope;
mod serving;
mod steps;
mod work;

use kiln_model::Arn;
use kiln_model::api::CreateOptimizationJobRequest;

use self::order::Accepted;
use self::place::FoundModel;
use crate::JobError;
use crate::models::Models;
use crate::solo::SoloJobs;

pub use list::OptimizationJobList;
pub use work::Optimization;

/// The log group of every optimization job; its streams have the jobs' names.
pub const LOG_GROUP: &str = "/aws/sagemaker/OptimizationJobs";

/// The optimization jobs of a control plane. Clones are handles to the same.
pub type OptimizationJobs = SoloJobs<Optimization>;

impl OptimizationJobs {
    /// `CreateOptimizationJob`: accepts a job whose shapes are right, durably. Its model
    /// may be one of `models`.
    ///
    /// # Errors
    /// When a rule or the world speaks against it, or the name is taken.
    pub async fn create(
        &self,
        request: CreateOptimizationJobRequest,
        models: &Models,
    ) -> Result<Arn, JobError> {
        let request = request::accept(request).map_err(JobError::Validation)?;
        let model = match named_model(&request) {
            Some(name) => place::of_container(&name, &models.container(&name)?),
            None => place::of_source(&request.model_source),
        };
        let model: FoundModel = model.map_err(JobError::Validation)?;
        request::keeps_the_model(&request, &model).map_err(JobError::Validation)?;
        let accepted = Accepted { request, model };
        self.check_places(&accepted).await?;
        self.begin_life(accepted).await
    }

    /// Looks for all that the job reads, and for the bucket of what it makes.
    async fn check_places(&self, job: &Accepted) -> Result<(), JobError> {
        let (plane, role) = (self.plane(), &job.request.role_arn);
        plane.require(&job.model.place.input(), role).await?;
        for data in steps::data(&job.request).map_err(JobError::Validation)? {
            plane.require(&data, role).await?;
        }
        let output = place::output(&job.request.output_config).map_err(JobError::Validation)?;
        plane
            .require_bucket("OutputConfig", &output, "optimization job")
            .await
    }
}

/// The name of the SageMaker model that is to be optimized, if it is one.
fn named_model(request: &CreateOptimizationJobRequest) -> Option<String> {
    let model = request.model_source.sage_maker_model.as_ref()?;
    model.model_name.clone()
}
