//! Reading objects: all of one, a range, a part, or only what it is.

use kiln_store::objects::Object;
use s3s::dto::*;

use crate::conditions::Conditions;
use crate::encryption::fill_encryption;
use crate::ingest::blocking;
use crate::reader::BodyStream;
use crate::sealing::Place;
use crate::wire::fill_checksum;
use crate::{ObjectStore, S3Error, ranges, wire};

/// What S3 calls content that nobody named.
const DEFAULT_CONTENT_TYPE: &str = "binary/octet-stream";

/// The response to a read. Getting and heading share the members' names, not a type.
macro_rules! described {
    ($output:ident, $input:expr, $object:expr, $selection:expr) => {{
        let (input, object, selection) = ($input, $object, $selection);
        let details = &object.details;
        let mut output = $output {
            accept_ranges: Some("bytes".to_owned()),
            cache_control: details.cache_control.clone(),
            content_disposition: details.content_disposition.clone(),
            content_encoding: details.content_encoding.clone(),
            content_language: details.content_language.clone(),
            content_length: Some(wire::size(selection.bytes.end - selection.bytes.start)),
            content_range: ranges::content_range(selection, object.size),
            content_type: Some(content_type(object)),
            e_tag: Some(wire::etag(&object.etag)),
            expires: details.expires_ms.map(wire::timestamp),
            last_modified: Some(wire::timestamp(object.modified_ms)),
            metadata: metadata(object),
            parts_count: parts_count(object, input.part_number),
            storage_class: details.storage_class.clone().map(StorageClass::from),
            website_redirect_location: details.website_redirect.clone(),
            ..$output::default()
        };
        if wants_checksum(input.checksum_mode.as_ref()) && !selection.partial {
            fill_checksum!(output, &details.checksum);
            output.checksum_type = wire::checksum_type_of(details.checksum.as_ref());
        }
        fill_encryption!(
            output,
            details.sealed.as_ref().map(|sealed| &sealed.encryption)
        );
        output
    }};
}

/// The conditions of a read.
macro_rules! conditions_of {
    ($input:expr) => {
        Conditions {
            matches: $input.if_match.clone(),
            none_match: $input.if_none_match.clone(),
            modified_since: $input.if_modified_since.clone(),
            unmodified_since: $input.if_unmodified_since.clone(),
        }
    };
}

pub(crate) async fn get(
    store: &ObjectStore,
    input: GetObjectInput,
) -> Result<GetObjectOutput, S3Error> {
    let store = store.clone();
    // One trip to a blocking thread does for all of a small object.
    blocking(move || {
        let place = Place {
            bucket: input.bucket.clone(),
            key: input.key.clone(),
        };
        let (object, file) = store.open_object(&place)?;
        conditions_of!(input).require(&object)?;
        let selection = ranges::select(&object, input.range.as_ref(), input.part_number)?;
        let bytes = selection.bytes.clone();
        let length = bytes.end - bytes.start;
        let content = store.content(&place, &object, file, bytes)?;
        let stream = BodyStream::open(content, length)?;
        let mut output = described!(GetObjectOutput, &input, &object, &selection);
        output.tag_count = tag_count(&object);
        output.body = Some(StreamingBlob::new(stream));
        Ok(output)
    })
    .await
}

pub(crate) fn head(
    store: &ObjectStore,
    input: HeadObjectInput,
) -> Result<HeadObjectOutput, S3Error> {
    let object = store.object(&input.bucket, &input.key)?;
    conditions_of!(input).require(&object)?;
    let selection = ranges::select(&object, input.range.as_ref(), input.part_number)?;
    Ok(described!(HeadObjectOutput, &input, &object, &selection))
}

fn content_type(object: &Object) -> String {
    let named = object.details.content_type.as_deref();
    named.unwrap_or(DEFAULT_CONTENT_TYPE).to_owned()
}

fn metadata(object: &Object) -> Option<Metadata> {
    let metadata = &object.details.metadata;
    (!metadata.is_empty()).then(|| metadata.clone().into_iter().collect())
}

/// How many parts there are, for those who read by part.
fn parts_count(object: &Object, part: Option<i32>) -> Option<i32> {
    let count = i32::try_from(object.details.parts.len()).ok()?;
    (part.is_some() && count > 0).then_some(count)
}

fn tag_count(object: &Object) -> Option<i32> {
    let count = i32::try_from(object.details.tags.len()).ok()?;
    (count > 0).then_some(count)
}

fn wants_checksum(mode: Option<&ChecksumMode>) -> bool {
    mode.is_some_and(|mode| mode.as_str() == ChecksumMode::ENABLED)
}
