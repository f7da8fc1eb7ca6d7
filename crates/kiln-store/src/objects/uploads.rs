//! Multipart uploads: parts arrive in any order and become one object at once.

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::{Deserialize, Serialize};

use super::list::{behind_prefix, key_of};
use super::{
    Checksum, ChecksumAlgorithm, ChecksumKind, Encryption, ListQuery, Object, ObjectDetails,
    ObjectIndex, ObjectIndexError, Precondition, Result, buckets, completed, replace,
};

/// From an upload on, in order; a range of the primary key.
pub(super) const RANGE: &str = "SELECT key, id, initiated_ms, details FROM uploads
     WHERE bucket = ?1 AND (key, id) > (?2, ?3) AND key < ?4 ORDER BY key, id";

/// An upload that has begun and not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// Its identity.
    pub id: String,
    /// The key that the object will have.
    pub key: String,
    /// When it began, in milliseconds since 1970.
    pub initiated_ms: i64,
    /// What the object will be described as.
    pub object: ObjectDetails,
    /// The algorithm of the parts' checksums.
    pub algorithm: ChecksumAlgorithm,
    /// How the parts' checksums make the object's.
    pub kind: ChecksumKind,
    /// How the object and its parts are encrypted.
    pub encryption: Option<Encryption>,
}

/// The part of an upload that is kept as one JSON document.
#[derive(Serialize, Deserialize)]
struct UploadDetails {
    object: ObjectDetails,
    algorithm: ChecksumAlgorithm,
    kind: ChecksumKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    encryption: Option<Encryption>,
}

/// One part that has arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its place among the parts.
    pub number: u32,
    /// The name of the file that holds the bytes.
    pub body: String,
    /// The number of bytes.
    pub size: u64,
    /// 16 bytes in hexadecimal: the MD5 of the part, or random ones when KMS encrypts it.
    pub etag: String,
    /// When it arrived, in milliseconds since 1970.
    pub modified_ms: i64,
    /// Its checksum by the upload's algorithm.
    pub checksum: Checksum,
    /// The wrapped data key of an encrypted part.
    pub data_key: Option<String>,
}

/// One page of the unfinished uploads of a bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UploadPage {
    /// Uploads in the order of their keys and then of their identities.
    pub uploads: Vec<Upload>,
    /// Common prefixes, in order.
    pub common_prefixes: Vec<String>,
    /// Where the next page begins: the key or common prefix and, unless the
    /// page ended with a common prefix, the identity it ended with.
    pub next: Option<(String, Option<String>)>,
}

impl ObjectIndex {
    /// Begins an upload.
    ///
    /// # Errors
    /// `NoSuchBucket`, or a failure of the database.
    pub async fn create_upload(&self, bucket: &str, upload: Upload) -> Result<()> {
        let bucket = bucket.to_owned();
        self.database
            .write(move |tx| {
                buckets::require(tx, &bucket)?;
                let details = serde_json::to_string(&UploadDetails {
                    object: upload.object,
                    algorithm: upload.algorithm,
                    kind: upload.kind,
                    encryption: upload.encryption,
                })?;
                tx.execute(
                    "INSERT INTO uploads VALUES (?1, ?2, ?3, ?4, ?5)",
                    params![
                        bucket,
                        upload.key.as_bytes(),
                        upload.id,
                        upload.initiated_ms,
                        details
                    ],
                )?;
                Ok(())
            })
            .await
    }

    /// The unfinished upload with this identity and key.
    ///
    /// # Errors
    /// `NoSuchBucket`, `NoSuchUpload`, or a failure of the database.
    pub fn upload(&self, bucket: &str, key: &str, id: &str) -> Result<Upload> {
        self.database.read(|connection| {
            buckets::require(connection, bucket)?;
            find(connection, bucket, key, id)
        })
    }

