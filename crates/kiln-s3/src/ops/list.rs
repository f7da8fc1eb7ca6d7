//! Listing objects, in both of S3's versions.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kiln_store::objects::{self as index, ListQuery, Listed, Listing};
use s3s::S3ErrorCode;
use s3s::dto::*;

use super::buckets::owner;
use crate::service::Site;
use crate::{ObjectStore, S3Error, wire};

/// S3's page.
const PAGE: i32 = 1000;

pub(crate) fn v1(
    store: &ObjectStore,
    site: &Site,
    input: ListObjectsInput,
) -> Result<ListObjectsOutput, S3Error> {
    let limit = page_size(input.max_keys)?;
    let listing = store.list(
        &input.bucket,
        &ListQuery {
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone(),
            after: input.marker.clone().filter(|marker| !marker.is_empty()),
            limit: usize::from(limit),
        },
    )?;
    let encoding = input.encoding_type.as_ref();
    let name = |text: &str| wire::listed_name(text, encoding);
    // Without a delimiter, S3 lets the client take the last key.
    let next = next_of(&listing).filter(|_| input.delimiter.is_some());
    Ok(ListObjectsOutput {
        common_prefixes: Some(common_prefixes(&listing, encoding)),
        contents: Some(contents(&listing, encoding, Some(&owner(site)))),
        delimiter: input.delimiter.as_deref().map(name),
        is_truncated: Some(listing.truncated),
        marker: Some(name(input.marker.as_deref().unwrap_or_default())),
        max_keys: Some(i32::from(limit)),
        next_marker: next.map(name),
        prefix: Some(name(input.prefix.as_deref().unwrap_or_default())),
        name: Some(input.bucket),
        encoding_type: input.encoding_type,
        ..ListObjectsOutput::default()
    })
}

pub(crate) fn v2(
    store: &ObjectStore,
    site: &Site,
    input: ListObjectsV2Input,
) -> Result<ListObjectsV2Output, S3Error> {
    let limit = page_size(input.max_keys)?;
    let after = match &input.continuation_token {
        Some(token) => Some(name_of_token(token)?),
        None => input.start_after.clone().filter(|start| !start.is_empty()),
    };
    let listing = store.list(
        &input.bucket,
        &ListQuery {
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone(),
            after,
            limit: usize::from(limit),
        },
    )?;
    let encoding = input.encoding_type.as_ref();
    let name = |text: &str| wire::listed_name(text, encoding);
    let owner = input.fetch_owner.unwrap_or(false).then(|| owner(site));
    Ok(ListObjectsV2Output {
        common_prefixes: Some(common_prefixes(&listing, encoding)),
        contents: Some(contents(&listing, encoding, owner.as_ref())),
        continuation_token: input.continuation_token,
        delimiter: input.delimiter.as_deref().map(name),
        is_truncated: Some(listing.truncated),
        key_count: i32::try_from(listing.entries.len()).ok(),
        max_keys: Some(i32::from(limit)),
        next_continuation_token: next_of(&listing).map(token_of_name),
        prefix: Some(name(input.prefix.as_deref().unwrap_or_default())),
        start_after: input.start_after.as_deref().map(name),
        name: Some(input.bucket),
        encoding_type: input.encoding_type,
        ..ListObjectsV2Output::default()
    })
}

/// `max-keys` within S3's limits.
pub(super) fn page_size(asked: Option<i32>) -> Result<u16, S3Error> {
    let size = asked.unwrap_or(PAGE).min(PAGE);
    u16::try_from(size).map_err(|_| {
        S3Error::refused(
            S3ErrorCode::InvalidArgument,
            "Argument maxKeys must be an integer between 0 and 2147483647",
        )
    })
}

/// The name behind which the next page begins, if there is one.
fn next_of(listing: &Listing) -> Option<&str> {
    let last = listing.entries.last()?;
    listing.truncated.then(|| last.name())
}

fn token_of_name(name: &str) -> String {
    URL_SAFE_NO_PAD.encode(name)
}

fn name_of_token(token: &str) -> Result<String, S3Error> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok();
    let name = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    name.ok_or_else(|| {
        S3Error::refused(
            S3ErrorCode::InvalidArgument,
            "The continuation token provided is incorrect",
        )
    })
}

fn common_prefixes(listing: &Listing, encoding: Option<&EncodingType>) -> Vec<CommonPrefix> {
    let prefixes = listing.entries.iter().filter_map(|entry| match entry {
        Listed::CommonPrefix(prefix) => Some(CommonPrefix {
            prefix: Some(wire::listed_name(prefix, encoding)),
        }),
        Listed::Object(..) => None,
    });
    prefixes.collect()
}

fn contents(
    listing: &Listing,
    encoding: Option<&EncodingType>,
    owner: Option<&Owner>,
) -> Vec<Object> {
    let objects = listing.entries.iter().filter_map(|entry| match entry {
        Listed::Object(key, object) => Some(described(key, object, encoding, owner)),
        Listed::CommonPrefix(_) => None,
    });
    objects.collect()
}

fn described(
    key: &str,
    object: &index::Object,
    encoding: Option<&EncodingType>,
    owner: Option<&Owner>,
) -> Object {
    let checksum = object.details.checksum.as_ref();
    let class = object.details.storage_class.clone();
    let class = class.unwrap_or_else(|| ObjectStorageClass::STANDARD.to_owned());
    Object {
        checksum_algorithm: checksum.map(|sum| vec![wire::algorithm_name(sum.algorithm)]),
        checksum_type: wire::checksum_type_of(checksum),
        e_tag: Some(wire::etag(&object.etag)),
        key: Some(wire::listed_name(key, encoding)),
        last_modified: Some(wire::timestamp(object.modified_ms)),
        owner: owner.cloned(),
        restore_status: None,
        size: Some(wire::size(object.size)),
        storage_class: Some(ObjectStorageClass::from(class)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn tokens_carry_any_name(name in any::<String>()) {
            prop_assert_eq!(name_of_token(&token_of_name(&name)).unwrap(), name);
        }

        #[test]
        fn any_token_is_read_or_refused(token in any::<String>()) {
            let _ = name_of_token(&token);
        }
    }

    #[test]
    fn pages_have_a_size() {
        assert_eq!(page_size(None).unwrap(), 1000);
        assert_eq!(page_size(Some(0)).unwrap(), 0);
        assert_eq!(page_size(Some(7)).unwrap(), 7);
        assert_eq!(page_size(Some(5000)).unwrap(), 1000);
        assert!(page_size(Some(-1)).is_err());
    }
}
