//! What a request says about the object that it makes, beside its bytes.

use std::collections::BTreeMap;

use s3s::S3ErrorCode;
use s3s::dto::Metadata;

use crate::S3Error;

/// S3's limit on user metadata: the bytes of all names and values.
const MOST_METADATA: usize = 2048;

/// The [`ObjectDetails`](kiln_store::objects::ObjectDetails) of a request.
/// Putting, copying and beginning an upload share the members' names, not a type.
macro_rules! details_of {
    ($input:expr) => {{
        let input = $input;
        let details = kiln_store::objects::ObjectDetails {
            content_type: input.content_type.clone(),
            content_encoding: $crate::ops::describe::content_encoding(
                input.content_encoding.as_deref(),
            ),
            content_language: input.content_language.clone(),
            content_disposition: input.content_disposition.clone(),
            cache_control: input.cache_control.clone(),
            expires_ms: input.expires.as_ref().map($crate::wire::millis),
            website_redirect: input.website_redirect_location.clone(),
            storage_class: $crate::ops::describe::storage_class(
                input.storage_class.as_ref().map(|class| class.as_str()),
            ),
            metadata: $crate::ops::describe::metadata(input.metadata.as_ref())?,
            tags: $crate::tags::from_header(input.tagging.as_deref())?,
            ..Default::default()
        };
        Ok::<_, $crate::S3Error>(details)
    }};
}

pub(crate) use details_of;

/// `Content-Encoding` of the object: without `aws-chunked`, which is of the transfer.
pub(super) fn content_encoding(header: Option<&str>) -> Option<String> {
    let codings: Vec<&str> = header?
        .split(',')
        .map(str::trim)
        .filter(|coding| !coding.is_empty() && *coding != "aws-chunked")
        .collect();
    (!codings.is_empty()).then(|| codings.join(","))
}

/// The storage class, unless it is the usual one, which S3 leaves unsaid.
pub(super) fn storage_class(class: Option<&str>) -> Option<String> {
    class
        .filter(|class| *class != "STANDARD")
        .map(str::to_owned)
}

/// User metadata within S3's limit.
pub(super) fn metadata(metadata: Option<&Metadata>) -> Result<BTreeMap<String, String>, S3Error> {
    let metadata: BTreeMap<_, _> = metadata
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let size: usize = metadata
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    if size > MOST_METADATA {
        return Err(S3Error::refused(
            S3ErrorCode::MetadataTooLarge,
            "Your metadata headers exceed the maximum allowed metadata size",
        ));
    }
    Ok(metadata)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_coding_of_the_transfer_is_not_the_objects() {
        let cases = [
            (None, None),
            (Some("aws-chunked"), None),
            (Some("gzip"), Some("gzip")),
            (Some("gzip, aws-chunked"), Some("gzip")),
            (Some("aws-chunked,gzip,br"), Some("gzip,br")),
            (Some(""), None),
        ];
        for (header, expected) in cases {
            assert_eq!(content_encoding(header).as_deref(), expected, "{header:?}");
        }
    }

    #[test]
    fn metadata_has_a_limit() {
        let of = |length| Metadata::from([("k".to_owned(), "v".repeat(length))]);
        assert!(metadata(Some(&of(2047))).is_ok());
        assert!(metadata(Some(&of(2048))).is_err());
    }
}
