//! Copying an object within the store. The copy shares the original's bytes on
//! disk, which never change, unless it is encrypted and the original is not.

use std::fs::File;

use kiln_store::objects::{
    Checksum, ChecksumAlgorithm, Encryption, Object, ObjectDetails, Precondition, Sealed,
};
use s3s::S3ErrorCode;
use s3s::dto::*;

use super::describe::details_of;
use super::put::sealed;
use crate::bodies::Draft;
use crate::conditions::Conditions;
use crate::digest::{self, DEFAULT_ALGORITHM, Hasher};
use crate::encryption::{asked_of, fill_encryption, hides_tag};
use crate::ingest::{self, blocking};
use crate::sealing::Place;
use crate::service::Site;
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
    site: &Site,
    input: CopyObjectInput,
) -> Result<CopyObjectOutput, S3Error> {
    let conditions = source_conditions_of!(input);
    let source = open_source(store, &input.copy_source, &conditions).await?;
    refuse_no_change(&input)?;
    let default = store.index.bucket_encryption(&input.bucket)?;
    let asked = asked_of!(input).decide(site, default)?;
    let encryption = asked.or_else(|| least_encryption(&source.object));
    let mut details = details(&input, &source.object)?;
    let algorithm = wire::algorithm(input.checksum_algorithm.as_ref());
    let target = Target {
        place: Place {
            bucket: input.bucket,
            key: input.key,
        },
        algorithm: algorithm.unwrap_or_else(|| algorithm_of(&source.object)),
        encryption,
    };
    let size = source.object.size;
    let copied = if target.encryption.is_some() && source.object.details.sealed.is_none() {
        write(store, source, &target).await?
    } else {
        share(store, source, &target).await?
    };
    details.checksum.clone_from(&copied.checksum);
    details.sealed = copied.sealed;
    let modified_ms = now_ms();
    let describe = |body| Object {
        body,
        size,
        etag: copied.etag.clone(),
        modified_ms,
        details,
    };
    store
        .commit(&target.place, copied.draft, describe, Precondition::None)
        .await?;

    let mut result = CopyObjectResult {
        e_tag: Some(wire::etag(&copied.etag)),
        last_modified: Some(wire::timestamp(modified_ms)),
        checksum_type: wire::checksum_type_of(copied.checksum.as_ref()),
        ..CopyObjectResult::default()
    };
    fill_checksum!(result, &copied.checksum);
    let mut output = CopyObjectOutput {
        copy_object_result: Some(result),
        ssekms_encryption_context: input.ssekms_encryption_context,
        ..CopyObjectOutput::default()
    };
    fill_encryption!(output, &target.encryption);
    Ok(output)
}

/// The object that is copied.
pub(super) struct Source {
    pub(super) place: Place,
    pub(super) object: Object,
    pub(super) file: File,
}

/// What the copy is to be.
struct Target {
    place: Place,
    algorithm: ChecksumAlgorithm,
    encryption: Option<Encryption>,
}

/// The bytes of the copy and what is to be said of them.
struct Copied {
    draft: Draft,
    etag: String,
    checksum: Option<Checksum>,
    sealed: Option<Sealed>,
}

/// What was encrypted stays so, though the key that it was encrypted with is not
/// the copy's: that is the request's and the bucket's to say, as in S3.
fn least_encryption(source: &Object) -> Option<Encryption> {
    source.details.sealed.as_ref().map(|_| Encryption::Aes256)
}

/// The algorithm of a copy's checksum when the request names none.
fn algorithm_of(source: &Object) -> ChecksumAlgorithm {
    let has = source.details.checksum.as_ref();
    has.map_or(DEFAULT_ALGORITHM, |checksum| checksum.algorithm)
}

/// Writes a plain source anew and seals it on the way.
async fn write(store: &ObjectStore, source: Source, target: &Target) -> Result<Copied, S3Error> {
    let sealer = store.sealer(target.encryption.as_ref(), &target.place)?;
    let bytes = 0..source.object.size;
    let content = store.content(&source.place, &source.object, source.file, bytes)?;
    let written = ingest::copy(&store.bodies, content, hasher(target), sealer).await?;
    let stored = written.persist().await?;
    Ok(Copied {
        draft: stored.draft,
        etag: stored.digests.etag(),
        checksum: stored.digests.checksum(target.algorithm),
        sealed: sealed(target.encryption.clone(), stored.segment),
    })
}

/// Shares the source's bytes on disk, which never change; when they are sealed,
/// their data keys are wrapped anew.
async fn share(store: &ObjectStore, source: Source, target: &Target) -> Result<Copied, S3Error> {
    let (shared, from, object) = (store.clone(), source.place.clone(), source.object.clone());
    let (to, encryption) = (target.place.clone(), target.encryption.clone());
    let linked = blocking(move || {
        let rewrapped = match (object.details.sealed, encryption) {
            (Some(old), Some(encryption)) => {
                let segments = shared.master.rewrap(
                    (&old.encryption, from),
                    &old.segments,
                    (&encryption, to),
                )?;
                Some(Sealed {
                    encryption,
                    segments,
                })
            }
            _ => None,
        };
        Ok((shared.bodies.link(&object.body)?, rewrapped))
    });
    let (draft, sealed) = linked.await?;
    let (etag, checksum) = digests(store, source, target).await?;
    Ok(Copied {
        draft,
        etag,
        checksum,
        sealed,
    })
}

/// The source of a copy with its body open, if its conditions hold.
pub(super) async fn open_source(
    store: &ObjectStore,
    source: &CopySource,
    conditions: &Conditions,
) -> Result<Source, S3Error> {
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
    let store = store.clone();
    let place = Place {
        bucket: bucket.to_string(),
        key: key.to_string(),
    };
    let opened = blocking(move || {
        let (object, file) = store.open_object(&place)?;
        Ok(Source {
            place,
            object,
            file,
        })
    });
    let source = opened.await?;
    conditions.require_of_source(&source.object)?;
    Ok(source)
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
        || input.server_side_encryption.is_some()
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
    details.sealed = None;
    Ok(details)
}

/// The entity tag and checksum of a copy that shares the source's bytes. They
/// are the source's, unless that was made of parts, another algorithm is asked
/// for, or one of the two has a tag that says nothing of the bytes.
async fn digests(
    store: &ObjectStore,
    source: Source,
    target: &Target,
) -> Result<(String, Option<Checksum>), S3Error> {
    let details = &source.object.details;
    let hidden = hides_tag(details.sealed.as_ref().map(|sealed| &sealed.encryption));
    let hides = hides_tag(target.encryption.as_ref());
    let checksum = details
        .checksum
        .clone()
        .filter(|checksum| details.parts.is_empty() && checksum.algorithm == target.algorithm);
    match checksum {
        Some(checksum) if hides => Ok((digest::opaque_tag(), Some(checksum))),
        Some(checksum) if !hidden => Ok((source.object.etag, Some(checksum))),
        _ => {
            let bytes = 0..source.object.size;
            let content = store.content(&source.place, &source.object, source.file, bytes)?;
            let digests = ingest::hash(content, hasher(target)).await?;
            Ok((digests.etag(), digests.checksum(target.algorithm)))
        }
    }
}

fn hasher(target: &Target) -> Hasher {
    if hides_tag(target.encryption.as_ref()) {
        Hasher::opaque(&[target.algorithm], false)
    } else {
        Hasher::new(&[target.algorithm])
    }
}
