//! Whether the places in S3 that a request names are there, in the cloud's words for what
//! is missing.

use kiln_model::S3Uri;

use super::Plane;
use crate::{Buckets, BucketsError, JobError};

/// What a request names in S3 that must be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum S3Input {
    /// Any object whose key starts so.
    Prefix(S3Uri),
    /// One object. Another whose key only starts like its own stands for nothing.
    Object(S3Uri),
}

impl S3Input {
    pub(crate) fn uri(&self) -> &S3Uri {
        match self {
            Self::Prefix(uri) | Self::Object(uri) => uri,
        }
    }

    /// Whether it is there.
    pub(crate) async fn is_in(&self, buckets: &dyn Buckets) -> Result<bool, BucketsError> {
        let uri = self.uri();
        // A key is the first of those that start with it.
        let first = buckets.first_key(uri.bucket(), uri.key()).await?;
        Ok(match self {
            Self::Prefix(_) => first.is_some(),
            Self::Object(_) => first.as_deref() == Some(uri.key()),
        })
    }
}

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

    /// Looks for an input, which the role is to read.
    pub(crate) async fn require(&self, input: &S3Input, role: &str) -> Result<(), JobError> {
        let uri = input.uri();
        let found = input.is_in(self.buckets.as_ref()).await;
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

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;

    /// Buckets with one object each.
    struct Holding(&'static str);

    #[async_trait]
    impl Buckets for Holding {
        async fn exists(&self, _: &str) -> Result<bool, BucketsError> {
            Ok(true)
        }

        async fn first_key(&self, _: &str, prefix: &str) -> Result<Option<String>, BucketsError> {
            Ok(self.0.starts_with(prefix).then(|| self.0.to_owned()))
        }
    }

    #[tokio::test]
    async fn an_object_is_there_only_if_its_key_is() {
        let uri: S3Uri = "s3://data/m.tar.gz".parse().unwrap();
        let (prefix, object) = (S3Input::Prefix(uri.clone()), S3Input::Object(uri));
        for (key, under, exactly) in [
            ("m.tar.gz", true, true),
            ("m.tar.gz.old", true, false),
            ("m.tar", false, false),
        ] {
            assert_eq!(prefix.is_in(&Holding(key)).await.unwrap(), under, "{key}");
            assert_eq!(object.is_in(&Holding(key)).await.unwrap(), exactly, "{key}");
        }
    }
}
