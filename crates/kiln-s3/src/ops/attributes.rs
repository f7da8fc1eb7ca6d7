//! `GetObjectAttributes`: what an object is, and how it was cut into parts.

use kiln_store::objects::{Object, PartLayout};
use s3s::dto::*;

use crate::wire::fill_checksum;
use crate::{ObjectStore, S3Error, wire};

/// S3's page of parts.
const PAGE: i32 = 1000;

pub(crate) fn get(
    store: &ObjectStore,
    input: &GetObjectAttributesInput,
) -> Result<GetObjectAttributesOutput, S3Error> {
    let object = store.object(&input.bucket, &input.key)?;
    let wants = |name| {
        // Each header may name several.
        let mut names = input
            .object_attributes
            .iter()
            .flat_map(|list| list.as_str().split(','));
        names.any(|wanted| wanted.trim() == name)
    };
    let mut output = GetObjectAttributesOutput {
        last_modified: Some(wire::timestamp(object.modified_ms)),
        ..GetObjectAttributesOutput::default()
    };
    if wants(ObjectAttributes::ETAG) {
        output.e_tag = Some(wire::etag(&object.etag));
    }
    if wants(ObjectAttributes::CHECKSUM) {
        output.checksum = checksum(&object);
    }
    if wants(ObjectAttributes::OBJECT_SIZE) {
        output.object_size = Some(wire::size(object.size));
    }
    if wants(ObjectAttributes::STORAGE_CLASS) {
        let class = object.details.storage_class.clone();
        let class = class.unwrap_or_else(|| StorageClass::STANDARD.to_owned());
        output.storage_class = Some(StorageClass::from(class));
    }
    if wants(ObjectAttributes::OBJECT_PARTS) {
        output.object_parts = parts(&object, input.part_number_marker, input.max_parts);
    }
    Ok(output)
}

fn checksum(object: &Object) -> Option<Checksum> {
    let stored = object.details.checksum.as_ref()?;
    let mut checksum = Checksum {
        checksum_type: Some(wire::checksum_type(stored.kind)),
        ..Checksum::default()
    };
    fill_checksum!(checksum, Some(stored));
    Some(checksum)
}

fn parts(
    object: &Object,
    marker: Option<i32>,
    limit: Option<i32>,
) -> Option<GetObjectAttributesParts> {
    let parts = &object.details.parts;
    if parts.is_empty() {
        return None;
    }
    let after = u32::try_from(marker.unwrap_or(0)).unwrap_or(0);
    let limit = limit.unwrap_or(PAGE).clamp(0, PAGE);
    let rest: Vec<&PartLayout> = parts.iter().filter(|part| part.number > after).collect();
    let page = &rest[..rest.len().min(usize::try_from(limit).unwrap_or(0))];
    let number = |number: u32| i32::try_from(number).ok();
    Some(GetObjectAttributesParts {
        is_truncated: Some(page.len() < rest.len()),
        max_parts: Some(limit),
        next_part_number_marker: page.last().and_then(|part| number(part.number)),
        part_number_marker: number(after),
        parts: Some(page.iter().map(|part| object_part(part)).collect()),
        total_parts_count: i32::try_from(parts.len()).ok(),
    })
}

fn object_part(part: &PartLayout) -> ObjectPart {
    let mut described = ObjectPart {
        part_number: i32::try_from(part.number).ok(),
        size: Some(wire::size(part.size)),
        ..ObjectPart::default()
    };
    fill_checksum!(described, Some(&part.checksum));
    described
}
