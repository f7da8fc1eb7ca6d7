//! How a bucket has objects encrypted whose requests do not say.

use kiln_store::objects::Encryption;
use s3s::S3ErrorCode;
use s3s::dto::*;

use crate::encryption::{Asked, algorithm_of};
use crate::service::Site;
use crate::{ObjectStore, S3Error};

pub(crate) async fn put(
    store: &ObjectStore,
    site: &Site,
    input: PutBucketEncryptionInput,
) -> Result<PutBucketEncryptionOutput, S3Error> {
    let encryption = chosen(input.server_side_encryption_configuration, site)?;
    store
        .index
        .set_bucket_encryption(&input.bucket, Some(encryption))
        .await?;
    Ok(PutBucketEncryptionOutput {})
}

pub(crate) fn get(
    store: &ObjectStore,
    input: &GetBucketEncryptionInput,
) -> Result<GetBucketEncryptionOutput, S3Error> {
    let encryption = store.index.bucket_encryption(&input.bucket)?;
    let encryption = encryption.ok_or_else(|| {
        S3Error::refused(
            S3ErrorCode::ServerSideEncryptionConfigurationNotFoundError,
            "The server side encryption configuration was not found",
        )
    })?;
    let (key, bucket_key) = match &encryption {
        Encryption::Aes256 => (None, false),
        Encryption::Kms { key, bucket_key } => (Some(key.clone()), *bucket_key),
    };
    let rule = ServerSideEncryptionRule {
        apply_server_side_encryption_by_default: Some(ServerSideEncryptionByDefault {
            kms_master_key_id: key,
            sse_algorithm: algorithm_of(&encryption),
        }),
        bucket_key_enabled: Some(bucket_key),
    };
    Ok(GetBucketEncryptionOutput {
        server_side_encryption_configuration: Some(ServerSideEncryptionConfiguration {
            rules: vec![rule],
        }),
    })
}

pub(crate) async fn delete(
    store: &ObjectStore,
    input: &DeleteBucketEncryptionInput,
) -> Result<DeleteBucketEncryptionOutput, S3Error> {
    store
        .index
        .set_bucket_encryption(&input.bucket, None)
        .await?;
    Ok(DeleteBucketEncryptionOutput {})
}

/// What the one rule of a configuration says.
fn chosen(
    configuration: ServerSideEncryptionConfiguration,
    site: &Site,
) -> Result<Encryption, S3Error> {
    let rule = <[_; 1]>::try_from(configuration.rules)
        .ok()
        .and_then(|[rule]| {
            let default = rule.apply_server_side_encryption_by_default?;
            Some(Asked {
                algorithm: Some(default.sse_algorithm.as_str().to_owned()),
                key: default.kms_master_key_id,
                context: None,
                bucket_key: rule.bucket_key_enabled,
            })
        });
    let asked = rule.map(|asked| asked.decide(site, None)).transpose()?;
    asked.flatten().ok_or_else(|| {
        S3Error::refused(
            S3ErrorCode::MalformedXML,
            "The XML you provided was not well-formed or did not validate against our \
             published schema",
        )
    })
}
