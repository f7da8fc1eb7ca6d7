//! Putting an object in one piece.

use kiln_store::objects::{ChecksumAlgorithm, Encryption, Object, Sealed, Segment};
use s3s::dto::{PutObjectInput, PutObjectOutput, StreamingBlob};
use s3s::{S3ErrorCode, S3Request, TrailingHeaders};

use super::describe::details_of;
use crate::digest::{DEFAULT_ALGORITHM, Declared, Hasher};
use crate::encryption::{asked_of, fill_encryption, hides_tag};
use crate::ingest::Stored;
use crate::sealing::Place;
use crate::service::Site;
use crate::store::now_ms;
use crate::wire::{declared_checksums, fill_checksum};
use crate::{ObjectStore, S3Error, conditions, ingest, wire};

/// The header that names what follows the body.
const TRAILER_HEADER: &str = "x-amz-trailer";
/// The prefix of the checksums' header and trailer names.
const CHECKSUM_HEADER: &str = "x-amz-checksum-";

pub(crate) async fn put(
    store: &ObjectStore,
    site: &Site,
    mut req: S3Request<PutObjectInput>,
) -> Result<PutObjectOutput, S3Error> {
    let upload = Incoming {
        body: req.input.body.take(),
        declared: Declared {
            length: declared_length(req.input.content_length),
            md5: req.input.content_md5.take(),
            checksums: declared_checksums!(req.input),
        },
        wanted: wire::algorithm(req.input.checksum_algorithm.as_ref()),
        trailer: announced_trailer(&req.headers),
        trailers: req.trailing_headers.take(),
    };
    let input = req.input;
    let mut details = details_of!(&input)?;
    // A bucket that is not there is said before the body is taken in.
    let default = store.index.bucket_encryption(&input.bucket)?;
    let encryption = asked_of!(input).decide(site, default)?;
    let precondition = conditions::precondition(input.if_match, input.if_none_match)?;
    let place = Place {
        bucket: input.bucket,
        key: input.key,
    };
    let taken_in = upload.take_in(store, &place, encryption.as_ref(), DEFAULT_ALGORITHM);
    let (stored, algorithm) = taken_in.await?;

    let checksum = stored.digests.checksum(algorithm);
    let etag = stored.digests.etag();
    details.checksum.clone_from(&checksum);
    details.sealed = sealed(encryption.clone(), stored.segment);
    let describe = |body| Object {
        body,
        size: stored.size,
        etag: etag.clone(),
        modified_ms: now_ms(),
        details,
    };
    store
        .commit(&place, stored.draft, describe, precondition)
        .await?;

    let mut output = PutObjectOutput {
        e_tag: Some(wire::etag(&etag)),
        checksum_type: wire::checksum_type_of(checksum.as_ref()),
        ssekms_encryption_context: input.ssekms_encryption_context,
        ..PutObjectOutput::default()
    };
    fill_checksum!(output, &checksum);
    fill_encryption!(output, &encryption);
    Ok(output)
}

/// A body on its way in, with all that its request says of it.
pub(super) struct Incoming {
    pub(super) body: Option<StreamingBlob>,
    pub(super) declared: Declared,
    /// The algorithm that `x-amz-sdk-checksum-algorithm` names.
    pub(super) wanted: Option<ChecksumAlgorithm>,
    /// The algorithm whose value follows the body.
    pub(super) trailer: Option<ChecksumAlgorithm>,
    pub(super) trailers: Option<TrailingHeaders>,
}

/// What it takes to read a body that was written in one segment.
pub(super) fn sealed(encryption: Option<Encryption>, segment: Option<Segment>) -> Option<Sealed> {
    encryption.zip(segment).map(|(encryption, segment)| Sealed {
        encryption,
        segments: vec![segment],
    })
}

impl Incoming {
    /// Writes, verifies and flushes the body, sealed for its place if it is to
    /// be encrypted. Also returns the algorithm of the checksum to keep: the one
    /// that the client uses, else `default`.
    pub(super) async fn take_in(
        mut self,
        store: &ObjectStore,
        place: &Place,
        encryption: Option<&Encryption>,
        default: ChecksumAlgorithm,
    ) -> Result<(Stored, ChecksumAlgorithm), S3Error> {
        let declared = self.declared.checksums.first().map(|(name, _)| *name);
        let kept = declared.or(self.trailer).or(self.wanted).unwrap_or(default);
        let mut algorithms: Vec<_> = self
            .declared
            .checksums
            .iter()
            .map(|(name, _)| *name)
            .collect();
        algorithms.extend(self.trailer);
        algorithms.extend([kept, default]);
        let hasher = if hides_tag(encryption) {
            Hasher::opaque(&algorithms, self.declared.md5.is_some())
        } else {
            Hasher::new(&algorithms)
        };
        let sealer = store.sealer(encryption, place)?;
        let received = ingest::receive(&store.bodies, self.body.take(), hasher, sealer).await?;
        if let Some(algorithm) = self.trailer {
            let value = trailing_checksum(self.trailers.as_ref(), algorithm)?;
            self.declared.checksums.push((algorithm, value));
        }
        self.declared.verify(received.size(), received.digests())?;
        Ok((received.persist().await?, kept))
    }
}

pub(super) fn declared_length(header: Option<i64>) -> Option<u64> {
    header.and_then(|length| u64::try_from(length).ok())
}

/// The checksum that `x-amz-trailer` says will follow the body.
pub(super) fn announced_trailer(headers: &http::HeaderMap) -> Option<ChecksumAlgorithm> {
    let names = headers.get(TRAILER_HEADER)?.to_str().ok()?;
    names.split(',').find_map(|name| {
        let name = name.trim().to_ascii_lowercase();
        let algorithm = name.strip_prefix(CHECKSUM_HEADER)?;
        ChecksumAlgorithm::from_name(&algorithm.to_ascii_uppercase())
    })
}

fn trailing_checksum(
    trailers: Option<&TrailingHeaders>,
    algorithm: ChecksumAlgorithm,
) -> Result<String, S3Error> {
    let name = format!(
        "{CHECKSUM_HEADER}{}",
        algorithm.as_str().to_ascii_lowercase()
    );
    let read = |headers: &http::HeaderMap| {
        let value = headers.get(name.as_str())?.to_str().ok()?;
        Some(value.to_owned())
    };
    trailers
        .and_then(|trailers| trailers.read(read).flatten())
        .ok_or_else(|| {
            S3Error::refused(
                S3ErrorCode::InvalidRequest,
                format!("The trailer {name} was announced and is missing"),
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trailer_names_its_algorithm() {
        let announced = |value: &'static str| {
            let mut headers = http::HeaderMap::new();
            headers.insert(TRAILER_HEADER, http::HeaderValue::from_static(value));
            announced_trailer(&headers)
        };
        assert_eq!(
            announced("x-amz-checksum-crc32c"),
            Some(ChecksumAlgorithm::Crc32c)
        );
        assert_eq!(
            announced("x-other, X-Amz-Checksum-Sha256"),
            Some(ChecksumAlgorithm::Sha256)
        );
        assert_eq!(announced("x-amz-checksum-md4"), None);
    }
}
