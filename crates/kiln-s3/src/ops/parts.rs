//! The parts of a multipart upload: sending, copying and listing them.

use kiln_store::objects::Part as StoredPart;
use s3s::dto::*;
use s3s::{S3ErrorCode, S3Request};

use super::buckets::owner;
use super::copy::{open_source, source_conditions_of};
use super::put::{Incoming, announced_trailer, declared_length};
use crate::digest::{Declared, Hasher};
use crate::encryption::{fill_encryption, hides_tag};
use crate::ingest::Stored;
use crate::sealing::Place;
use crate::service::Site;
use crate::store::now_ms;
use crate::wire::{declared_checksums, fill_checksum};
use crate::{ObjectStore, S3Error, ingest, ranges, wire};

/// S3's limit on the number of a part, and its page of parts.
const MOST_PARTS: i32 = 10_000;
const PAGE: i32 = 1000;

pub(crate) async fn upload(
    store: &ObjectStore,
    mut req: S3Request<UploadPartInput>,
) -> Result<UploadPartOutput, S3Error> {
    let incoming = Incoming {
        body: req.input.body.take(),
        declared: Declared {
            length: declared_length(req.input.content_length),
            md5: req.input.content_md5.take(),
            checksums: declared_checksums!(req.input),
        },
        wanted: wire::algorithm(req.input.checksum_algorithm.as_ref()),
        trailer: announced_trailer(&req.headers),
        trailers: req.trailing_headers.take(),
    };
    let input = req.input;
    let number = part_number(input.part_number)?;
    let upload = store
        .index
        .upload(&input.bucket, &input.key, &input.upload_id)?;
    let place = Place {
        bucket: input.bucket,
        key: input.key,
    };
    let encryption = upload.encryption.as_ref();
    let taken_in = incoming.take_in(store, &place, encryption, upload.algorithm);
    let (stored, _) = taken_in.await?;
    let part = commit(store, &input.upload_id, number, stored, upload.algorithm).await?;

    let mut output = UploadPartOutput {
        e_tag: Some(wire::etag(&part.etag)),
        ..UploadPartOutput::default()
    };
    fill_checksum!(output, Some(&part.checksum));
    fill_encryption!(output, &upload.encryption);
    Ok(output)
}

pub(crate) async fn copy(
    store: &ObjectStore,
    input: UploadPartCopyInput,
) -> Result<UploadPartCopyOutput, S3Error> {
    let number = part_number(input.part_number)?;
    let upload = store
        .index
        .upload(&input.bucket, &input.key, &input.upload_id)?;
    let conditions = source_conditions_of!(input);
    let source = open_source(store, &input.copy_source, &conditions).await?;
    let bytes = ranges::copy_range(input.copy_source_range.as_deref(), source.object.size)?;
    let content = store.content(&source.place, &source.object, source.file, bytes)?;
    let place = Place {
        bucket: input.bucket,
        key: input.key,
    };
    let hasher = if hides_tag(upload.encryption.as_ref()) {
        Hasher::opaque(&[upload.algorithm], false)
    } else {
        Hasher::new(&[upload.algorithm])
    };
    let sealer = store.sealer(upload.encryption.as_ref(), &place)?;
    let copied = ingest::copy(&store.bodies, content, hasher, sealer).await?;
    let stored = copied.persist().await?;
    let part = commit(store, &input.upload_id, number, stored, upload.algorithm).await?;

    let mut result = CopyPartResult {
        e_tag: Some(wire::etag(&part.etag)),
        last_modified: Some(wire::timestamp(part.modified_ms)),
        ..CopyPartResult::default()
    };
    fill_checksum!(result, Some(&part.checksum));
    let mut output = UploadPartCopyOutput {
        copy_part_result: Some(result),
        ..UploadPartCopyOutput::default()
    };
    fill_encryption!(output, &upload.encryption);
    Ok(output)
}

pub(crate) fn list(
    store: &ObjectStore,
    site: &Site,
    input: ListPartsInput,
) -> Result<ListPartsOutput, S3Error> {
    let upload = store
        .index
        .upload(&input.bucket, &input.key, &input.upload_id)?;
    let after = input.part_number_marker.unwrap_or(0);
    let limit = input.max_parts.unwrap_or(PAGE).clamp(0, PAGE);
    let page = usize::try_from(limit).unwrap_or(0);
    let first = u32::try_from(after).unwrap_or(0);
    let mut parts = store.index.parts(&input.upload_id, first, page + 1)?;
    let truncated = parts.len() > page;
    parts.truncate(page);
    let class = upload.object.storage_class;
    let class = class.unwrap_or_else(|| StorageClass::STANDARD.to_owned());
    Ok(ListPartsOutput {
        bucket: Some(input.bucket),
        checksum_algorithm: Some(wire::algorithm_name(upload.algorithm)),
        checksum_type: Some(wire::checksum_type(upload.kind)),
        is_truncated: Some(truncated),
        key: Some(input.key),
        max_parts: Some(limit),
        next_part_number_marker: parts
            .last()
            .and_then(|part| i32::try_from(part.number).ok()),
        owner: Some(owner(site)),
        part_number_marker: Some(after),
        parts: Some(parts.iter().map(described).collect()),
        storage_class: Some(StorageClass::from(class)),
        upload_id: Some(input.upload_id),
        ..ListPartsOutput::default()
    })
}

fn part_number(number: i32) -> Result<u32, S3Error> {
    u32::try_from(number)
        .ok()
        .filter(|_| (1..=MOST_PARTS).contains(&number))
        .ok_or_else(|| {
            S3Error::refused(
                S3ErrorCode::InvalidArgument,
                "Part number must be an integer between 1 and 10000, inclusive",
            )
        })
}

async fn commit(
    store: &ObjectStore,
    upload: &str,
    number: u32,
    stored: Stored,
    algorithm: kiln_store::objects::ChecksumAlgorithm,
) -> Result<StoredPart, S3Error> {
    // The upload's algorithm is always among those that were computed.
    let checksum = stored
        .digests
        .checksum(algorithm)
        .ok_or(S3Error::WorkerGone)?;
    let part = StoredPart {
        number,
        body: String::new(),
        size: stored.size,
        etag: stored.digests.etag(),
        modified_ms: now_ms(),
        checksum,
        data_key: stored.segment.map(|segment| segment.data_key),
    };
    let described = part.clone();
    let describe = |body| StoredPart { body, ..described };
    store.commit_part(upload, stored.draft, describe).await?;
    Ok(part)
}

fn described(part: &StoredPart) -> Part {
    let mut described = Part {
        e_tag: Some(wire::etag(&part.etag)),
        last_modified: Some(wire::timestamp(part.modified_ms)),
        part_number: i32::try_from(part.number).ok(),
        size: Some(wire::size(part.size)),
        ..Part::default()
    };
    fill_checksum!(described, Some(&part.checksum));
    described
}
