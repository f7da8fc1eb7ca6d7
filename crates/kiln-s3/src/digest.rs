//! Digests of bodies: MD5 for the entity tag, and the checksums that clients
//! ask for, declare, and combine over the parts of an upload.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use crc_fast::CrcAlgorithm;
use kiln_store::objects::{Checksum, ChecksumAlgorithm, ChecksumKind};
use md5::{Digest as _, Md5};
use s3s::checksum::ChecksumHasher;
use s3s::crypto::Checksum as _;
use s3s::{S3ErrorCode, dto};
use uuid::Uuid;

use crate::S3Error;

/// The algorithm for objects whose client named none, as in S3.
pub(crate) const DEFAULT_ALGORITHM: ChecksumAlgorithm = ChecksumAlgorithm::Crc64Nvme;

/// Computes MD5, where it is wanted, and any set of checksums in one pass.
pub(crate) struct Hasher {
    md5: Option<Md5>,
    opaque: bool,
    checksums: ChecksumHasher,
}

/// What a [`Hasher`] found.
#[derive(Debug)]
pub(crate) struct Digests {
    md5: Option<[u8; 16]>,
    tag: [u8; 16],
    checksums: dto::Checksum,
}

impl Hasher {
    /// A hasher of MD5 and of these algorithms.
    pub(crate) fn new(algorithms: &[ChecksumAlgorithm]) -> Self {
        let mut checksums = ChecksumHasher::default();
        for algorithm in algorithms {
            match algorithm {
                ChecksumAlgorithm::Crc32 => checksums.crc32 = Some(s3s::crypto::Crc32::new()),
                ChecksumAlgorithm::Crc32c => checksums.crc32c = Some(s3s::crypto::Crc32c::new()),
                ChecksumAlgorithm::Crc64Nvme => {
                    checksums.crc64nvme = Some(s3s::crypto::Crc64Nvme::new());
                }
                ChecksumAlgorithm::Sha1 => checksums.sha1 = Some(s3s::crypto::Sha1::new()),
                ChecksumAlgorithm::Sha256 => checksums.sha256 = Some(s3s::crypto::Sha256::new()),
            }
        }
        Self {
            md5: Some(Md5::new()),
            opaque: false,
            checksums,
        }
    }

    /// A hasher for a body whose entity tag is to say nothing of its bytes. It
    /// spares the MD5, unless that is to be `verified`.
    pub(crate) fn opaque(algorithms: &[ChecksumAlgorithm], verified: bool) -> Self {
        let hasher = Self::new(algorithms);
        Self {
            md5: hasher.md5.filter(|_| verified),
            opaque: true,
            ..hasher
        }
    }

    /// Takes in the next bytes.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        if let Some(md5) = &mut self.md5 {
            md5.update(bytes);
        }
        self.checksums.update(bytes);
    }

    /// The digests of all that was taken in.
    pub(crate) fn finish(self) -> Digests {
        let md5 = self.md5.map(|md5| md5.finalize().into());
        Digests {
            md5,
            tag: md5
                .filter(|_| !self.opaque)
                .unwrap_or_else(|| *Uuid::new_v4().as_bytes()),
            checksums: self.checksums.finalize(),
        }
    }
}

impl Digests {
    /// The entity tag of an object that was stored in one piece.
    pub(crate) fn etag(&self) -> String {
        hex::encode(self.tag)
    }

    /// The checksum by `algorithm`, if the hasher computed it.
    pub(crate) fn checksum(&self, algorithm: ChecksumAlgorithm) -> Option<Checksum> {
        let sums = &self.checksums;
        let value = match algorithm {
            ChecksumAlgorithm::Crc32 => &sums.checksum_crc32,
            ChecksumAlgorithm::Crc32c => &sums.checksum_crc32c,
            ChecksumAlgorithm::Crc64Nvme => &sums.checksum_crc64nvme,
            ChecksumAlgorithm::Sha1 => &sums.checksum_sha1,
            ChecksumAlgorithm::Sha256 => &sums.checksum_sha256,
        };
        Some(Checksum {
            algorithm,
            kind: ChecksumKind::FullObject,
            value: value.clone()?,
        })
    }
}

/// What a client says of a body; all of it must be true.
#[derive(Debug, Default)]
pub(crate) struct Declared {
    /// The number of bytes.
    pub(crate) length: Option<u64>,
    /// `Content-MD5`, in base64.
    pub(crate) md5: Option<String>,
    /// Checksums, in base64.
    pub(crate) checksums: Vec<(ChecksumAlgorithm, String)>,
}

