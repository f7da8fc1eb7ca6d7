//! Multipart uploads: beginning, ending and listing them.

use kiln_store::objects::{
    Checksum, ChecksumAlgorithm, ChecksumKind, ListQuery, Object, Part, PartLayout, Upload,
    UploadPage,
};
use s3s::S3ErrorCode;
use s3s::dto::*;
use uuid::Uuid;

use super::buckets::owner;
use super::describe::details_of;
use super::list::page_size;
use crate::bodies::Draft;
use crate::completion::{self, Claim};
use crate::digest::{self, DEFAULT_ALGORITHM};
use crate::ingest::blocking;
use crate::service::Site;
use crate::store::now_ms;
use crate::wire::{declared_checksums, fill_checksum};
use crate::{ObjectStore, S3Error, conditions, wire};

/// One more than an upload can have.
const ALL_PARTS: usize = 10_001;

pub(crate) async fn create(
    store: &ObjectStore,
    input: CreateMultipartUploadInput,
) -> Result<CreateMultipartUploadOutput, S3Error> {
    let asked = wire::algorithm(input.checksum_algorithm.as_ref());
    let algorithm = asked.unwrap_or(DEFAULT_ALGORITHM);
    let kind = checksum_kind(algorithm, input.checksum_type.as_ref())?;
    let upload = Upload {
        id: Uuid::new_v4().simple().to_string(),
        key: input.key.clone(),
        initiated_ms: now_ms(),
        object: details_of!(&input)?,
        algorithm,
        kind,
    };
    let id = upload.id.clone();
    store.index.create_upload(&input.bucket, upload).await?;
    Ok(CreateMultipartUploadOutput {
        bucket: Some(input.bucket),
        checksum_algorithm: asked.map(wire::algorithm_name),
        checksum_type: asked.map(|_| wire::checksum_type(kind)),
        key: Some(input.key),
        upload_id: Some(id),
        ..CreateMultipartUploadOutput::default()
    })
}

/// How the parts' checksums are to make the object's. The sums that can be
/// joined without the bytes are the CRCs; of those the 64-bit one always is.
fn checksum_kind(
    algorithm: ChecksumAlgorithm,
    asked: Option<&ChecksumType>,
) -> Result<ChecksumKind, S3Error> {
    use ChecksumAlgorithm::{Crc64Nvme, Sha1, Sha256};
    use ChecksumKind::{Composite, FullObject};
    let asked = asked.map(|kind| match kind.as_str() {
        ChecksumType::FULL_OBJECT => FullObject,
        _ => Composite,
    });
    match (algorithm, asked) {
        (Crc64Nvme, Some(Composite)) | (Sha1 | Sha256, Some(FullObject)) => Err(S3Error::refused(
            S3ErrorCode::InvalidRequest,
            format!(
                "The requested checksum type is not supported for the {} checksum algorithm.",
                algorithm.as_str()
            ),
        )),
        (Crc64Nvme, None) => Ok(FullObject),
        (_, asked) => Ok(asked.unwrap_or(Composite)),
    }
}

pub(crate) async fn complete(
    store: &ObjectStore,
    input: CompleteMultipartUploadInput,
) -> Result<CompleteMultipartUploadOutput, S3Error> {
    let precondition =
        conditions::precondition(input.if_match.clone(), input.if_none_match.clone())?;
    let upload = store
        .index
        .upload(&input.bucket, &input.key, &input.upload_id)?;
    let sent = store.index.parts(&input.upload_id, 0, ALL_PARTS)?;
    let parts = completion::choose(&claims(&input), &sent)?;
    let size = completion::total_size(&parts, input.mpu_object_size)?;
    let etags: Vec<&str> = parts.iter().map(|part| part.etag.as_str()).collect();
    let etag = digest::multipart_etag(&etags);
    let checksum = whole_checksum(&upload, &parts, &input)?;

    let draft = assemble(store, &parts).await?;
    let mut details = upload.object;
    details.checksum.clone_from(&checksum);
    details.parts = parts.iter().map(|part| layout(part)).collect();
    let describe = |body| Object {
        body,
        size,
        etag: etag.clone(),
        modified_ms: now_ms(),
        details,
    };
    let place = (
        input.bucket.as_str(),
        input.key.as_str(),
        input.upload_id.as_str(),
    );
    store
        .commit_upload(place, draft, describe, precondition)
        .await?;

    let mut output = CompleteMultipartUploadOutput {
        e_tag: Some(wire::etag(&etag)),
        location: Some(format!("/{}/{}", input.bucket, input.key)),
        checksum_type: wire::checksum_type_of(checksum.as_ref()),
        bucket: Some(input.bucket),
        key: Some(input.key),
        ..CompleteMultipartUploadOutput::default()
    };
    fill_checksum!(output, &checksum);
    Ok(output)
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
            let files: Result<Vec<_>, _> = names.iter().map(|name| bodies.read(name, 0)).collect();
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

pub(crate) async fn abort(
    store: &ObjectStore,
    input: &AbortMultipartUploadInput,
) -> Result<AbortMultipartUploadOutput, S3Error> {
    store
        .index
        .upload(&input.bucket, &input.key, &input.upload_id)?;
    let bodies = store.index.abort_upload(&input.upload_id).await?;
    store.discard(bodies);
    Ok(AbortMultipartUploadOutput::default())
}

pub(crate) fn list(
    store: &ObjectStore,
    site: &Site,
    input: ListMultipartUploadsInput,
) -> Result<ListMultipartUploadsOutput, S3Error> {
    let limit = page_size(input.max_uploads)?;
    let marker = input.key_marker.clone().filter(|marker| !marker.is_empty());
    let after_id = input.upload_id_marker.clone().filter(|_| marker.is_some());
    let query = ListQuery {
        prefix: input.prefix.clone().unwrap_or_default(),
        delimiter: input.delimiter.clone(),
        after: marker,
        limit: usize::from(limit),
    };
    let page = store
        .index
        .uploads(&input.bucket, &query, after_id.as_deref());
    let UploadPage {
        uploads,
        common_prefixes,
        next,
    } = page?;
    let encoding = input.encoding_type.as_ref();
    let name = |text: &str| wire::listed_name(text, encoding);
    let prefixes = common_prefixes.iter().map(|prefix| CommonPrefix {
        prefix: Some(name(prefix)),
    });
    let uploads = uploads.iter().map(|upload| MultipartUpload {
        checksum_algorithm: Some(wire::algorithm_name(upload.algorithm)),
        checksum_type: Some(wire::checksum_type(upload.kind)),
        initiated: Some(wire::timestamp(upload.initiated_ms)),
        initiator: None,
        key: Some(name(&upload.key)),
        owner: Some(owner(site)),
        storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
        upload_id: Some(upload.id.clone()),
    });
    Ok(ListMultipartUploadsOutput {
        common_prefixes: Some(prefixes.collect()),
        delimiter: input.delimiter.as_deref().map(name),
        is_truncated: Some(next.is_some()),
        key_marker: Some(name(input.key_marker.as_deref().unwrap_or_default())),
        max_uploads: Some(i32::from(limit)),
        next_key_marker: next.as_ref().map(|(key, _)| name(key)),
        next_upload_id_marker: next.and_then(|(_, id)| id),
        prefix: Some(name(input.prefix.as_deref().unwrap_or_default())),
        upload_id_marker: input.upload_id_marker,
        uploads: Some(uploads.collect()),
        bucket: Some(input.bucket),
        encoding_type: input.encoding_type,
        ..ListMultipartUploadsOutput::default()
    })
}
