//! The access keys of users.

use rusqlite::{OptionalExtension, Row, params};

use super::{PrincipalError, PrincipalKind, PrincipalStore, require};
use crate::StoreError;

pub(super) const SCHEMA: &str = "
CREATE TABLE access_keys (
  id TEXT PRIMARY KEY,
  owner TEXT NOT NULL REFERENCES principals (id) ON DELETE CASCADE,
  secret TEXT NOT NULL,
  active INTEGER NOT NULL,
  created INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX access_keys_by_owner ON access_keys (owner, created, id);
";

/// How many keys a user has at most, as in AWS.
pub const KEYS_PER_USER: usize = 2;

/// An access key of a user.
#[derive(Clone, PartialEq, Eq)]
pub struct UserKey {
    /// The key's id, which requests show.
    pub id: String,
    /// The id of the user.
    pub owner: String,
    /// What requests are signed with.
    pub secret: String,
    /// Whether it counts.
    pub active: bool,
    /// When it was made, in epoch milliseconds.
    pub created: i64,
}

impl std::fmt::Debug for UserKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UserKey")
            .field("id", &self.id)
            .field("active", &self.active)
            .finish_non_exhaustive()
    }
}

impl PrincipalStore {
    /// Gives a user one more key.
    ///
    /// # Errors
    /// [`PrincipalError::NoPrincipal`], [`PrincipalError::TooManyKeys`], or the
    /// database's failure.
    pub async fn add_key(&self, key: UserKey) -> Result<(), PrincipalError> {
        self.database
            .write(move |tx| {
                let query = "SELECT (SELECT count(*) FROM access_keys WHERE owner = ?1),
                             EXISTS (SELECT 1 FROM principals WHERE id = ?1)";
                let (keys, there): (i64, bool) =
                    tx.query_row(query, [&key.owner], |row| Ok((row.get(0)?, row.get(1)?)))?;
                if !there {
                    return Err(PrincipalError::NoPrincipal);
                }
                if keys >= KEYS_PER_USER as i64 {
                    return Err(PrincipalError::TooManyKeys);
                }
                tx.execute(
                    "INSERT INTO access_keys (id, owner, secret, active, created)
                     VALUES (?1, ?2, ?3, ?4, ?5)",
                    params![key.id, key.owner, key.secret, key.active, key.created],
                )?;
                Ok(())
            })
            .await
    }

    /// The key with an id.
    ///
    /// # Errors
    /// The database's failure.
    pub fn key(&self, id: &str) -> Result<Option<UserKey>, StoreError> {
        self.database.read(|connection| {
            let mut query = connection.prepare_cached("SELECT * FROM access_keys WHERE id = ?1")?;
            Ok(query.query_row([id], user_key).optional()?)
        })
    }

    /// The keys of a user, by the user's id, the oldest first.
    ///
    /// # Errors
    /// The database's failure.
    pub fn keys_of(&self, owner: &str) -> Result<Vec<UserKey>, StoreError> {
        self.database.read(|connection| {
            let mut query = connection.prepare_cached(
                "SELECT * FROM access_keys WHERE owner = ?1 ORDER BY created, id",
            )?;
            let rows = query.query_map([owner], user_key)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Makes a user's key count, or count no more.
    ///
    /// # Errors
    /// [`PrincipalError::NoPrincipal`], [`PrincipalError::NoMember`], or the
    /// database's failure.
    pub async fn set_key(&self, user: &str, id: &str, active: bool) -> Result<(), PrincipalError> {
        let sql = "UPDATE access_keys SET active = ?3 WHERE owner = ?1 AND id = ?2";
        let (user, id) = (user.to_owned(), id.to_owned());
        self.database
            .write(move |tx| {
                let owner = require(tx, PrincipalKind::User, &user)?;
                one_key(tx.execute(sql, params![owner, id, active])?)
            })
            .await
    }

    /// Removes a user's key.
    ///
    /// # Errors
    /// As [`PrincipalStore::set_key`].
    pub async fn delete_key(&self, user: &str, id: &str) -> Result<(), PrincipalError> {
        let sql = "DELETE FROM access_keys WHERE owner = ?1 AND id = ?2";
        let (user, id) = (user.to_owned(), id.to_owned());
        self.database
            .write(move |tx| {
                let owner = require(tx, PrincipalKind::User, &user)?;
                one_key(tx.execute(sql, params![owner, id])?)
            })
            .await
    }
}

fn one_key(changes: usize) -> Result<(), PrincipalError> {
    match changes {
        0 => Err(PrincipalError::NoMember("access key")),
        _ => Ok(()),
    }
}

fn user_key(row: &Row<'_>) -> Result<UserKey, rusqlite::Error> {
    Ok(UserKey {
        id: row.get("id")?,
        owner: row.get("owner")?,
        secret: row.get("secret")?,
        active: row.get("active")?,
        created: row.get("created")?,
    })
}
