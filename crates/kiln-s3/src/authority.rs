//! Who may do what: the server's keys and rules, asked once for every request.
//!
//! s3s verifies the signature with the secret that the [`Authority`] hands out;
//! what it does not check is checked here: that headers are signed by version 4,
//! and all of them that matter, that a temporary key comes with its session
//! token, and that the caller may do what the request does to each object that it
//! names.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{Credentials, S3Auth, SecretKey};
use s3s::dto::{
    CopyObjectInput, CopySource, DeleteObjectsInput, ListMultipartUploadsInput, ListObjectsInput,
    ListObjectsV2Input, UploadPartCopyInput,
};
use s3s::path::S3Path;
use s3s::{S3Error, S3ErrorCode, S3Request, S3Result};

use crate::coverage;
use crate::expectation::Expectation;
use crate::refusals::{self, query_value};

/// The seconds of a week.
const LONGEST_URL: u64 = 604_800;

/// What the server knows of access keys and of what they allow.
pub trait Authority: Send + Sync + 'static {
    /// The key with this identity.
    ///
    /// # Errors
    /// When there is none or it is no longer valid.
    fn key(&self, access_key: &str) -> Result<AccessKey, KeyRefusal>;

    /// Whether the holder of the key may do this.
    fn allows(&self, access_key: &str, access: &Access<'_>) -> bool;

    /// What to say to somebody who may not do this, if there is more to say than that.
    fn refusal(&self, access_key: &str, access: &Access<'_>) -> Option<String> {
        let _ = (access_key, access);
        None
    }
}

/// The secret parts of an access key.
#[derive(Clone)]
pub struct AccessKey {
    /// What requests are signed with.
    pub secret: String,
    /// What requests must carry besides, if the key is a temporary one.
    pub session_token: Option<String>,
}

/// Why a key is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRefusal {
    /// There is no such key.
    Unknown,
    /// The key was a temporary one and its time is over.
    Expired,
}

/// One thing that a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access<'a> {
    /// The action in IAM's words, such as `s3:GetObject`.
    pub action: &'static str,
    /// The bucket, unless the action is about all buckets.
    pub bucket: Option<&'a str>,
    /// The object's key; for lists, the prefix that is listed.
    pub key: Option<&'a str>,
}

/// The keys that a `DeleteObjects` named and that its caller may not delete.
#[derive(Clone, Debug, Default)]
pub struct DeniedKeys(pub Vec<String>);

/// The [`Authority`] as s3s asks it.
pub(crate) struct Gate<A> {
    pub(crate) authority: Arc<A>,
    /// The account that owns every bucket.
    pub(crate) account: String,
}

impl<A> Clone for Gate<A> {
    fn clone(&self) -> Self {
        Self {
            authority: Arc::clone(&self.authority),
            account: self.account.clone(),
        }
    }
}

#[async_trait]
impl<A: Authority> S3Auth for Gate<A> {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        let key = self.authority.key(access_key).map_err(key_error)?;
        Ok(SecretKey::from(key.secret))
    }
}

#[async_trait]
impl<A: Authority> S3Access for Gate<A> {
    async fn check(&self, cx: &mut S3AccessContext<'_>) -> S3Result<()> {
        let expectation = Expectation::of(cx.headers());
        self.judge(cx).map_err(|error| expectation.refuse(error))
    }

    async fn list_objects(&self, req: &mut S3Request<ListObjectsInput>) -> S3Result<()> {
        let input = &req.input;
        self.require_list(
            req.credentials.as_ref(),
            &input.bucket,
            input.prefix.as_deref(),
        )
    }

    async fn list_objects_v2(&self, req: &mut S3Request<ListObjectsV2Input>) -> S3Result<()> {
        let input = &req.input;
        self.require_list(
            req.credentials.as_ref(),
            &input.bucket,
            input.prefix.as_deref(),
        )
    }