    /// Adds a part to an upload. Returns the body of the part it replaces.
    ///
    /// # Errors
    /// `NoSuchUpload`, or a failure of the database.
    pub async fn put_part(&self, upload: &str, part: Part) -> Result<Option<String>> {
        let upload = upload.to_owned();
        self.database
            .write(move |tx| {
                require(tx, &upload)?;
                let replaced = tx
                    .prepare_cached(
                        "DELETE FROM parts WHERE upload = ?1 AND number = ?2 RETURNING body",
                    )?
                    .query_row(params![upload, part.number], |row| row.get(0))
                    .optional()?;
                tx.prepare_cached("INSERT INTO parts VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?
                    .execute(params![
                        upload,
                        part.number,
                        part.body,
                        part.size.cast_signed(),
                        part.etag,
                        part.modified_ms,
                        serde_json::to_string(&part.checksum)?,
                        part.data_key,
                    ])?;
                Ok(replaced)
            })
            .await
    }

    /// The parts of an upload behind number `after`, at most `limit` of them.
    ///
    /// # Errors
    /// A failure of the database.
    pub fn parts(&self, upload: &str, after: u32, limit: usize) -> Result<Vec<Part>> {
        self.database.read(|connection| {
            let mut query = connection.prepare_cached(
                "SELECT number, body, size, etag, modified_ms, checksum, data_key FROM parts
                 WHERE upload = ?1 AND number > ?2 ORDER BY number LIMIT ?3",
            )?;
            let mut rows = query.query(params![upload, after, limit.cast_signed()])?;
            let mut parts = Vec::new();
            while let Some(row) = rows.next()? {
                parts.push(Part {
                    number: row.get(0)?,
                    body: row.get(1)?,
                    size: row.get::<_, i64>(2)?.unsigned_abs(),
                    etag: row.get(3)?,
                    modified_ms: row.get(4)?,
                    checksum: serde_json::from_str(&row.get::<_, String>(5)?)?,
                    data_key: row.get(6)?,
                });
            }
            Ok(parts)
        })
    }

    /// Ends an upload by storing `object` under `key`. Returns the bodies that
    /// nothing refers to any more: the parts' and the replaced object's.
    ///
    /// # Errors
    /// `NoSuchUpload`, `NoSuchKey`, `PreconditionFailed`, or a failure of the database.
    pub async fn complete_upload(
        &self,
        bucket: &str,
        key: &str,
        id: &str,
        object: Object,
        precondition: Precondition,
    ) -> Result<Vec<String>> {
        let (bucket, key, id) = (bucket.to_owned(), key.to_owned(), id.to_owned());
        self.database
            .write(move |tx| {
                let mut bodies = remove(tx, &id)?;
                bodies.extend(replace(tx, &bucket, &key, &object, &precondition)?);
                completed::remember(tx, (&bucket, &key, &id), &object)?;
                Ok(bodies)
            })
            .await
    }

    /// Ends an upload without an object. Returns the bodies of its parts.
    ///
    /// # Errors
    /// `NoSuchUpload`, or a failure of the database.
    pub async fn abort_upload(&self, id: &str) -> Result<Vec<String>> {
        let id = id.to_owned();
        self.database.write(move |tx| remove(tx, &id)).await
    }

    /// One page of the bucket's unfinished uploads. `after_id` is the identity
    /// within the key `query.after` behind which the page begins; without it
    /// the page begins behind that key.
    ///
    /// # Errors
    /// `NoSuchBucket`, or a failure of the database.
    pub fn uploads(
        &self,
        bucket: &str,
        query: &ListQuery,
        after_id: Option<&str>,
    ) -> Result<UploadPage> {
        self.database.read(|connection| {
            buckets::require(connection, bucket)?;
            page(connection, bucket, query, after_id)
        })
    }
}

fn page(
    connection: &Connection,
    bucket: &str,
    query: &ListQuery,
    after_id: Option<&str>,
) -> Result<UploadPage> {
    let mut select = connection.prepare_cached(RANGE)?;
    // Identities are never empty, so an empty one means: from this key on.
    let (from, from_id) = match (&query.after, after_id) {
        (Some(key), Some(id)) => (key.as_bytes().to_vec(), id),
        _ => (query.lower_bound(), ""),
    };
    let mut rows = select.query(params![bucket, from, from_id, behind_prefix(&query.prefix)])?;
    let mut page = UploadPage::default();
    let mut last = None;
    while let Some(row) = rows.next()? {
        let upload = upload_of(row)?;
        let common = query.roll_up(&upload.key).map(str::to_owned);
        if common.is_some() && page.common_prefixes.last() == common.as_ref() {
            continue;
        }
        if page.uploads.len() + page.common_prefixes.len() == query.limit {
            page.next = last;
            return Ok(page);
        }
        match common {
            Some(common) => {
                last = Some((common.clone(), None));
                page.common_prefixes.push(common);
            }
            None => {
                last = Some((upload.key.clone(), Some(upload.id.clone())));
                page.uploads.push(upload);
            }
        }
    }
    Ok(page)
}

fn find(connection: &Connection, bucket: &str, key: &str, id: &str) -> Result<Upload> {
    connection
        .prepare_cached(
            "SELECT key, id, initiated_ms, details FROM uploads
             WHERE bucket = ?1 AND key = ?2 AND id = ?3",
        )?
        .query_row(params![bucket, key.as_bytes(), id], |row| {
            Ok(upload_of(row))
        })
        .optional()?
        .unwrap_or(Err(ObjectIndexError::NoSuchUpload))
}

fn upload_of(row: &rusqlite::Row<'_>) -> Result<Upload> {
    let details: UploadDetails = serde_json::from_str(&row.get::<_, String>(3)?)?;
    Ok(Upload {
        key: key_of(row.get(0)?),
        id: row.get(1)?,
        initiated_ms: row.get(2)?,
        object: details.object,
        algorithm: details.algorithm,
        kind: details.kind,
        encryption: details.encryption,
    })
}

fn require(tx: &Transaction<'_>, id: &str) -> Result<()> {
    tx.prepare_cached("SELECT 1 FROM uploads WHERE id = ?1")?
        .query_row([id], |_| Ok(()))
        .optional()?
        .ok_or(ObjectIndexError::NoSuchUpload)
}

/// Removes an upload with its parts; returns the parts' bodies.
fn remove(tx: &Transaction<'_>, id: &str) -> Result<Vec<String>> {
    require(tx, id)?;
    let bodies = tx
        .prepare_cached("DELETE FROM parts WHERE upload = ?1 RETURNING body")?
        .query_map([id], |row| row.get(0))?
        .collect::<rusqlite::Result<Vec<String>>>()?;
    tx.prepare_cached("DELETE FROM uploads WHERE id = ?1")?
        .execute([id])?;
    Ok(bodies)
}

/// Removes all uploads of a bucket; returns the bodies of their parts.
pub(super) fn remove_all(tx: &Transaction<'_>, bucket: &str) -> Result<Vec<String>> {
    let ids = tx
        .prepare_cached("SELECT id FROM uploads WHERE bucket = ?1")?
        .query_map([bucket], |row| row.get(0))?
        .collect::<rusqlite::Result<Vec<String>>>()?;
    let mut bodies = Vec::new();
    for id in &ids {
        bodies.extend(remove(tx, id)?);
    }
    Ok(bodies)
}
