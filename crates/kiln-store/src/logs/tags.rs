//! Tags of log groups.

use rusqlite::{Connection, params};

use super::LogStore;
use super::groups::require_group;
use crate::StoreError;
use crate::tags::{TAG_LIMIT, Tag};

impl LogStore {
    /// Adds tags to a group, replacing the values of keys it has.
    ///
    /// # Errors
    /// [`StoreError::NoSuchResource`], [`StoreError::TooManyTags`] (and then
    /// nothing is added), or the database's failure.
    pub async fn tag_group(&self, group: &str, tags: Vec<Tag>) -> Result<(), StoreError> {
        let group = group.to_owned();
        self.database
            .write(move |tx| {
                require_group(tx, &group)?;
                for (key, value) in tags {
                    tx.execute(
                        "INSERT OR REPLACE INTO group_tags VALUES (?1, ?2, ?3)",
                        params![group, key, value],
                    )?;
                }
                if of(tx, &group)?.len() > TAG_LIMIT {
                    return Err(StoreError::TooManyTags);
                }
                Ok(())
            })
            .await
    }

    /// Removes tags by key; keys that the group lacks are ignored.
    ///
    /// # Errors
    /// [`StoreError::NoSuchResource`], or the database's failure.
    pub async fn untag_group(&self, group: &str, keys: Vec<String>) -> Result<(), StoreError> {
        let group = group.to_owned();
        self.database
            .write(move |tx| {
                require_group(tx, &group)?;
                for key in keys {
                    tx.execute(
                        "DELETE FROM group_tags WHERE log_group = ?1 AND key = ?2",
                        [&group, &key],
                    )?;
                }
                Ok(())
            })
            .await
    }

    /// The tags of a group, by key.
    ///
    /// # Errors
    /// The database's failure.
    pub fn group_tags(&self, group: &str) -> Result<Vec<Tag>, StoreError> {
        self.database.read(|connection| Ok(of(connection, group)?))
    }
}

fn of(connection: &Connection, group: &str) -> Result<Vec<Tag>, rusqlite::Error> {
    connection
        .prepare_cached("SELECT key, value FROM group_tags WHERE log_group = ?1 ORDER BY key")?
        .query_map([group], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}
