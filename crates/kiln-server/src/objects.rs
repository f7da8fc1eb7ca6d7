//! The embedded S3 as the other rooms see it: job rules ask it for buckets and
//! prefixes, and it asks the keyring who may do what.

use std::sync::Arc;

use async_trait::async_trait;
use kiln_jobs::Buckets;
use kiln_jobs::training::Access as JobAccess;
use kiln_s3::{Access, AccessKey, Authority, KeyRefusal, ObjectStore};

use crate::keyring::Keyring;

/// The embedded store's buckets, for job rules.
#[derive(Clone)]
pub struct StoredBuckets(pub ObjectStore);

impl std::fmt::Debug for StoredBuckets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("StoredBuckets").finish_non_exhaustive()
    }
}

#[async_trait]
impl Buckets for StoredBuckets {
    async fn exists(&self, bucket: &str) -> Result<bool, String> {
        self.0
            .bucket_exists(bucket)
            .map_err(|error| error.to_string())
    }

    async fn any_object(&self, bucket: &str, prefix: &str) -> Result<bool, String> {
        if !self.exists(bucket).await? {
            return Ok(false);
        }
        self.0
            .any_object_under(bucket, prefix)
            .map_err(|error| error.to_string())
    }
}

/// The keyring as the embedded S3 asks it.
pub(crate) struct KeyringAuthority(pub(crate) Arc<Keyring>);

impl Authority for KeyringAuthority {
    fn key(&self, access_key: &str) -> Result<AccessKey, KeyRefusal> {
        self.0.s3_key(access_key)
    }

    fn allows(&self, access_key: &str, access: &Access<'_>) -> bool {
        let Ok(scope) = self.0.s3_scope(access_key) else {
            return false;
        };
        let Some(scope) = scope else { return true };
        let (Some(bucket), Some(key)) = (access.bucket, access.key) else {
            // Only buckets as such: a job may see that its own exist.
            return access.action == "s3:ListBucket"
                && access
                    .bucket
                    .is_some_and(|bucket| scope.names_bucket(bucket));
        };
        kind(access.action).is_some_and(|kind| scope.allows(kind, bucket, key))
    }
}

/// What an action in IAM's words means for a job; `None` for those that no job
/// has a use for.
fn kind(action: &str) -> Option<JobAccess> {
    match action {
        "s3:GetObject" | "s3:GetObjectTagging" | "s3:ListBucket" => Some(JobAccess::Read),
        "s3:PutObject"
        | "s3:PutObjectTagging"
        | "s3:DeleteObject"
        | "s3:DeleteObjectTagging"
        | "s3:AbortMultipartUpload"
        | "s3:ListBucketMultipartUploads"
        | "s3:ListMultipartUploadParts" => Some(JobAccess::Write),
        _ => None,
    }
}
