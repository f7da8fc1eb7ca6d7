//! Copying an object within the store. The copy shares the original's bytes on
//! disk, which never change.

use std::fs::File;

use kiln_store::objects::{Checksum, ChecksumAlgorithm, Object, ObjectDetails, Precondition};
use s3s::S3ErrorCode;
use s3s::dto::*;

use super::describe::details_of;
use crate::conditions::Conditions;
use crate::digest::DEFAULT_ALGORITHM;
use crate::ingest::{self, blocking};
use crate::store::now_ms;
use crate::wire::fill_checksum;
use crate::{ObjectStore, S3Error, tags, wire};

/// The source's conditions, whose members have the same names in both copies.
macro_rules! source_conditions_of {
    ($input:expr) => {
        $crate::conditions::Conditions {
            matches: $input.copy_source_if_match.clone(),
            none_match: $input.copy_source_if_none_match.clone(),
            modified_since: $input.copy_source_if_modified_since.clone(),
            unmodified_since: $input.copy_source_if_unmodified_since.clone(),
        }
    };
}

pub(super) use source_conditions_of;

pub(crate) async fn copy(
    store: &ObjectStore,
    input: CopyObjectInput,
) -> Result<CopyObjectOutput, S3Error> {
    let conditions = source_conditions_of!(input);
    let (source, file) = open_source(store, &input.copy_source, &conditions).await?;
    refuse_no_change(&input)?;
    let mut details = details(&input, &source)?;
    let algorithm = wire::algorithm(input.checksum_algorithm.as_ref());
    let (etag, checksum) = digests(&source, file, algorithm).await?;
    details.checksum.clone_from(&checksum);

    let draft = {
        let (bodies, body) = (store.bodies.clone(), source.body.clone());
        blocking(move || bodies.link(&body)).await?
    };
    let modified_ms = now_ms();
    let describe = |body| Object {
        body,
        size: source.size,
        etag: etag.clone(),
        modified_ms,
        details,
    };
    store
        .commit(
            &input.bucket,
            &input.key,
            draft,
            describe,
            Precondition::None,
        )
        .await?;

    let mut result = CopyObjectResult {
        e_tag: Some(wire::etag(&etag)),
        last_modified: Some(wire::timestamp(modified_ms)),
        checksum_type: wire::checksum_type_of(checksum.as_ref()),
        ..CopyObjectResult::default()
    };
    fill_checksum!(result, &checksum);
    Ok(CopyObjectOutput {
        copy_object_result: Some(result),
        ..CopyObjectOutput::default()
    })
}

/// The source of a copy with its body open, if its conditions hold.
pub(super) async fn open_source(
    store: &ObjectStore,
    source: &CopySource,
    conditions: &Conditions,
) -> Result<(Object, File), S3Error> {
    let CopySource::Bucket {
        bucket,
        key,
        version_id,
    } = source
    else {
        return Err(S3Error::not_implemented("copying from an access point"));
    };
    if version_id
        .as_deref()
        .is_some_and(|version| version != "null")
    {
        return Err(S3Error::not_implemented("object versions"));
    }
    let (object, file) = store.open_object(bucket, key).await?;
    conditions.require_of_source(&object)?;
    Ok((object, file))
}

/// A copy onto itself has to change something.
fn refuse_no_change(input: &CopyObjectInput) -> Result<(), S3Error> {
    let onto_itself = matches!(
        &input.copy_source,
        CopySource::Bucket { bucket, key, .. } if **bucket == *input.bucket && **key == *input.key
    );
    let changes = replaces_metadata(input)
        || input.storage_class.is_some()
        || input.website_redirect_location.is_some()
        || input.checksum_algorithm.is_some();
    if onto_itself && !changes {
        return Err(S3Error::refused(
            S3ErrorCode::InvalidRequest,
            "This copy request is illegal because it is trying to copy an object to itself \
             without changing the object's metadata, storage class, website redirect location \
             or encryption attributes.",
        ));
    }
    Ok(())
}

fn replaces_metadata(input: &CopyObjectInput) -> bool {
    let directive = input.metadata_directive.as_ref();
    directive.is_some_and(|directive| directive.as_str() == MetadataDirective::REPLACE)
}

fn replaces_tags(input: &CopyObjectInput) -> bool {
    let directive = input.tagging_directive.as_ref();
    directive.is_some_and(|directive| directive.as_str() == TaggingDirective::REPLACE)
}

/// What the copy is described as: what the request or the source says, by its directives.
fn details(input: &CopyObjectInput, source: &Object) -> Result<ObjectDetails, S3Error> {
    let asked = details_of!(input)?;
    let mut details = if replaces_metadata(input) {
        asked.clone()
    } else {
        source.details.clone()
    };
    details.tags = if replaces_tags(input) {
        tags::from_header(input.tagging.as_deref())?
    } else {
        source.details.tags.clone()
    };
    // Neither is copied along in S3, nor is the cut into parts.
    details.storage_class = asked.storage_class;
    details.website_redirect = asked.website_redirect;
    details.parts = Vec::new();
    Ok(details)
}

/// The entity tag and checksum of the copy. They are the source's, unless that
/// was made of parts or another algorithm is asked for.
async fn digests(
    source: &Object,
    file: File,
    asked: Option<ChecksumAlgorithm>,
) -> Result<(String, Option<Checksum>), S3Error> {
    let has = source.details.checksum.as_ref();
    let algorithm = asked
        .or(has.map(|checksum| checksum.algorithm))
        .unwrap_or(DEFAULT_ALGORITHM);
    let in_one_piece = source.details.parts.is_empty();
    if in_one_piece && has.is_some_and(|checksum| checksum.algorithm == algorithm) {
        return Ok((source.etag.clone(), source.details.checksum.clone()));
    }
    let digests = ingest::hash(file, algorithm).await?;
    Ok((digests.etag(), digests.checksum(algorithm)))
}
