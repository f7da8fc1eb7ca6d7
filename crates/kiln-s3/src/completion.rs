//! Completing a multipart upload: whether the parts that the client lists are
//! the parts that it has sent, and whether they may become an object.

use kiln_store::objects::{ChecksumAlgorithm, Part};
use s3s::S3ErrorCode;

use crate::S3Error;

/// The least size of every part but the last.
const LEAST_PART: u64 = 5 << 20;

/// One part as the client lists it.
#[derive(Debug, Default)]
pub(crate) struct Claim {
    /// Its number.
    pub(crate) number: Option<u32>,
    /// The entity tag it was answered with.
    pub(crate) etag: Option<String>,
    /// Its checksums, if the client repeats them.
    pub(crate) checksums: Vec<(ChecksumAlgorithm, String)>,
}

/// The parts that make the object, in order.
pub(crate) fn choose<'p>(claims: &[Claim], sent: &'p [Part]) -> Result<Vec<&'p Part>, S3Error> {
    if claims.is_empty() {
        return Err(S3Error::refused(
            S3ErrorCode::MalformedXML,
            "The XML you provided was not well-formed or did not validate against our \
             published schema",
        ));
    }
    let in_order = claims
        .windows(2)
        .all(|pair| pair[0].number.is_some() && pair[0].number < pair[1].number);
    if !in_order {
        return Err(S3Error::refused(
            S3ErrorCode::InvalidPartOrder,
            "The list of parts was not in ascending order. Parts must be ordered by part number.",
        ));
    }
    let parts = claims
        .iter()
        .map(|claim| find(claim, sent))
        .collect::<Result<Vec<_>, _>>()?;
    let but_last = &parts[..parts.len() - 1];
    if but_last.iter().any(|part| part.size < LEAST_PART) {
        return Err(S3Error::refused(
            S3ErrorCode::EntityTooSmall,
            "Your proposed upload is smaller than the minimum allowed size",
        ));
    }
    Ok(parts)
}

fn find<'p>(claim: &Claim, sent: &'p [Part]) -> Result<&'p Part, S3Error> {
    let by_number = |part: &&Part| Some(part.number) == claim.number;
    let part = sent.iter().find(by_number).ok_or_else(invalid_part)?;
    let same_sum = |(algorithm, value): &(ChecksumAlgorithm, String)| {
        part.checksum.algorithm != *algorithm || part.checksum.value == *value
    };
    if claim.etag.as_deref() == Some(part.etag.as_str()) && claim.checksums.iter().all(same_sum) {
        Ok(part)
    } else {
        Err(invalid_part())
    }
}

/// The size of the object, which must be what the client says it is.
pub(crate) fn total_size(parts: &[&Part], declared: Option<i64>) -> Result<u64, S3Error> {
    let size: u64 = parts.iter().map(|part| part.size).sum();
    if declared.is_some_and(|declared| u64::try_from(declared) != Ok(size)) {
        return Err(S3Error::refused(
            S3ErrorCode::InvalidRequest,
            format!(
                "The provided 'x-amz-mp-object-size' header does not match the {size} bytes of the parts"
            ),
        ));
    }
    Ok(size)
}

pub(crate) fn invalid_part() -> S3Error {
    S3Error::refused(
        S3ErrorCode::InvalidPart,
        "One or more of the specified parts could not be found.  The part may not have been \
         uploaded, or the specified entity tag may not match the part's entity tag.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use kiln_store::objects::{Checksum, ChecksumKind};

    fn part(number: u32, size: u64) -> Part {
        Part {
            number,
            body: String::new(),
            size,
            etag: format!("e{number}"),
            modified_ms: 0,
            checksum: Checksum {
                algorithm: ChecksumAlgorithm::Crc32,
                kind: ChecksumKind::FullObject,
                value: "sum".to_owned(),
            },
            data_key: None,
        }
    }

    fn claim(number: u32, etag: &str) -> Claim {
        Claim {
            number: Some(number),
            etag: Some(etag.to_owned()),
            checksums: Vec::new(),
        }
    }

    #[test]
    fn the_listed_parts_must_be_the_sent_ones() {
        let sent = [part(1, LEAST_PART), part(2, LEAST_PART - 1), part(5, 1)];
        let outcome = |claims: &[(u32, &str)]| {
            let claims: Vec<_> = claims.iter().map(|(n, e)| claim(*n, e)).collect();
            match choose(&claims, &sent) {
                Ok(parts) => format!("{:?}", parts.iter().map(|p| p.number).collect::<Vec<_>>()),
                Err(S3Error::Refused { code, .. }) => code.as_str().to_owned(),
                Err(other) => other.to_string(),
            }
        };
        assert_eq!(outcome(&[(1, "e1"), (2, "e2")]), "[1, 2]");
        assert_eq!(outcome(&[(1, "e1"), (5, "e5")]), "[1, 5]");
        assert_eq!(outcome(&[(5, "e5")]), "[5]");
        assert_eq!(outcome(&[]), "MalformedXML");
        assert_eq!(outcome(&[(2, "e2"), (1, "e1")]), "InvalidPartOrder");
        assert_eq!(outcome(&[(1, "e1"), (1, "e1")]), "InvalidPartOrder");
        assert_eq!(outcome(&[(1, "e1"), (3, "e3")]), "InvalidPart");
        assert_eq!(outcome(&[(1, "e2")]), "InvalidPart");
        assert_eq!(outcome(&[(2, "e2"), (5, "e5")]), "EntityTooSmall");
    }

    #[test]
    fn a_repeated_checksum_must_be_the_parts() {
        let sent = [part(1, 1)];
        let with = |algorithm, value: &str| Claim {
            checksums: vec![(algorithm, value.to_owned())],
            ..claim(1, "e1")
        };
        assert!(choose(&[with(ChecksumAlgorithm::Crc32, "sum")], &sent).is_ok());
        assert!(choose(&[with(ChecksumAlgorithm::Crc32, "other")], &sent).is_err());
    }

    #[test]
    fn the_declared_size_must_be_true() {
        let parts = [part(1, 5), part(2, 6)];
        let parts: Vec<_> = parts.iter().collect();
        assert_eq!(total_size(&parts, None).unwrap(), 11);
        assert_eq!(total_size(&parts, Some(11)).unwrap(), 11);
        assert!(total_size(&parts, Some(12)).is_err());
        assert!(total_size(&parts, Some(-1)).is_err());
    }
}
