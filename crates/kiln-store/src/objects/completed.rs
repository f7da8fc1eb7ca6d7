//! Multipart uploads that have become objects, remembered for a day: a client
//! that has lost the answer asks again and is told the same.

use rusqlite::{OptionalExtension, Transaction, params};
use serde::{Deserialize, Serialize};

use super::{Checksum, Encryption, Object, ObjectIndex, Result};

/// How long a completed upload is remembered.
const MEMORY_MS: i64 = 24 * 60 * 60 * 1000;

/// What the completion of an upload was answered with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompletedUpload {
    /// The object's entity tag.
    pub etag: String,
    /// The object's checksum.
    pub checksum: Option<Checksum>,
    /// How the object is encrypted.
    pub encryption: Option<Encryption>,
}

impl ObjectIndex {
    /// The upload of this identity, if it became an object not long ago.
    ///
    /// # Errors
    /// A failure of the database.
    pub fn completed_upload(
        &self,
        bucket: &str,
        key: &str,
        id: &str,
    ) -> Result<Option<CompletedUpload>> {
        let stored: Option<String> = self.database.read(|connection| {
            let mut query = connection.prepare_cached(
                "SELECT answer FROM completed_uploads WHERE id = ?1 AND bucket = ?2 AND key = ?3",
            )?;
            let found = query.query_row(params![id, bucket, key.as_bytes()], |row| row.get(0));
            Ok::<_, super::ObjectIndexError>(found.optional()?)
        })?;
        let completed = stored.as_deref().map(serde_json::from_str);
        Ok(completed.transpose()?)
    }
}

/// Remembers an upload that ends with this object, and forgets old ones.
pub(super) fn remember(
    tx: &Transaction<'_>,
    (bucket, key, id): (&str, &str, &str),
    object: &Object,
) -> Result<()> {
    let sealed = object.details.sealed.as_ref();
    let answer = serde_json::to_string(&CompletedUpload {
        etag: object.etag.clone(),
        checksum: object.details.checksum.clone(),
        encryption: sealed.map(|sealed| sealed.encryption.clone()),
    })?;
    tx.prepare_cached("DELETE FROM completed_uploads WHERE ended_ms < ?1")?
        .execute([object.modified_ms.saturating_sub(MEMORY_MS)])?;
    tx.prepare_cached("INSERT INTO completed_uploads VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![
            id,
            bucket,
            key.as_bytes(),
            object.modified_ms,
            answer
        ])?;
    Ok(())
}
