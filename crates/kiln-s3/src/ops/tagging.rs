//! The tags of an object.

use std::collections::BTreeMap;

use s3s::dto::*;

use crate::{ObjectStore, S3Error, tags};

pub(crate) fn get(
    store: &ObjectStore,
    input: &GetObjectTaggingInput,
) -> Result<GetObjectTaggingOutput, S3Error> {
    let object = store.object(&input.bucket, &input.key)?;
    let tags = object.details.tags.into_iter().map(|(key, value)| Tag {
        key: Some(key),
        value: Some(value),
    });
    Ok(GetObjectTaggingOutput {
        tag_set: tags.collect(),
        version_id: None,
    })
}

pub(crate) async fn put(
    store: &ObjectStore,
    input: PutObjectTaggingInput,
) -> Result<PutObjectTaggingOutput, S3Error> {
    let pairs = input.tagging.tag_set.into_iter().map(|tag| {
        let Tag { key, value } = tag;
        (key.unwrap_or_default(), value.unwrap_or_default())
    });
    let tags = tags::checked(pairs)?;
    store
        .index
        .set_tags(&input.bucket, &input.key, tags)
        .await?;
    Ok(PutObjectTaggingOutput::default())
}

pub(crate) async fn delete(
    store: &ObjectStore,
    input: &DeleteObjectTaggingInput,
) -> Result<DeleteObjectTaggingOutput, S3Error> {
    let none = BTreeMap::new();
    store
        .index
        .set_tags(&input.bucket, &input.key, none)
        .await?;
    Ok(DeleteObjectTaggingOutput::default())
}
