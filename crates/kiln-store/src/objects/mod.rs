//! The index of the embedded S3: which objects exist, what they are, and which
//! body file holds the bytes of each.
//!
//! The index never touches a body. A change that makes body files unreachable
//! returns their names, and the caller deletes them once the change is durable;
//! should it die before that, [`ObjectIndex::holds_body`] lets it find them again.

mod buckets;
mod completed;
mod encryption;
mod list;
mod records;
mod tags;
mod uploads;

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use crate::{Database, StoreError};

pub use buckets::Bucket;
pub use completed::CompletedUpload;
pub use encryption::{Encryption, Sealed, Segment};
pub use list::{ListQuery, Listed, Listing};
pub use records::{
    Checksum, ChecksumAlgorithm, ChecksumKind, Object, ObjectDetails, PartLayout, Precondition,
};
pub use uploads::{Part, Upload, UploadPage};

/// Append-only; see [`Database::open`].
///
/// Keys are BLOBs, so that SQLite orders them as S3 does: by their UTF-8 bytes.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE buckets (
        name TEXT NOT NULL PRIMARY KEY,
        created_ms INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE objects (
        bucket TEXT NOT NULL REFERENCES buckets (name),
        key BLOB NOT NULL,
        body TEXT NOT NULL,
        size INTEGER NOT NULL,
        etag TEXT NOT NULL,
        modified_ms INTEGER NOT NULL,
        details TEXT NOT NULL,
        PRIMARY KEY (bucket, key)
    ) WITHOUT ROWID;
    CREATE UNIQUE INDEX object_bodies ON objects (body);
    CREATE TABLE uploads (
        bucket TEXT NOT NULL REFERENCES buckets (name),
        key BLOB NOT NULL,
        id TEXT NOT NULL UNIQUE,
        initiated_ms INTEGER NOT NULL,
        details TEXT NOT NULL,
        PRIMARY KEY (bucket, key, id)
    ) WITHOUT ROWID;
    CREATE TABLE parts (
        upload TEXT NOT NULL REFERENCES uploads (id),
        number INTEGER NOT NULL,
        body TEXT NOT NULL,
        size INTEGER NOT NULL,
        etag TEXT NOT NULL,
        modified_ms INTEGER NOT NULL,
        checksum TEXT NOT NULL,
        PRIMARY KEY (upload, number)
    ) WITHOUT ROWID;
    CREATE UNIQUE INDEX part_bodies ON parts (body);
",
    "
    ALTER TABLE buckets ADD COLUMN encryption TEXT;
    ALTER TABLE parts ADD COLUMN data_key TEXT;
    CREATE TABLE completed_uploads (
        id TEXT NOT NULL PRIMARY KEY,
        bucket TEXT NOT NULL REFERENCES buckets (name) ON DELETE CASCADE,
        key BLOB NOT NULL,
        ended_ms INTEGER NOT NULL,
        answer TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX completed_by_end ON completed_uploads (ended_ms);
",
];

/// Why the index did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ObjectIndexError {
    /// There is no such bucket.
    #[error("the bucket does not exist")]
    NoSuchBucket,
    /// There is no object with this key.
    #[error("the object does not exist")]
    NoSuchKey,
    /// There is no such multipart upload, or it has ended.
    #[error("the multipart upload does not exist")]
    NoSuchUpload,
    /// A bucket of this name exists already.
    #[error("the bucket exists already")]
    BucketExists,
    /// Only an empty bucket can be deleted.
    #[error("the bucket is not empty")]
    BucketNotEmpty,
    /// A precondition of the write does not hold.
    #[error("a precondition of the request does not hold")]
    PreconditionFailed,
    /// A stored document does not read back as what was written.
    #[error("a record of the object index is damaged: {0}")]
    Record(#[from] serde_json::Error),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<rusqlite::Error> for ObjectIndexError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(StoreError::Sqlite(error))
    }
}

type Result<T> = std::result::Result<T, ObjectIndexError>;

/// A handle to the index. Clones share it.
#[derive(Clone, Debug)]
pub struct ObjectIndex {
    database: Database,
}

impl ObjectIndex {
    /// Opens or creates the index file.
    ///
    /// # Errors
    /// When the file is not an index that this version can read.
    pub fn open(path: &Path) -> Result<Self> {
        let database = Database::open(path, MIGRATIONS)?;
        Ok(Self { database })
    }

    /// The object with this key, if there is one.
    ///
    /// # Errors
    /// `NoSuchBucket`, or a failure of the database.
    pub fn object(&self, bucket: &str, key: &str) -> Result<Option<Object>> {
        self.database.read(|connection| {
            let object = find(connection, bucket, key)?;
            if object.is_none() {
                buckets::require(connection, bucket)?;
            }
            Ok(object)
        })
    }

