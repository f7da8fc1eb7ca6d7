//! Buckets: made once, deleted only when empty.

use rusqlite::{Connection, OptionalExtension, params};

use super::{ObjectIndex, ObjectIndexError, Result, uploads};

/// One bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: i64,
}

impl ObjectIndex {
    /// Makes a bucket.
    ///
    /// # Errors
    /// `BucketExists`, or a failure of the database.
    pub async fn create_bucket(&self, bucket: Bucket) -> Result<()> {
        self.database
            .write(move |tx| {
                let made = tx.execute(
                    "INSERT OR IGNORE INTO buckets (name, created_ms) VALUES (?1, ?2)",
                    params![bucket.name, bucket.created_ms],
                )?;
                if made == 0 {
                    return Err(ObjectIndexError::BucketExists);
                }
                Ok(())
            })
            .await
    }

    /// Deletes a bucket that holds no object, and ends its unfinished uploads.
    /// Returns the bodies that nothing refers to any more.
    ///
    /// # Errors
    /// `NoSuchBucket`, `BucketNotEmpty`, or a failure of the database.
    pub async fn delete_bucket(&self, name: &str) -> Result<Vec<String>> {
        let name = name.to_owned();
        self.database
            .write(move |tx| {
                require(tx, &name)?;
                let occupied: bool = tx.query_row(
                    "SELECT EXISTS (SELECT 1 FROM objects WHERE bucket = ?1)",
                    [&name],
                    |row| row.get(0),
                )?;
                if occupied {
                    return Err(ObjectIndexError::BucketNotEmpty);
                }
                let bodies = uploads::remove_all(tx, &name)?;
                tx.execute("DELETE FROM buckets WHERE name = ?1", [&name])?;
                Ok(bodies)
            })
            .await
    }

    /// All buckets whose names start with `prefix`, in order of name.
    ///
    /// # Errors
    /// A failure of the database.
    pub fn buckets(&self, prefix: &str) -> Result<Vec<Bucket>> {
        self.database.read(|connection| {
            let mut query =
                connection.prepare_cached("SELECT name, created_ms FROM buckets ORDER BY name")?;
            let rows = query.query_map([], |row| {
                Ok(Bucket {
                    name: row.get(0)?,
                    created_ms: row.get(1)?,
                })
            })?;
            let mut buckets = rows.collect::<rusqlite::Result<Vec<_>>>()?;
            buckets.retain(|bucket| bucket.name.starts_with(prefix));
            Ok(buckets)
        })
    }

    /// Whether there is a bucket of this name.
    ///
    /// # Errors
    /// A failure of the database.
    pub fn bucket_exists(&self, name: &str) -> Result<bool> {
        self.database.read(|connection| exists(connection, name))
    }
}

/// Fails with `NoSuchBucket` unless the bucket is there.
pub(super) fn require(connection: &Connection, name: &str) -> Result<()> {
    if exists(connection, name)? {
        Ok(())
    } else {
        Err(ObjectIndexError::NoSuchBucket)
    }
}

fn exists(connection: &Connection, name: &str) -> Result<bool> {
    let mut query = connection.prepare_cached("SELECT 1 FROM buckets WHERE name = ?1")?;
    Ok(query.query_row([name], |_| Ok(())).optional()?.is_some())
}
