//! Showing the file behind an object, to those whom the server trusts with its
//! directory.

use std::path::PathBuf;

use kiln_store::objects::{ChecksumKind, ObjectIndexError};

use crate::{ObjectStore, S3Error};

/// The file that holds the bytes of an object as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlainBody {
    /// Its path. It never changes, and goes when the object does.
    pub path: PathBuf,
    /// Bytes.
    pub size: u64,
    /// The object's entity tag, quotes included.
    pub etag: String,
    /// The header that declares the checksum of all bytes, and its value.
    pub checksum: Option<(String, String)>,
}

impl ObjectStore {
    /// The file of an object; `None` when there is no such object, or its bytes
    /// are encrypted.
    ///
    /// # Errors
    /// A failure of the index.
    pub fn plain_body(&self, bucket: &str, key: &str) -> Result<Option<PlainBody>, S3Error> {
        let found = match self.index.object(bucket, key) {
            Err(ObjectIndexError::NoSuchBucket) => None,
            found => found?,
        };
        let plain = found.filter(|object| object.details.sealed.is_none());
        Ok(plain.map(|object| {
            let checksum = object.details.checksum;
            let whole = checksum.filter(|one| one.kind == ChecksumKind::FullObject);
            PlainBody {
                path: self.bodies.path(&object.body),
                size: object.size,
                etag: format!("\"{}\"", object.etag),
                checksum: whole.map(|one| {
                    let algorithm = one.algorithm.as_str().to_ascii_lowercase();
                    (format!("x-amz-checksum-{algorithm}"), one.value)
                }),
            }
        }))
    }
}
