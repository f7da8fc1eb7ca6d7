//! Which bytes of an object a request asks for.

use std::ops;

use kiln_store::objects::Object;
use s3s::S3ErrorCode;
use s3s::dto::Range;

use crate::S3Error;

/// The bytes to send, and whether they are to be called a part of the whole.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Selection {
    /// From the first byte to the one behind the last.
    pub(crate) bytes: ops::Range<u64>,
    /// Whether the answer names the range (`206 Partial Content`).
    pub(crate) partial: bool,
}

/// The bytes that a range or a part number selects.
pub(crate) fn select(
    object: &Object,
    range: Option<&Range>,
    part: Option<i32>,
) -> Result<Selection, S3Error> {
    match (range, part) {
        (None, None) => Ok(Selection {
            bytes: 0..object.size,
            partial: false,
        }),
        (Some(range), None) => by_range(object.size, range),
        (None, Some(number)) => by_part(object, number),
        (Some(_), Some(_)) => Err(S3Error::refused(
            S3ErrorCode::InvalidRequest,
            "Cannot specify both Range header and partNumber query parameter",
        )),
    }
}

fn by_range(size: u64, range: &Range) -> Result<Selection, S3Error> {
    let bytes = range.check(size).map_err(|_| {
        S3Error::refused(
            S3ErrorCode::InvalidRange,
            "The requested range is not satisfiable",
        )
    })?;
    // The last bytes of nothing are nothing, and have no range to name.
    let partial = !bytes.is_empty();
    Ok(Selection { bytes, partial })
}

fn by_part(object: &Object, number: i32) -> Result<Selection, S3Error> {
    let number = usize::try_from(number).unwrap_or(0);
    let parts = &object.details.parts;
    let bytes = if parts.is_empty() && number == 1 {
        Some(0..object.size)
    } else {
        number.checked_sub(1).and_then(|index| {
            let part = parts.get(index)?;
            let start = parts[..index].iter().map(|part| part.size).sum();
            Some(start..start + part.size)
        })
    };
    let bytes = bytes.ok_or_else(|| {
        S3Error::refused(
            S3ErrorCode::Custom("InvalidPartNumber".into()),
            "The requested partnumber is not satisfiable",
        )
    })?;
    let partial = !bytes.is_empty();
    Ok(Selection { bytes, partial })
}

/// `Content-Range` of a selection of an object of `size` bytes.
pub(crate) fn content_range(selection: &Selection, size: u64) -> Option<String> {
    let bytes = &selection.bytes;
    selection
        .partial
        .then(|| format!("bytes {}-{}/{size}", bytes.start, bytes.end - 1))
}

/// The bytes that `x-amz-copy-source-range` names; it must lie within the source.
pub(crate) fn copy_range(header: Option<&str>, size: u64) -> Result<ops::Range<u64>, S3Error> {
    let Some(header) = header else {
        return Ok(0..size);
    };
    match Range::parse(header) {
        Ok(Range::Int {
            first,
            last: Some(last),
        }) if last < size => Ok(first..last + 1),
        Ok(Range::Int { last: Some(_), .. }) => Err(S3Error::refused(
            S3ErrorCode::InvalidRange,
            "The specified copy range is not within the source object",
        )),
        _ => Err(S3Error::refused(
            S3ErrorCode::InvalidArgument,
            "The x-amz-copy-source-range value must be of the form bytes=first-last",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kiln_store::objects::{
        Checksum, ChecksumAlgorithm, ChecksumKind, ObjectDetails, PartLayout,
    };

    fn object(sizes: &[u64]) -> Object {
        let checksum = Checksum {
            algorithm: ChecksumAlgorithm::Crc32,
            kind: ChecksumKind::FullObject,
            value: String::new(),
        };
        let parts = sizes.iter().zip(1..).map(|(size, number)| PartLayout {
            number,
            size: *size,
            checksum: checksum.clone(),
        });
        Object {
            body: String::new(),
            size: sizes.iter().sum(),
            etag: String::new(),
            modified_ms: 0,
            details: ObjectDetails {
                parts: if sizes.len() > 1 {
                    parts.collect()
                } else {
                    Vec::new()
                },
                ..ObjectDetails::default()
            },
        }
    }

    #[test]
    fn ranges_and_parts_select_bytes() {
        // (sizes of the parts, Range, partNumber, expected bytes and Content-Range)
        type Case<'a> = (
            &'a [u64],
            Option<&'a str>,
            Option<i32>,
            Option<(ops::Range<u64>, Option<&'a str>)>,
        );
        let cases: &[Case<'_>] = &[
            (&[10], None, None, Some((0..10, None))),
            (
                &[10],
                Some("bytes=2-4"),
                None,
                Some((2..5, Some("bytes 2-4/10"))),
            ),
            (
                &[10],
                Some("bytes=8-99"),
                None,
                Some((8..10, Some("bytes 8-9/10"))),
            ),
            (
                &[10],
                Some("bytes=-3"),
                None,
                Some((7..10, Some("bytes 7-9/10"))),
            ),
            (&[10], Some("bytes=10-"), None, None),
            (&[0], Some("bytes=-3"), None, Some((0..0, None))),
            (&[10], None, Some(1), Some((0..10, Some("bytes 0-9/10")))),
            (&[10], None, Some(2), None),
            (&[10], None, Some(0), None),
            (
                &[5, 6, 7],
                None,
                Some(2),
                Some((5..11, Some("bytes 5-10/18"))),
            ),
            (&[5, 6, 7], None, Some(4), None),
            (&[5], Some("bytes=0-1"), Some(1), None),
        ];
        for (sizes, range, part, expected) in cases {
            let object = object(sizes);
            let range = range.map(|text| Range::parse(text).unwrap());
            let selected = select(&object, range.as_ref(), *part).ok();
            let described = selected.map(|selection| {
                let header = content_range(&selection, object.size);
                (selection.bytes, header)
            });
            let expected = expected
                .clone()
                .map(|(bytes, header)| (bytes, header.map(str::to_owned)));
            assert_eq!(described, expected, "{sizes:?} {range:?} {part:?}");
        }
    }

    #[test]
    fn a_copy_range_lies_within_its_source() {
        assert_eq!(copy_range(None, 9).unwrap(), 0..9);
        assert_eq!(copy_range(Some("bytes=0-8"), 9).unwrap(), 0..9);
        for bad in ["bytes=0-9", "bytes=3-", "bytes=-3", "0-3"] {
            assert!(copy_range(Some(bad), 9).is_err(), "{bad}");
        }
    }
}
