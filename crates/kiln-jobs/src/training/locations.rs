//! Whether the places that a request names are there, looked at when the job is
//! created, so that a slip of the pen is not found out minutes later.

use kiln_model::S3Uri;
use kiln_model::api::CreateTrainingJobRequest;

use super::TrainingJobs;
use super::request::{self, Input, Place};
use crate::{BucketsError, JobError};

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
        for (uri, _) in request::locations(request).map_err(JobError::Validation)? {
            let found = self
                .shared
                .plane
                .buckets
                .any_object(uri.bucket(), uri.key())
                .await;
            let found = found.map_err(|error| refused(error, || unauthorized(&uri)))?;
            if !found {
                return Err(JobError::Validation(
                    self.no_objects(&uri, &request.role_arn),
                ));
            }
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
        let bucket = place.bucket();
        let exists = self.shared.plane.buckets.exists(bucket).await;
        let denied = || format!("Access denied to {config} S3 bucket \"{bucket}\".");
        if exists.map_err(|error| refused(error, denied))? {
            return Ok(());
        }
        Err(JobError::Validation(format!(
            "The {config} S3 bucket \"{bucket}\" does not exist. Please create the bucket before \
             the training job."
        )))
    }

    fn no_objects(&self, uri: &S3Uri, role: &str) -> String {
        format!(
            "No S3 objects found under S3 URL \"{uri}\" given in input data source. Please ensure \
             that the bucket exists in the selected region ({}), that objects exist under that S3 \
             prefix, and that the role \"{role}\" has \"s3:ListBucket\" permissions on bucket \
             \"{}\".",
            self.shared.plane.settings.identity.region,
            uri.bucket()
        )
    }
}

/// A bucket that cannot be looked into; `denied` says so when that is nobody's
/// fault but the keys'.
fn refused(error: BucketsError, denied: impl FnOnce() -> String) -> JobError {
    match error {
        BucketsError::Denied => JobError::Validation(denied()),
        BucketsError::Failed(_) => JobError::Internal(error.to_string()),
    }
}

fn unauthorized(uri: &S3Uri) -> String {
    format!(
        "Unauthorized to List objects under S3 URL \"{uri}\". Please ensure that the keys that \
         Kiln has for its external object store allow \"s3:ListBucket\" on bucket \"{}\".",
        uri.bucket()
    )
}
