//! S3 as the other rooms see it, the embedded one or another: job rules ask it
//! for buckets and prefixes, and it asks the keyring who may do what.

use std::sync::Arc;

use async_trait::async_trait;
use kiln_jobs::{Access as JobAccess, Buckets, BucketsError, Identity, Scope};
use kiln_s3::{Access, AccessKey, Authority, KeyRefusal, ObjectStore, Site};
use s3s::service::S3Service;

use crate::keyring::{Keyring, S3Holder};
use crate::remote::RemoteStore;

/// Where objects are.
#[derive(Clone)]
pub enum ObjectService {
    /// In the data directory.
    Embedded(ObjectStore),
    /// In another S3.
    Remote(RemoteStore),
}

impl std::fmt::Debug for ObjectService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Embedded(_) => f.write_str("Embedded"),
            Self::Remote(store) => f.debug_tuple("Remote").field(store).finish(),
        }
    }
}

impl ObjectService {
    /// The buckets, for job rules.
    #[must_use]
    pub fn buckets(&self) -> Arc<dyn Buckets> {
        match self {
            Self::Embedded(store) => Arc::new(StoredBuckets(store.clone())),
            Self::Remote(store) => Arc::new(store.buckets()),
        }
    }

    /// The service that answers requests, as the keyring allows.
    pub(crate) fn behind(self, keyring: &Arc<Keyring>, identity: &Identity) -> S3Service {
        let authority = Arc::new(KeyringAuthority(keyring.clone()));
        let site = Site {
            region: identity.region.to_string(),
            account: identity.account.to_string(),
        };
        match self {
            Self::Embedded(store) => kiln_s3::service(store, authority, site),
            Self::Remote(store) => kiln_s3::guarded(store, authority, site.account),
        }
    }
}

/// The embedded store's buckets.
struct StoredBuckets(ObjectStore);

#[async_trait]
impl Buckets for StoredBuckets {
    async fn exists(&self, bucket: &str) -> Result<bool, BucketsError> {
        self.0.bucket_exists(bucket).map_err(failed)
    }

    async fn first_key(&self, bucket: &str, prefix: &str) -> Result<Option<String>, BucketsError> {
        if !self.exists(bucket).await? {
            return Ok(None);
        }
        self.0.first_key(bucket, prefix).map_err(failed)
    }
}

fn failed(error: impl std::fmt::Display) -> BucketsError {
    BucketsError::Failed(error.to_string())
}

/// The keyring as S3 asks it.
struct KeyringAuthority(Arc<Keyring>);

impl Authority for KeyringAuthority {
    fn key(&self, access_key: &str) -> Result<AccessKey, KeyRefusal> {
        self.0.s3_key(access_key)
    }

    fn allows(&self, access_key: &str, access: &Access<'_>) -> bool {
        match self.0.s3_holder(access_key) {
            Err(_) => false,
            Ok(S3Holder::Principal(caller)) => self.0.judge_in_s3(&caller, access).is_ok(),
            Ok(S3Holder::Job(scope)) => covers(&scope, access),
        }
    }

    fn refusal(&self, access_key: &str, access: &Access<'_>) -> Option<String> {
        match self.0.s3_holder(access_key) {
            Ok(S3Holder::Principal(caller)) => self.0.judge_in_s3(&caller, access).err(),
            _ => None,
        }
    }
}

/// Whether the scope that follows from a job's request has this in it.
fn covers(scope: &Scope, access: &Access<'_>) -> bool {
    let (Some(bucket), Some(key)) = (access.bucket, access.key) else {
        // Only buckets as such: a job may see that its own exist.
        let named = access
            .bucket
            .is_some_and(|bucket| scope.names_bucket(bucket));
        return access.action == "s3:ListBucket" && named;
    };
    kind(access.action).is_some_and(|kind| scope.allows(kind, bucket, key))
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
