//! How the index's records look in S3's requests and responses.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kiln_store::objects::{Checksum, ChecksumAlgorithm, ChecksumKind};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto::{self, ETag, Timestamp};
use time::OffsetDateTime;

/// What `encoding-type=url` leaves as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'*')
    .remove(b'/');

/// Fills the five checksum members of a response from an optional [`Checksum`].
macro_rules! fill_checksum {
    ($output:expr, $checksum:expr) => {
        if let Some(checksum) = $checksum {
            let value = Some(checksum.value.clone());
            match checksum.algorithm {
                kiln_store::objects::ChecksumAlgorithm::Crc32 => $output.checksum_crc32 = value,
                kiln_store::objects::ChecksumAlgorithm::Crc32c => $output.checksum_crc32c = value,
                kiln_store::objects::ChecksumAlgorithm::Crc64Nvme => {
                    $output.checksum_crc64nvme = value;
                }
                kiln_store::objects::ChecksumAlgorithm::Sha1 => $output.checksum_sha1 = value,
                kiln_store::objects::ChecksumAlgorithm::Sha256 => $output.checksum_sha256 = value,
            }
        }
    };
}

/// The checksums that a request's five members declare.
macro_rules! declared_checksums {
    ($input:expr) => {{
        use kiln_store::objects::ChecksumAlgorithm;
        [
            (ChecksumAlgorithm::Crc32, $input.checksum_crc32.clone()),
            (ChecksumAlgorithm::Crc32c, $input.checksum_crc32c.clone()),
            (
                ChecksumAlgorithm::Crc64Nvme,
                $input.checksum_crc64nvme.clone(),
            ),
            (ChecksumAlgorithm::Sha1, $input.checksum_sha1.clone()),
            (ChecksumAlgorithm::Sha256, $input.checksum_sha256.clone()),
        ]
        .into_iter()
        .filter_map(|(algorithm, value)| Some((algorithm, value?)))
        .collect::<Vec<_>>()
    }};
}

pub(crate) use {declared_checksums, fill_checksum};

/// A time of the index as S3 writes it.
pub(crate) fn timestamp(millis: i64) -> Timestamp {
    let span = Duration::from_millis(millis.unsigned_abs());
    let time: SystemTime = if millis < 0 {
        UNIX_EPOCH - span
    } else {
        UNIX_EPOCH + span
    };
    time.into()
}

/// A time of a request as the index keeps it.
pub(crate) fn millis(timestamp: &Timestamp) -> i64 {
    let time: OffsetDateTime = timestamp.clone().into();
    time.unix_timestamp() * 1000 + i64::from(time.millisecond())
}

/// An entity tag as S3 writes it.
pub(crate) fn etag(value: &str) -> ETag {
    ETag::Strong(value.to_owned())
}

/// A length as S3 writes it.
pub(crate) fn size(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// The algorithm that a request names, if Kiln knows it.
pub(crate) fn algorithm(name: Option<&dto::ChecksumAlgorithm>) -> Option<ChecksumAlgorithm> {
    ChecksumAlgorithm::from_name(name?.as_str())
}

/// An algorithm as S3 writes it.
pub(crate) fn algorithm_name(algorithm: ChecksumAlgorithm) -> dto::ChecksumAlgorithm {
    dto::ChecksumAlgorithm::from_static(algorithm.as_str())
}

/// A checksum's kind as S3 writes it.
pub(crate) fn checksum_type(kind: ChecksumKind) -> dto::ChecksumType {
    dto::ChecksumType::from_static(match kind {
        ChecksumKind::FullObject => dto::ChecksumType::FULL_OBJECT,
        ChecksumKind::Composite => dto::ChecksumType::COMPOSITE,
    })
}

/// The kind of an optional checksum as S3 writes it.
pub(crate) fn checksum_type_of(checksum: Option<&Checksum>) -> Option<dto::ChecksumType> {
    checksum.map(|checksum| checksum_type(checksum.kind))
}

/// A name in a list, encoded when the client asked for that.
pub(crate) fn listed_name(name: &str, encoding: Option<&dto::EncodingType>) -> String {
    if encoding.is_some_and(|encoding| encoding.as_str() == dto::EncodingType::URL) {
        utf8_percent_encode(name, PLAIN).to_string()
    } else {
        name.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_survive_the_wire() {
        for millis_in in [0, 1, 999, 1_700_000_000_123] {
            assert_eq!(millis(&timestamp(millis_in)), millis_in);
        }
    }

    #[test]
    fn listed_names_are_encoded_on_demand() {
        let url = dto::EncodingType::from_static(dto::EncodingType::URL);
        assert_eq!(listed_name("a b/ü+", None), "a b/ü+");
        assert_eq!(listed_name("a b/ü+", Some(&url)), "a%20b/%C3%BC%2B");
    }
}
