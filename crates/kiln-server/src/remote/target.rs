//! What each operation is about and what it carries, as the protocol crate has
//! read it: the very same that the authority has judged.

use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto::*;
use s3s::xml::{Serialize, Serializer};
use s3s::{S3Error, S3Result};

/// What stays as it is in the name of a copy's source.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');

/// A bucket, an object, or the whole store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) bucket: Option<String>,
    pub(super) key: Option<String>,
}

/// What a request brings along besides its head.
pub(super) enum Carried {
    Nothing,
    /// The name of what is to be copied, as a header has it.
    Source(String),
    /// An object's bytes.
    Bytes(Option<StreamingBlob>),
    /// A document, which the request's checksums are of.
    Document(Bytes),
    /// The list of an upload's parts; the request's checksums are the object's.
    Parts(Bytes),
}

/// The input of an operation that is sent on.
pub(super) trait Target: Send + Sync {
    fn place(&self) -> Place;

    fn carried(&mut self) -> S3Result<Carried> {
        Ok(Carried::Nothing)
    }

    /// Whether nothing is left of what was asked for.
    fn is_empty(&self) -> bool {
        false
    }
}

impl Target for ListBucketsInput {
    fn place(&self) -> Place {
        Place::default()
    }
}

/// Says that inputs are about a bucket or an object, and what they carry.
macro_rules! targets {
    ($(bucket $input:ident $(carries $carried:expr)?;)*) => {
        $(impl Target for $input {
            fn place(&self) -> Place {
                Place { bucket: Some(self.bucket.clone()), key: None }
            }
            $(fn carried(&mut self) -> S3Result<Carried> { $carried(self) })?
        })*
    };
    ($(object $input:ident $(carries $carried:expr)?;)*) => {
        $(impl Target for $input {
            fn place(&self) -> Place {
                Place { bucket: Some(self.bucket.clone()), key: Some(self.key.clone()) }
            }
            $(fn carried(&mut self) -> S3Result<Carried> { $carried(self) })?
        })*
    };
}

targets! {
    bucket CreateBucketInput carries |input: &mut Self| {
        let configuration = input.create_bucket_configuration.as_ref();
        configuration.map_or(Ok(Carried::Nothing), |it| Ok(Carried::Document(document(it)?)))
    };
    bucket DeleteBucketInput;
    bucket GetBucketLocationInput;
    bucket HeadBucketInput;
    bucket ListMultipartUploadsInput;
    bucket ListObjectsInput;
    bucket ListObjectsV2Input;
    bucket GetBucketEncryptionInput;
    bucket DeleteBucketEncryptionInput;
    bucket PutBucketEncryptionInput carries |input: &mut Self| {
        Ok(Carried::Document(document(&input.server_side_encryption_configuration)?))
    };
}

targets! {
    object AbortMultipartUploadInput;
    object CreateMultipartUploadInput;
    object DeleteObjectInput;
    object DeleteObjectTaggingInput;
    object GetObjectInput;
    object GetObjectAttributesInput;
    object GetObjectTaggingInput;
    object HeadObjectInput;
    object ListPartsInput;
    object CompleteMultipartUploadInput carries |input: &mut Self| {
        let parts = input.multipart_upload.as_ref();
        parts.map_or(Ok(Carried::Nothing), |it| Ok(Carried::Parts(document(it)?)))
    };
    object CopyObjectInput carries |input: &mut Self| source(&input.copy_source);
    object UploadPartCopyInput carries |input: &mut Self| source(&input.copy_source);
    object PutObjectInput carries |input: &mut Self| Ok(Carried::Bytes(input.body.take()));
    object UploadPartInput carries |input: &mut Self| Ok(Carried::Bytes(input.body.take()));
    object PutObjectTaggingInput carries |input: &mut Self| {
        Ok(Carried::Document(document(&input.tagging)?))
    };
}

impl Target for DeleteObjectsInput {
    fn place(&self) -> Place {
        Place {
            bucket: Some(self.bucket.clone()),
            key: None,
        }
    }

    fn carried(&mut self) -> S3Result<Carried> {
        Ok(Carried::Document(document(&self.delete)?))
    }

    fn is_empty(&self) -> bool {
        self.delete.objects.is_empty()
    }
}

/// A document as S3 writes it.
fn document(value: &impl Serialize) -> S3Result<Bytes> {
    let mut text = Vec::with_capacity(256);
    let mut serializer = Serializer::new(&mut text);
    let written = serializer
        .decl()
        .and_then(|()| value.serialize(&mut serializer));
    written.map_err(S3Error::internal_error)?;
    Ok(text.into())
}

fn source(source: &CopySource) -> S3Result<Carried> {
    let CopySource::Bucket {
        bucket,
        key,
        version_id,
    } = source
    else {
        return Err(super::invalid("Copies from access points are not relayed."));
    };
    if let Some(version) = version_id
        && &**version != "null"
    {
        return Err(super::invalid("Versions of objects are not relayed."));
    }
    let name = format!("{bucket}/{key}");
    Ok(Carried::Source(
        utf8_percent_encode(&name, PLAIN).to_string(),
    ))
}