    /// Stores `object` under its key if `precondition` holds, replacing what
    /// was there. Returns the body that nothing refers to any more.
    ///
    /// # Errors
    /// `NoSuchBucket`, `NoSuchKey`, `PreconditionFailed`, or a failure of the database.
    pub async fn put(
        &self,
        bucket: &str,
        key: &str,
        object: Object,
        precondition: Precondition,
    ) -> Result<Option<String>> {
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        self.database
            .write(move |tx| replace(tx, &bucket, &key, &object, &precondition))
            .await
    }

    /// Removes the object, if there is one and `precondition` holds. Returns
    /// the body that nothing refers to any more.
    ///
    /// # Errors
    /// `NoSuchBucket`, `NoSuchKey`, `PreconditionFailed`, or a failure of the database.
    pub async fn delete(
        &self,
        bucket: &str,
        key: &str,
        precondition: Precondition,
    ) -> Result<Option<String>> {
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        self.database
            .write(move |tx| {
                buckets::require(tx, &bucket)?;
                check(tx, &bucket, &key, &precondition)?;
                remove(tx, &bucket, &key)
            })
            .await
    }

    /// Removes those of the objects that exist, all in one commit. Returns the
    /// bodies that nothing refers to any more.
    ///
    /// # Errors
    /// `NoSuchBucket`, or a failure of the database.
    pub async fn delete_many(&self, bucket: &str, keys: Vec<String>) -> Result<Vec<String>> {
        let bucket = bucket.to_owned();
        self.database
            .write(move |tx| {
                buckets::require(tx, &bucket)?;
                let mut bodies = Vec::new();
                for key in &keys {
                    bodies.extend(remove(tx, &bucket, key)?);
                }
                Ok(bodies)
            })
            .await
    }

    /// Whether an object or an unfinished upload refers to this body.
    ///
    /// # Errors
    /// A failure of the database.
    pub fn holds_body(&self, body: &str) -> Result<bool> {
        self.database.read(|connection| {
            let mut query = connection.prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM objects WHERE body = ?1)
                     OR EXISTS (SELECT 1 FROM parts WHERE body = ?1)",
            )?;
            Ok(query.query_row([body], |row| row.get(0))?)
        })
    }
}

fn find(connection: &Connection, bucket: &str, key: &str) -> Result<Option<Object>> {
    let mut query = connection.prepare_cached(
        "SELECT body, size, etag, modified_ms, details FROM objects
         WHERE bucket = ?1 AND key = ?2",
    )?;
    query
        .query_row(params![bucket, key.as_bytes()], |row| Ok(object_of(row, 0)))
        .optional()?
        .transpose()
}

/// Reads body, size, etag, modified_ms and details from `first` on.
fn object_of(row: &Row<'_>, first: usize) -> Result<Object> {
    let details: String = row.get(first + 4)?;
    Ok(Object {
        body: row.get(first)?,
        size: row.get::<_, i64>(first + 1)?.unsigned_abs(),
        etag: row.get(first + 2)?,
        modified_ms: row.get(first + 3)?,
        details: serde_json::from_str(&details)?,
    })
}

fn replace(
    tx: &Transaction<'_>,
    bucket: &str,
    key: &str,
    object: &Object,
    precondition: &Precondition,
) -> Result<Option<String>> {
    buckets::require(tx, bucket)?;
    check(tx, bucket, key, precondition)?;
    let replaced = remove(tx, bucket, key)?;
    let mut insert =
        tx.prepare_cached("INSERT INTO objects VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
    insert.execute(params![
        bucket,
        key.as_bytes(),
        object.body,
        object.size.cast_signed(),
        object.etag,
        object.modified_ms,
        serde_json::to_string(&object.details)?,
    ])?;
    Ok(replaced)
}

fn check(tx: &Transaction<'_>, bucket: &str, key: &str, precondition: &Precondition) -> Result<()> {
    if *precondition == Precondition::None {
        return Ok(());
    }
    let current = find(tx, bucket, key)?;
    precondition.check(current.as_ref().map(|object| object.etag.as_str()))
}

fn remove(tx: &Transaction<'_>, bucket: &str, key: &str) -> Result<Option<String>> {
    let mut delete =
        tx.prepare_cached("DELETE FROM objects WHERE bucket = ?1 AND key = ?2 RETURNING body")?;
    Ok(delete
        .query_row(params![bucket, key.as_bytes()], |row| row.get(0))
        .optional()?)
}

#[cfg(test)]
mod tests;
