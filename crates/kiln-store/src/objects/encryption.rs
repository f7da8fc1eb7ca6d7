//! How objects are encrypted at rest, and what a bucket says of the objects
//! whose requests do not say.
//!
//! The index holds data keys only in the wrapped form that it is given; the
//! key that opens them is not here.

use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::{ObjectIndex, ObjectIndexError, Result};

/// The method and key of server-side encryption.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "algorithm")]
pub enum Encryption {
    /// `AES256`: by the server's own key.
    #[serde(rename = "AES256")]
    Aes256,
    /// `aws:kms`: by a key that has a name.
    #[serde(rename = "aws:kms")]
    Kms {
        /// The ARN of the key.
        key: String,
        /// Whether the client asked for a bucket key.
        bucket_key: bool,
    },
}

/// What it takes to read an encrypted body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// How it is encrypted.
    pub encryption: Encryption,
    /// The pieces that it was written in, in order: one, or one for each part.
    pub segments: Vec<Segment>,
}

/// A piece of a body that has a data key of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// The number of bytes before encryption.
    pub size: u64,
    /// The data key, wrapped.
    pub data_key: String,
}

impl ObjectIndex {
    /// Whether any object is encrypted. This looks at all of them.
    ///
    /// # Errors
    /// A failure of the database.
    pub fn holds_sealed(&self) -> Result<bool> {
        self.database.read(|connection| {
            let query =
                "SELECT EXISTS (SELECT 1 FROM objects WHERE details ->> '$.sealed' IS NOT NULL)";
            Ok(connection.query_row(query, [], |row| row.get(0))?)
        })
    }

    /// How the bucket has objects encrypted whose requests do not say.
    ///
    /// # Errors
    /// `NoSuchBucket`, or a failure of the database.
    pub fn bucket_encryption(&self, bucket: &str) -> Result<Option<Encryption>> {
        let stored: Option<String> = self.database.read(|connection| {
            connection
                .prepare_cached("SELECT encryption FROM buckets WHERE name = ?1")?
                .query_row([bucket], |row| row.get(0))
                .optional()?
                .ok_or(ObjectIndexError::NoSuchBucket)
        })?;
        let encryption = stored.as_deref().map(serde_json::from_str);
        Ok(encryption.transpose()?)
    }

    /// Sets or, with `None`, forgets how the bucket has objects encrypted whose
    /// requests do not say.
    ///
    /// # Errors
    /// `NoSuchBucket`, or a failure of the database.
    pub async fn set_bucket_encryption(
        &self,
        bucket: &str,
        encryption: Option<Encryption>,
    ) -> Result<()> {
        let bucket = bucket.to_owned();
        let encryption = encryption.as_ref().map(serde_json::to_string).transpose()?;
        self.database
            .write(move |tx| {
                let changed = tx.execute(
                    "UPDATE buckets SET encryption = ?2 WHERE name = ?1",
                    params![bucket, encryption],
                )?;
                if changed == 0 {
                    return Err(ObjectIndexError::NoSuchBucket);
                }
                Ok(())
            })
            .await
    }
}