impl Declared {
    /// Checks what was found against what was declared.
    pub(crate) fn verify(&self, length: u64, digests: &Digests) -> Result<(), S3Error> {
        if self.length.is_some_and(|declared| declared != length) {
            return Err(S3Error::refused(
                S3ErrorCode::IncompleteBody,
                "You did not provide the number of bytes specified by the Content-Length HTTP header.",
            ));
        }
        if let Some(declared) = &self.md5 {
            check_md5(declared, digests.md5)?;
        }
        for (algorithm, declared) in &self.checksums {
            let found = digests.checksum(*algorithm).map(|sum| sum.value);
            if found.as_deref() != Some(declared) {
                return Err(bad_digest(algorithm.as_str()));
            }
        }
        Ok(())
    }
}

fn check_md5(declared: &str, found: Option<[u8; 16]>) -> Result<(), S3Error> {
    match BASE64.decode(declared) {
        Ok(bytes) if bytes.len() == 16 => {
            if found.is_some_and(|found| bytes == found) {
                Ok(())
            } else {
                Err(bad_digest("Content-MD5"))
            }
        }
        _ => Err(S3Error::refused(
            S3ErrorCode::InvalidDigest,
            "The Content-MD5 you specified is not valid.",
        )),
    }
}

pub(crate) fn bad_digest(what: &str) -> S3Error {
    S3Error::refused(
        S3ErrorCode::BadDigest,
        format!("The {what} you specified did not match the calculated checksum."),
    )
}

/// An entity tag that says nothing of the bytes, as of objects that KMS encrypts.
pub(crate) fn opaque_tag() -> String {
    Uuid::new_v4().simple().to_string()
}

/// The entity tag of an object made of parts with these entity tags: the MD5
/// of their MD5s and the number of parts.
pub(crate) fn multipart_etag(etags: &[&str]) -> String {
    let mut md5 = Md5::new();
    for etag in etags {
        // Parts' tags are made by `Digests::etag`; others count as nothing.
        md5.update(hex::decode(etag).unwrap_or_default());
    }
    format!("{}-{}", hex::encode(md5.finalize()), etags.len())
}

/// The checksum of an object made of parts of these lengths and checksums, or
/// `None` where the parts' checksums do not make one.
pub(crate) fn combine(
    algorithm: ChecksumAlgorithm,
    kind: ChecksumKind,
    parts: &[(u64, &Checksum)],
) -> Option<Checksum> {
    let value = match kind {
        ChecksumKind::FullObject => combine_full(algorithm, parts)?,
        ChecksumKind::Composite => combine_composite(algorithm, parts)?,
    };
    Some(Checksum {
        algorithm,
        kind,
        value,
    })
}

fn combine_full(algorithm: ChecksumAlgorithm, parts: &[(u64, &Checksum)]) -> Option<String> {
    let (crc, width) = match algorithm {
        ChecksumAlgorithm::Crc32 => (CrcAlgorithm::Crc32IsoHdlc, 4),
        ChecksumAlgorithm::Crc32c => (CrcAlgorithm::Crc32Iscsi, 4),
        ChecksumAlgorithm::Crc64Nvme => (CrcAlgorithm::Crc64Nvme, 8),
        ChecksumAlgorithm::Sha1 | ChecksumAlgorithm::Sha256 => return None,
    };
    let mut whole = crc_fast::checksum(crc, b"");
    for (length, part) in parts {
        let bytes = BASE64.decode(&part.value).ok()?;
        let value = bytes
            .iter()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        whole = crc_fast::checksum_combine(crc, whole, value, *length);
    }
    Some(BASE64.encode(&whole.to_be_bytes()[8 - width..]))
}

