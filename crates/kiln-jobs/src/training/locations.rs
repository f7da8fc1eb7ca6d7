//! Whether the places that a request names are there, looked at when the job is
//! created, so that a slip of the pen is not found out minutes later.

use kiln_model::S3Uri;
use kiln_model::api::CreateTrainingJobRequest;

use super::TrainingJobs;
use super::request::{self, Input, Place};
use crate::JobError;
use crate::plane::S3Input;

impl TrainingJobs {
    /// Looks for a request's inputs and for the buckets of its outputs.
    ///
    /// # Errors
    /// In the cloud's words for what is missing first.
    pub(super) async fn check_locations(
        &self,
        request: &CreateTrainingJobRequest,
    ) -> Result<(), JobError> {
        self.check_file_systems(request)?;
        for (uri, is_manifest) in request::locations(request).map_err(JobError::Validation)? {
            let input = match is_manifest {
                true => S3Input::Object(uri),
                false => S3Input::Prefix(uri),
            };
            let role = &request.role_arn;
            self.shared.plane.require(&input, role).await?;
        }
        let output = request::output(request).map_err(JobError::Validation)?;
        self.check_bucket("OutputDataConfig", &output).await?;
        for one in request::synchronised(request).map_err(JobError::Validation)? {
            self.check_bucket(one.config, &one.place).await?;
        }
        Ok(())
    }

    /// Whether configuration says what stands for each file system.
    fn check_file_systems(&self, request: &CreateTrainingJobRequest) -> Result<(), JobError> {
        let inputs = request::inputs(request, Place::ONLY).map_err(JobError::Validation)?;
        for input in inputs {
            if let Input::Directory {
                channel,
                file_system,
                ..
            } = input
                && self
                    .shared
                    .plane
                    .settings
                    .file_system(&file_system)
                    .is_none()
            {
                return Err(JobError::Validation(format!(
                    "Channel '{channel}': the file system {file_system} does not exist. Map it to \
                     a directory of this machine with [[file_system]] in kiln.toml, and restart \
                     the server."
                )));
            }
        }
        Ok(())
    }

    async fn check_bucket(&self, config: &str, place: &S3Uri) -> Result<(), JobError> {
        let plane = &self.shared.plane;
        plane.require_bucket(config, place, "training job").await
    }
}
