//! Buckets: listing, making, finding and deleting them.

use s3s::S3ErrorCode;
use s3s::dto::*;

use crate::service::Site;
use crate::{ObjectStore, S3Error, wire};
use kiln_store::objects::ObjectIndexError;

/// The region whose name S3 leaves out, and where making a bucket again is fine.
const CLASSIC_REGION: &str = "us-east-1";
/// S3's default for the length of a page.
const PAGE: usize = 10_000;

pub(crate) fn list(
    store: &ObjectStore,
    site: &Site,
    input: ListBucketsInput,
) -> Result<ListBucketsOutput, S3Error> {
    let mut buckets = store
        .index
        .buckets(input.prefix.as_deref().unwrap_or_default())?;
    if let Some(after) = &input.continuation_token {
        buckets.retain(|bucket| bucket.name > *after);
    }
    let limit = input
        .max_buckets
        .and_then(|limit| usize::try_from(limit).ok());
    let limit = limit.unwrap_or(PAGE);
    let truncated = buckets.len() > limit;
    buckets.truncate(limit);
    let last = buckets.last().map(|bucket| bucket.name.clone());
    let described = buckets.into_iter().map(|bucket| Bucket {
        bucket_region: Some(site.region.clone()),
        creation_date: Some(wire::timestamp(bucket.created_ms)),
        name: Some(bucket.name),
    });
    Ok(ListBucketsOutput {
        buckets: Some(described.collect()),
        continuation_token: last.filter(|_| truncated),
        owner: Some(owner(site)),
        prefix: input.prefix,
    })
}

pub(crate) async fn create(
    store: &ObjectStore,
    site: &Site,
    input: CreateBucketInput,
) -> Result<CreateBucketOutput, S3Error> {
    let constraint = input
        .create_bucket_configuration
        .and_then(|configuration| configuration.location_constraint);
    if let Some(constraint) = constraint
        && constraint.as_str() != site.region
    {
        return Err(S3Error::refused(
            S3ErrorCode::IllegalLocationConstraintException,
            format!(
                "The {} location constraint is incompatible for the region specific endpoint \
                 this request was sent to.",
                constraint.as_str()
            ),
        ));
    }
    let new = store.create_bucket(&input.bucket).await?;
    if !new && site.region != CLASSIC_REGION {
        return Err(ObjectIndexError::BucketExists.into());
    }
    Ok(CreateBucketOutput {
        location: Some(format!("/{}", input.bucket)),
    })
}

pub(crate) fn head(
    store: &ObjectStore,
    site: &Site,
    input: &HeadBucketInput,
) -> Result<HeadBucketOutput, S3Error> {
    require(store, &input.bucket)?;
    Ok(HeadBucketOutput {
        bucket_region: Some(site.region.clone()),
        ..HeadBucketOutput::default()
    })
}

pub(crate) fn location(
    store: &ObjectStore,
    site: &Site,
    input: &GetBucketLocationInput,
) -> Result<GetBucketLocationOutput, S3Error> {
    require(store, &input.bucket)?;
    let named = (site.region != CLASSIC_REGION).then(|| site.region.clone());
    Ok(GetBucketLocationOutput {
        location_constraint: named.map(BucketLocationConstraint::from),
    })
}

pub(crate) async fn delete(
    store: &ObjectStore,
    input: &DeleteBucketInput,
) -> Result<DeleteBucketOutput, S3Error> {
    let bodies = store.index.delete_bucket(&input.bucket).await?;
    store.discard(bodies);
    Ok(DeleteBucketOutput {})
}

/// Who owns everything.
pub(super) fn owner(site: &Site) -> Owner {
    Owner {
        display_name: None,
        id: Some(site.account.clone()),
    }
}

fn require(store: &ObjectStore, bucket: &str) -> Result<(), S3Error> {
    if store.bucket_exists(bucket)? {
        Ok(())
    } else {
        Err(ObjectIndexError::NoSuchBucket.into())
    }
}