fn combine_composite(algorithm: ChecksumAlgorithm, parts: &[(u64, &Checksum)]) -> Option<String> {
    let mut hasher = Hasher::new(&[algorithm]);
    for (_, part) in parts {
        hasher.update(&BASE64.decode(&part.value).ok()?);
    }
    let value = hasher.finish().checksum(algorithm)?.value;
    Some(format!("{value}-{}", parts.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn digests(bytes: &[u8]) -> Digests {
        let mut hasher = Hasher::new(&ChecksumAlgorithm::ALL);
        hasher.update(bytes);
        hasher.finish()
    }

    #[test]
    fn digests_are_those_of_the_standards() {
        let found = digests(b"123456789");
        assert_eq!(found.etag(), "25f9e794323b453885f5181f1b624d0b");
        let value = |algorithm| {
            let sum = found.checksum(algorithm).unwrap().value;
            hex::encode(BASE64.decode(sum).unwrap())
        };
        assert_eq!(value(ChecksumAlgorithm::Crc32), "cbf43926");
        assert_eq!(value(ChecksumAlgorithm::Crc32c), "e3069283");
        assert_eq!(value(ChecksumAlgorithm::Crc64Nvme), "ae8b14860a799888");
        assert_eq!(
            value(ChecksumAlgorithm::Sha1),
            "f7c3bc1d808e04732adf679965ccc34ca7ae3441"
        );
    }

    #[test]
    fn an_opaque_tag_says_nothing_and_hides_no_lie() {
        let finish = |verified| {
            let mut hasher = Hasher::opaque(&[ChecksumAlgorithm::Crc32], verified);
            hasher.update(b"hello");
            hasher.finish()
        };
        let tags = [
            finish(true).etag(),
            finish(false).etag(),
            digests(b"hello").etag(),
        ];
        assert!(tags[0] != tags[1] && tags[1] != tags[2] && tags[0] != tags[2]);
        assert!(tags.iter().all(|tag| tag.len() == 32));
        let declared = |md5: &str| Declared {
            md5: Some(md5.to_owned()),
            checksums: vec![(ChecksumAlgorithm::Crc32, "NhCmhg==".to_owned())],
            ..Declared::default()
        };
        let right = declared("XUFAKrxLKna5cZ2REBfFkg==");
        assert!(right.verify(5, &finish(true)).is_ok());
        assert!(
            declared("AUFAKrxLKna5cZ2REBfFkg==")
                .verify(5, &finish(true))
                .is_err()
        );
    }

    #[test]
    fn what_is_declared_must_be_true() {
        let found = digests(b"hello");
        let code = |declared: Declared| match declared.verify(5, &found) {
            Ok(()) => "fine".to_owned(),
            Err(S3Error::Refused { code, .. }) => code.as_str().to_owned(),
            Err(other) => other.to_string(),
        };
        let md5 = |text: &str| Declared {
            md5: Some(text.to_owned()),
            ..Declared::default()
        };
        let crc = |text: &str| Declared {
            checksums: vec![(ChecksumAlgorithm::Crc32, text.to_owned())],
            ..Declared::default()
        };
        let length = |length| Declared {
            length: Some(length),
            ..Declared::default()
        };
        assert_eq!(code(Declared::default()), "fine");
        assert_eq!(code(md5("XUFAKrxLKna5cZ2REBfFkg==")), "fine");
        assert_eq!(code(md5("AUFAKrxLKna5cZ2REBfFkg==")), "BadDigest");
        assert_eq!(code(md5("not base64")), "InvalidDigest");
        assert_eq!(code(md5("AAAA")), "InvalidDigest");
        assert_eq!(code(crc("NhCmhg==")), "fine");
        assert_eq!(code(crc("AAAAAA==")), "BadDigest");
        assert_eq!(code(length(5)), "fine");
        assert_eq!(code(length(6)), "IncompleteBody");
    }

    #[test]
    fn the_etag_of_parts_names_their_number() {
        let (one, two) = (digests(b"hello").etag(), digests(b"world").etag());
        assert_eq!(
            multipart_etag(&[&one, &two]),
            "065947336a2f2a95ba8899f3675c3be6-2"
        );
    }

    proptest! {
        #[test]
        fn the_parts_make_the_checksum_of_the_whole(
            parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 1..6),
        ) {
            let whole = digests(&parts.concat());
            for algorithm in [
                ChecksumAlgorithm::Crc32, ChecksumAlgorithm::Crc32c, ChecksumAlgorithm::Crc64Nvme,
            ] {
                let sums: Vec<_> = parts
                    .iter()
                    .map(|part| (part.len() as u64, digests(part).checksum(algorithm).unwrap()))
                    .collect();
                let sums: Vec<_> = sums.iter().map(|(length, sum)| (*length, sum)).collect();
                prop_assert_eq!(
                    combine(algorithm, ChecksumKind::FullObject, &sums),
                    whole.checksum(algorithm)
                );
            }
        }
    }
}
