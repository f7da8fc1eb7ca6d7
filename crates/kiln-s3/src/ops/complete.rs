//! Completing a multipart upload: its parts become one object.

use kiln_store::objects::{
    Checksum, CompletedUpload, Object, Part, PartLayout, Sealed, Segment, Upload,
};
use s3s::dto::*;

use crate::bodies::Draft;
use crate::completion::{self, Claim};
use crate::digest;
use crate::encryption::fill_encryption;
use crate::ingest::blocking;
use crate::sealing::{Place, SealError};
use crate::store::now_ms;
use crate::wire::{declared_checksums, fill_checksum};
use crate::{ObjectStore, S3Error, conditions, wire};

/// One more than an upload can have.
const ALL_PARTS: usize = 10_001;

pub(crate) async fn complete(
    store: &ObjectStore,
    input: CompleteMultipartUploadInput,
) -> Result<CompleteMultipartUploadOutput, S3Error> {
    let claims = claims(&input);
    let completed = match end(store, &input, &claims).await {
        Ok(completed) => completed,
        // The client, or another request of the same, may have been here before.
        Err(error) => ended_before(store, &input, &claims)?.ok_or(error)?,
    };
    let mut output = CompleteMultipartUploadOutput {
        e_tag: Some(wire::etag(&completed.etag)),
        location: Some(format!("/{}/{}", input.bucket, input.key)),
        checksum_type: wire::checksum_type_of(completed.checksum.as_ref()),
        bucket: Some(input.bucket),
        key: Some(input.key),
        ..CompleteMultipartUploadOutput::default()
    };
    fill_checksum!(output, &completed.checksum);
    fill_encryption!(output, &completed.encryption);
    Ok(output)
}

/// Ends an upload with an object of the parts that the client lists.
async fn end(
    store: &ObjectStore,
    input: &CompleteMultipartUploadInput,
    claims: &[Claim],
) -> Result<CompletedUpload, S3Error> {
    let precondition =
        conditions::precondition(input.if_match.clone(), input.if_none_match.clone())?;
    let upload = store
        .index
        .upload(&input.bucket, &input.key, &input.upload_id)?;
    let sent = store.index.parts(&input.upload_id, 0, ALL_PARTS)?;
    let parts = completion::choose(claims, &sent)?;
    let size = completion::total_size(&parts, input.mpu_object_size)?;
    let etags: Vec<&str> = parts.iter().map(|part| part.etag.as_str()).collect();
    let completed = CompletedUpload {
        etag: digest::multipart_etag(&etags),
        checksum: whole_checksum(&upload, &parts, input)?,
        encryption: upload.encryption.clone(),
    };

    let draft = assemble(store, &parts).await?;
    let mut details = upload.object;
    details.checksum.clone_from(&completed.checksum);
    details.parts = parts.iter().map(|part| layout(part)).collect();
    if let Some(encryption) = upload.encryption {
        details.sealed = Some(Sealed {
            encryption,
            segments: segments(&parts)?,
        });
    }
    let describe = |body| Object {
        body,
        size,
        etag: completed.etag.clone(),
        modified_ms: now_ms(),
        details,
    };
    let place = Place {
        bucket: input.bucket.clone(),
        key: input.key.clone(),
    };
    store
        .commit_upload(&place, &input.upload_id, draft, describe, precondition)
        .await?;
    Ok(completed)
}

/// What was answered when the upload ended with just these parts, if it did.
fn ended_before(
    store: &ObjectStore,
    input: &CompleteMultipartUploadInput,
    claims: &[Claim],
) -> Result<Option<CompletedUpload>, S3Error> {
    let completed = store
        .index
        .completed_upload(&input.bucket, &input.key, &input.upload_id)?;
    let etags: Vec<&str> = claims
        .iter()
        .filter_map(|claim| claim.etag.as_deref())
        .collect();
    let etag = digest::multipart_etag(&etags);
    Ok(completed.filter(|completed| completed.etag == etag))
}

/// What opens the parts' bytes within the object's.
fn segments(parts: &[&Part]) -> Result<Vec<Segment>, SealError> {
    let segments = parts.iter().map(|part| {
        let data_key = part.data_key.clone().ok_or(SealError::DataKey)?;
        Ok(Segment {
            size: part.size,
            data_key,
        })
    });
    segments.collect()
}

fn claims(input: &CompleteMultipartUploadInput) -> Vec<Claim> {
    let listed = input.multipart_upload.as_ref();
    let parts = listed.and_then(|listed| listed.parts.as_deref());
    let claims = parts.unwrap_or_default().iter().map(|part| Claim {
        number: part
            .part_number
            .and_then(|number| u32::try_from(number).ok()),
        etag: part.e_tag.as_ref().map(|etag| etag.value().to_owned()),
        checksums: declared_checksums!(part),
    });
    claims.collect()
}

/// The object's checksum, which must be what the client says it is.
fn whole_checksum(
    upload: &Upload,
    parts: &[&Part],
    input: &CompleteMultipartUploadInput,
) -> Result<Option<Checksum>, S3Error> {
    let sums: Vec<_> = parts
        .iter()
        .map(|part| (part.size, &part.checksum))
        .collect();
    let checksum = digest::combine(upload.algorithm, upload.kind, &sums);
    for (algorithm, declared) in declared_checksums!(input) {
        let known = checksum
            .as_ref()
            .filter(|known| known.algorithm == algorithm);
        if known.is_none_or(|known| known.value != declared) {
            return Err(digest::bad_digest(algorithm.as_str()));
        }
    }
    Ok(checksum)
}

/// One body of all parts, in order.
async fn assemble(store: &ObjectStore, parts: &[&Part]) -> Result<Draft, S3Error> {
    let bodies = store.bodies.clone();
    let names: Vec<String> = parts.iter().map(|part| part.body.clone()).collect();
    let assembled = blocking(move || match names.as_slice() {
        [only] => bodies.link(only),
        _ => {
            let files: Result<Vec<_>, _> = names.iter().map(|name| bodies.read(name)).collect();
            bodies.concatenate(files?)
        }
    });
    // A part that is sent anew just now, or an upload that ends, takes its body away.
    assembled.await.map_err(|error| {
        if error.is_missing_file() {
            completion::invalid_part()
        } else {
            error
        }
    })
}

fn layout(part: &Part) -> PartLayout {
    PartLayout {
        number: part.number,
        size: part.size,
        checksum: part.checksum.clone(),
    }
}
