//! Names that AWS writes as text and Kiln keeps parsed.

mod arn;
mod identifiers;
mod s3_uri;

pub use arn::{Arn, JobKind};
pub use identifiers::{AccountId, JobName, Region};
pub use s3_uri::S3Uri;

/// A text is not the name it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not a region such as `us-east-1`.
    #[error("'{0}' is not a region, which looks like us-east-1")]
    Region(String),
    /// Not an account.
    #[error("'{0}' is not an account, which has twelve digits")]
    AccountId(String),
    /// Not the name of a job.
    #[error(
        "'{0}' is not a job's name, which has up to 63 letters, digits and hyphens, with no hyphen at either end"
    )]
    JobName(String),
    /// Not the ARN of a job.
    #[error(
        "'{0}' is not a job's ARN, which looks like arn:aws:sagemaker:us-east-1:123456789012:training-job/name"
    )]
    Arn(String),
    /// Not a place in S3.
    #[error("'{0}' is not a place in S3, which looks like s3://bucket/key")]
    S3Uri(String),
}
