//! The tags of an object, which change without the object being stored anew.

use std::collections::BTreeMap;

use rusqlite::params;

use super::{ObjectIndex, ObjectIndexError, Result, buckets, find};

impl ObjectIndex {
    /// Replaces the tags of an object.
    ///
    /// # Errors
    /// `NoSuchBucket`, `NoSuchKey`, or a failure of the database.
    pub async fn set_tags(
        &self,
        bucket: &str,
        key: &str,
        tags: BTreeMap<String, String>,
    ) -> Result<()> {
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        self.database
            .write(move |tx| {
                buckets::require(tx, &bucket)?;
                let mut details = find(tx, &bucket, &key)?
                    .ok_or(ObjectIndexError::NoSuchKey)?
                    .details;
                details.tags = tags;
                tx.execute(
                    "UPDATE objects SET details = ?3 WHERE bucket = ?1 AND key = ?2",
                    params![bucket, key.as_bytes(), serde_json::to_string(&details)?],
                )?;
                Ok(())
            })
            .await
    }
}