    async fn list_multipart_uploads(
        &self,
        req: &mut S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<()> {
        self.require(
            req.credentials.as_ref(),
            Access {
                action: "s3:ListBucketMultipartUploads",
                bucket: Some(&req.input.bucket),
                key: Some(req.input.prefix.as_deref().unwrap_or_default()),
            },
        )
    }

    async fn delete_objects(&self, req: &mut S3Request<DeleteObjectsInput>) -> S3Result<()> {
        let denied: Vec<String> = req
            .input
            .delete
            .objects
            .iter()
            .map(|object| &object.key)
            .filter(|key| {
                let access = Access {
                    action: "s3:DeleteObject",
                    bucket: Some(&req.input.bucket),
                    key: Some(key),
                };
                self.require(req.credentials.as_ref(), access).is_err()
            })
            .cloned()
            .collect();
        let names: HashSet<&str> = denied.iter().map(String::as_str).collect();
        let objects = &mut req.input.delete.objects;
        objects.retain(|object| !names.contains(object.key.as_str()));
        req.extensions.insert(DeniedKeys(denied));
        Ok(())
    }

    async fn copy_object(&self, req: &mut S3Request<CopyObjectInput>) -> S3Result<()> {
        self.require_source(req.credentials.as_ref(), &req.input.copy_source)
    }

    async fn upload_part_copy(&self, req: &mut S3Request<UploadPartCopyInput>) -> S3Result<()> {
        self.require_source(req.credentials.as_ref(), &req.input.copy_source)
    }
}

impl<A: Authority> Gate<A> {
    /// Judges all of a request that can be judged before its input is read.
    fn judge(&self, cx: &S3AccessContext<'_>) -> S3Result<()> {
        let credentials = cx.credentials().ok_or_else(denied)?;
        refuse_v2_headers(cx)?;
        refuse_long_urls(cx)?;
        coverage::check(cx.headers(), cx.uri().query())?;
        self.require_token(cx, &credentials.access_key)?;
        self.require_owner(cx)?;
        refusals::check(cx.s3_op().name(), cx.headers(), cx.uri().query())?;
        let (bucket, key) = match cx.s3_path() {
            S3Path::Root => (None, None),
            S3Path::Bucket { bucket } => (Some(&**bucket), None),
            S3Path::Object { bucket, key } => (Some(&**bucket), Some(&**key)),
        };
        match rule(cx.s3_op().name()) {
            Rule::Path(action) => {
                let tags = cx.headers().contains_key("x-amz-tagging");
                let besides = tags.then_some("s3:PutObjectTagging");
                let mut actions = std::iter::once(action).chain(besides);
                actions.try_for_each(|action| {
                    let access = Access {
                        action,
                        bucket,
                        key,
                    };
                    self.require(Some(credentials), access)
                })
            }
            Rule::Input => Ok(()),
            Rule::NotImplemented => Err(crate::S3Error::not_implemented(cx.s3_op().name()).into()),
        }
    }

    fn require(&self, caller: Option<&Credentials>, access: Access<'_>) -> S3Result<()> {
        let key = &caller.ok_or_else(denied)?.access_key;
        if self.authority.allows(key, &access) {
            return Ok(());
        }
        let said = self.authority.refusal(key, &access);
        Err(said.map_or_else(denied, |words| {
            S3Error::with_message(S3ErrorCode::AccessDenied, words)
        }))
    }

    fn require_list(
        &self,
        caller: Option<&Credentials>,
        bucket: &str,
        prefix: Option<&str>,
    ) -> S3Result<()> {
        self.require(
            caller,
            Access {
                action: "s3:ListBucket",
                bucket: Some(bucket),
                key: Some(prefix.unwrap_or_default()),
            },
        )
    }

    fn require_source(&self, caller: Option<&Credentials>, source: &CopySource) -> S3Result<()> {
        let CopySource::Bucket { bucket, key, .. } = source else {
            return Err(crate::S3Error::not_implemented("access points").into());
        };
        self.require(
            caller,
            Access {
                action: "s3:GetObject",
                bucket: Some(bucket),
                key: Some(key),
            },
        )
    }

    /// A temporary key is only good with its token, and a lasting one has none.
    fn require_token(&self, cx: &S3AccessContext<'_>, access_key: &str) -> S3Result<()> {
        let header = cx.headers().get("x-amz-security-token");
        let sent = header
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
            .or_else(|| query_value(cx.uri().query(), "X-Amz-Security-Token"));
        let key = self.authority.key(access_key).map_err(key_error)?;
        match (key.session_token, sent) {
            (None, None) => Ok(()),
            (Some(expected), Some(sent)) if expected == sent => Ok(()),
            (Some(_), None) => Err(key_error(KeyRefusal::Unknown)),
            _ => Err(S3Error::with_message(
                S3ErrorCode::InvalidToken,
                "The provided token is malformed or otherwise invalid.",
            )),
        }
    }

