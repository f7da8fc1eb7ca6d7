//! Whether the places in S3 that a request names are there, in the cloud's words for what
//! is missing.

use kiln_model::S3Uri;

use super::Plane;
use crate::{BucketsError, JobError};

impl Plane {
    /// Looks for the bucket of outputs, which `config` names for such a job.
    pub(crate) async fn require_bucket(
        &self,
        config: &str,
        place: &S3Uri,
        job: &str,
    ) -> Result<(), JobError> {
        let bucket = place.bucket();
        let exists = self.buckets.exists(bucket).await;
        let denied = || format!("Access denied to {config} S3 bucket \"{bucket}\".");
        if exists.map_err(|error| refused(error, denied))? {
            return Ok(());
        }
        Err(JobError::Validation(format!(
            "The {config} S3 bucket \"{bucket}\" does not exist. Please create the bucket before \
             the {job}."
        )))
    }

    /// Looks for any object of an input, which the role is to read.
    pub(crate) async fn require_objects(&self, uri: &S3Uri, role: &str) -> Result<(), JobError> {
        let found = self.buckets.any_object(uri.bucket(), uri.key()).await;
        if found.map_err(|error| refused(error, || unauthorized(uri)))? {
            return Ok(());
        }
        Err(JobError::Validation(format!(
            "No S3 objects found under S3 URL \"{uri}\" given in input data source. Please ensure \
             that the bucket exists in the selected region ({}), that objects exist under that S3 \
             prefix, and that the role \"{role}\" has \"s3:ListBucket\" permissions on bucket \
             \"{}\".",
            self.settings.identity.region,
            uri.bucket()
        )))
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
