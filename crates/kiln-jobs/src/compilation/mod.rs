//! Compilation jobs: what their requests may ask for, and what is answered about them.
//!
//! What can be judged of a request without the model is judged at the create call;
//! whether the archive is there and what is in it, the job's agent finds out.

mod describe;
mod list;
mod place;
mod plan;
mod request;
mod scope;
mod work;

use kiln_model::Arn;
use kiln_model::api::CreateCompilationJobRequest;

use crate::JobError;
use crate::solo::SoloJobs;

pub use list::CompilationJobList;
pub use work::Compilation;

/// The log group of every compilation job; its streams have the jobs' names.
pub const LOG_GROUP: &str = "/aws/sagemaker/CompilationJobs";

/// The compilation jobs of a control plane. Clones are handles to the same.
pub type CompilationJobs = SoloJobs<Compilation>;

impl CompilationJobs {
    /// `CreateCompilationJob`: accepts a job whose shapes are right, durably.
    ///
    /// # Errors
    /// When a rule or the world speaks against it, or the name is taken.
    pub async fn create(&self, request: CreateCompilationJobRequest) -> Result<Arn, JobError> {
        let vendor = self.work().vendor(&request.output_config);
        let request = request::accept(request, vendor.is_some()).map_err(JobError::Validation)?;
        self.check_output(&request).await?;
        self.begin_life(request).await
    }
}