    /// `x-amz-expected-bucket-owner` and its twin for the source of a copy.
    fn require_owner(&self, cx: &S3AccessContext<'_>) -> S3Result<()> {
        let owners = [
            "x-amz-expected-bucket-owner",
            "x-amz-source-expected-bucket-owner",
        ];
        let expected = owners.iter().filter_map(|name| cx.headers().get(*name));
        for owner in expected {
            if owner.as_bytes() != self.account.as_bytes() {
                return Err(denied());
            }
        }
        Ok(())
    }
}

/// s3s also accepts headers signed by version 2, which protect no body. URLs
/// signed by version 2 stay: some clients presign so by default, and a URL
/// protects no body in version 4 either.
fn refuse_v2_headers(cx: &S3AccessContext<'_>) -> S3Result<()> {
    let header = cx.headers().get(http::header::AUTHORIZATION);
    let other = header.is_some_and(|value| !value.as_bytes().starts_with(b"AWS4-HMAC-SHA256"));
    if other && query_value(cx.uri().query(), "Signature").is_none() {
        return Err(S3Error::with_message(
            S3ErrorCode::InvalidRequest,
            "The authorization mechanism you have provided is not supported. \
             Please use AWS4-HMAC-SHA256.",
        ));
    }
    Ok(())
}

/// s3s lets presigned URLs be good for any time; S3 for a week at most.
fn refuse_long_urls(cx: &S3AccessContext<'_>) -> S3Result<()> {
    let seconds = query_value(cx.uri().query(), "X-Amz-Expires");
    let seconds = seconds.and_then(|text| text.parse::<u64>().ok());
    if seconds.is_some_and(|seconds| seconds > LONGEST_URL) {
        return Err(crate::S3Error::refused(
            S3ErrorCode::AuthorizationQueryParametersError,
            "X-Amz-Expires must be less than a week (in seconds); \
             that is, the given X-Amz-Expires must be less than 604800 seconds",
        )
        .into());
    }
    Ok(())
}

fn key_error(refusal: KeyRefusal) -> S3Error {
    match refusal {
        KeyRefusal::Unknown => S3Error::with_message(
            S3ErrorCode::InvalidAccessKeyId,
            "The AWS Access Key Id you provided does not exist in our records.",
        ),
        KeyRefusal::Expired => {
            S3Error::with_message(S3ErrorCode::ExpiredToken, "The provided token has expired.")
        }
    }
}

fn denied() -> S3Error {
    S3Error::with_message(S3ErrorCode::AccessDenied, "Access Denied")
}

/// How an operation is judged.
#[derive(Debug, PartialEq, Eq)]
enum Rule {
    /// By this action on what the request's path names.
    Path(&'static str),
    /// By its own check, when the input has been read.
    Input,
    /// Kiln does not have the operation.
    NotImplemented,
}

fn rule(operation: &str) -> Rule {
    Rule::Path(match operation {
        "ListBuckets" => "s3:ListAllMyBuckets",
        "CreateBucket" => "s3:CreateBucket",
        "DeleteBucket" => "s3:DeleteBucket",
        "HeadBucket" => "s3:ListBucket",
        "GetBucketLocation" => "s3:GetBucketLocation",
        "GetBucketEncryption" => "s3:GetEncryptionConfiguration",
        "PutBucketEncryption" | "DeleteBucketEncryption" => "s3:PutEncryptionConfiguration",
        "GetObject" | "HeadObject" | "GetObjectAttributes" => "s3:GetObject",
        "PutObject"
        | "CopyObject"
        | "CreateMultipartUpload"
        | "UploadPart"
        | "UploadPartCopy"
        | "CompleteMultipartUpload" => "s3:PutObject",
        "AbortMultipartUpload" => "s3:AbortMultipartUpload",
        "ListParts" => "s3:ListMultipartUploadParts",
        "DeleteObject" => "s3:DeleteObject",
        "GetObjectTagging" => "s3:GetObjectTagging",
        "PutObjectTagging" => "s3:PutObjectTagging",
        "DeleteObjectTagging" => "s3:DeleteObjectTagging",
        "ListObjects" | "ListObjectsV2" | "ListMultipartUploads" | "DeleteObjects" => {
            return Rule::Input;
        }
        _ => return Rule::NotImplemented,
    })
}
