//! Multipart uploads: beginning, giving up and listing them.

use kiln_store::objects::{ChecksumAlgorithm, ChecksumKind, ListQuery, Upload, UploadPage};
use s3s::S3ErrorCode;
use s3s::dto::*;
use uuid::Uuid;

use super::buckets::owner;
use super::describe::details_of;
use super::list::page_size;
use crate::digest::DEFAULT_ALGORITHM;
use crate::encryption::{asked_of, fill_encryption};
use crate::service::Site;
use crate::store::now_ms;
use crate::{ObjectStore, S3Error, wire};

pub(crate) async fn create(
    store: &ObjectStore,
    site: &Site,
    input: CreateMultipartUploadInput,
) -> Result<CreateMultipartUploadOutput, S3Error> {
    let asked = wire::algorithm(input.checksum_algorithm.as_ref());
    let algorithm = asked.unwrap_or(DEFAULT_ALGORITHM);
    let kind = checksum_kind(algorithm, input.checksum_type.as_ref())?;
    let default = store.index.bucket_encryption(&input.bucket)?;
    let encryption = asked_of!(input).decide(site, default)?;
    let upload = Upload {
        id: Uuid::new_v4().simple().to_string(),
        key: input.key.clone(),
        initiated_ms: now_ms(),
        object: details_of!(&input)?,
        algorithm,
        kind,
        encryption: encryption.clone(),
    };
    let id = upload.id.clone();
    store.index.create_upload(&input.bucket, upload).await?;
    let mut output = CreateMultipartUploadOutput {
        bucket: Some(input.bucket),
        checksum_algorithm: asked.map(wire::algorithm_name),
        checksum_type: asked.map(|_| wire::checksum_type(kind)),
        key: Some(input.key),
        upload_id: Some(id),
        ssekms_encryption_context: input.ssekms_encryption_context,
        ..CreateMultipartUploadOutput::default()
    };
    fill_encryption!(output, &encryption);
    Ok(output)
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
