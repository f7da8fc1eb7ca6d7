//! Checksums of whole objects, as a store declares them and as bytes have them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use crc_fast::CrcAlgorithm;
use md5::Digest as _;
use reqwest::header::HeaderMap;

/// MD5 runs at half a gigabyte a second: an object's tag is its MD5 more often
/// than not, but checking larger ones would cost more than fetching them.
const LARGEST_MD5: u64 = 8 << 20;

/// What the bytes of an object must add up to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Checksum {
    /// A cyclic redundancy check.
    Crc(CrcAlgorithm, u64),
    /// SHA-256.
    Sha256([u8; 32]),
    /// MD5.
    Md5([u8; 16]),
}

const CRCS: [(&str, CrcAlgorithm, usize); 3] = [
    ("x-amz-checksum-crc64nvme", CrcAlgorithm::Crc64Nvme, 8),
    ("x-amz-checksum-crc32c", CrcAlgorithm::Crc32Iscsi, 4),
    ("x-amz-checksum-crc32", CrcAlgorithm::Crc32IsoHdlc, 4),
];

impl Checksum {
    /// The quickest checksum of the whole object that an answer declares. Those
    /// of an object's parts say nothing about a body that is read as one.
    pub(super) fn declared(headers: &HeaderMap, size: Option<u64>) -> Option<Self> {
        let value = |name: &str| headers.get(name)?.to_str().ok();
        if value("x-amz-checksum-type") != Some("COMPOSITE") {
            let bytes = |name: &str| BASE64.decode(value(name)?).ok();
            let crc = |(name, ..): (&str, _, _)| Self::crc(name, value(name)?);
            if let Some(crc) = CRCS.into_iter().find_map(crc) {
                return Some(crc);
            }
            if let Some(sha) = bytes("x-amz-checksum-sha256") {
                return Some(Self::Sha256(sha.try_into().ok()?));
            }
        }
        let foreign_tag = value("x-amz-server-side-encryption").is_some_and(|by| by != "AES256")
            || headers.contains_key("x-amz-server-side-encryption-customer-algorithm");
        if foreign_tag || size.is_none_or(|size| size > LARGEST_MD5) {
            return None;
        }
        let tag = value("etag")?.trim_matches('"');
        Some(Self::Md5(sixteen_bytes(tag)?))
    }

    /// The redundancy check that a header of this name declares.
    #[must_use]
    pub fn crc(name: &str, value: &str) -> Option<Self> {
        let (_, algorithm, length) = CRCS.into_iter().find(|(known, ..)| *known == name)?;
        let bytes = BASE64.decode(value).ok();
        let bytes = bytes.filter(|bytes| bytes.len() == length)?;
        Some(Self::Crc(algorithm, big_endian(&bytes)))
    }

    /// A digest that can be compared with this checksum.
    pub(crate) fn digest(&self) -> Digest {
        match self {
            Self::Crc(algorithm, _) => Digest::Crc(crc_fast::Digest::new(*algorithm)),
            Self::Sha256(_) => Digest::Sha256(ring::digest::Context::new(&ring::digest::SHA256)),
            Self::Md5(_) => Digest::Md5(md5::Md5::new()),
        }
    }
}

fn big_endian(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

fn sixteen_bytes(hexadecimal: &str) -> Option<[u8; 16]> {
    let digits = hexadecimal.len() == 32 && hexadecimal.bytes().all(|b| b.is_ascii_hexdigit());
    let number = digits.then(|| u128::from_str_radix(hexadecimal, 16).ok())?;
    number.map(u128::to_be_bytes)
}

/// A checksum in the making.
pub(crate) enum Digest {
    Crc(crc_fast::Digest),
    Sha256(ring::digest::Context),
    Md5(md5::Md5),
}

impl Digest {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc(digest) => digest.update(bytes),
            Self::Sha256(digest) => digest.update(bytes),
            Self::Md5(digest) => digest.update(bytes),
        }
    }

    pub(crate) fn agrees(self, expected: &Checksum) -> bool {
        match (self, expected) {
            (Self::Crc(digest), Checksum::Crc(_, sum)) => digest.finalize() == *sum,
            (Self::Sha256(digest), Checksum::Sha256(sum)) => digest.finish().as_ref() == sum,
            (Self::Md5(digest), Checksum::Md5(sum)) => digest.finalize().as_slice() == sum,
            _ => false,
        }
    }
}

/// The tag of an object that was put together from parts with these tags: the
/// MD5 of their MD5s, and their number. `None` when a tag is no MD5.
pub(super) fn tag_of_parts(tags: &[String]) -> Option<String> {
    let mut digest = md5::Md5::new();
    for tag in tags {
        digest.update(sixteen_bytes(tag.trim_matches('"'))?);
    }
    let sum = digest.finalize();
    let number = sum
        .iter()
        .fold(0, |sum: u128, byte| sum << 8 | u128::from(*byte));
    Some(format!("{number:032x}-{}", tags.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"123456789";

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let parsed = pairs
            .iter()
            .map(|(name, value)| ((*name).parse().unwrap(), value.parse().unwrap()));
        parsed.collect()
    }

    #[test]
    fn every_declared_checksum_is_understood_and_checked() {
        let cases = [
            ("x-amz-checksum-crc32", "y/Q5Jg=="),
            ("x-amz-checksum-crc32c", "4waSgw=="),
            ("x-amz-checksum-crc64nvme", "rosUhgp5mIg="),
            (
                "x-amz-checksum-sha256",
                "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=",
            ),
            ("etag", "\"25f9e794323b453885f5181f1b624d0b\""),
        ];
        for (name, value) in cases {
            let expected = Checksum::declared(&headers(&[(name, value)]), Some(9));
            let expected = expected.expect(name);
            for (text, agrees) in [(TEXT, true), (b"123456780", false)] {
                let mut digest = expected.digest();
                digest.update(&text[..4]);
                digest.update(&text[4..]);
                assert_eq!(digest.agrees(&expected), agrees, "{name}");
            }
        }
    }

    #[test]
    fn what_says_nothing_about_the_whole_body_is_not_used() {
        let md5 = ("etag", "\"25f9e794323b453885f5181f1b624d0b\"");
        let cases: [&[(&'static str, &str)]; 4] = [
            &[("etag", "\"25f9e794323b453885f5181f1b624d0b-2\"")],
            &[md5, ("x-amz-server-side-encryption", "aws:kms")],
            &[
                ("x-amz-checksum-type", "COMPOSITE"),
                ("x-amz-checksum-crc32", "y/Q5Jg=="),
            ],
            &[("x-amz-checksum-crc32", "y/Q5Jg==-3")],
        ];
        for case in cases {
            assert_eq!(
                Checksum::declared(&headers(case), Some(9)),
                None,
                "{case:?}"
            );
        }
        assert_eq!(Checksum::declared(&headers(&[md5]), Some(1 << 30)), None);
        let encrypted = headers(&[md5, ("x-amz-server-side-encryption", "AES256")]);
        assert!(Checksum::declared(&encrypted, Some(9)).is_some());
    }

    #[test]
    fn a_tag_of_parts_is_the_md5_of_md5s() {
        let part = "\"25f9e794323b453885f5181f1b624d0b\"".to_owned();
        let tag = tag_of_parts(&[part.clone(), part]).unwrap();
        assert_eq!(tag, "4f2908c19b573e50b194e208c928de17-2");
        assert_eq!(tag_of_parts(&["\"x\"".to_owned()]), None);
    }
}
