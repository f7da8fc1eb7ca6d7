//! Sessions: short-lived keys of those who assumed a role, or who asked for such
//! keys for themselves.

use rusqlite::{OptionalExtension, Row, params};

use super::{PrincipalError, PrincipalStore};
use crate::StoreError;

pub(super) const SCHEMA: &str = "
CREATE TABLE sessions (
  access_key TEXT PRIMARY KEY,
  secret TEXT NOT NULL,
  token TEXT NOT NULL,
  owner TEXT REFERENCES principals (id) ON DELETE CASCADE,
  name TEXT,
  policy TEXT,
  expires INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX sessions_by_expiry ON sessions (expires);
CREATE INDEX sessions_by_owner ON sessions (owner);
";

/// For how long it is remembered that a session has expired, in milliseconds: a day.
const REMEMBERED: i64 = 86_400_000;

/// A session.
#[derive(Clone, PartialEq, Eq)]
pub struct AssumedSession {
    /// The id of its key.
    pub access_key: String,
    /// What requests are signed with.
    pub secret: String,
    /// What requests carry besides.
    pub token: String,
    /// The id of the user or role that it speaks for; `None` for the owner of all.
    pub owner: Option<String>,
    /// The name of a role's session.
    pub name: Option<String>,
    /// What it was narrowed to.
    pub policy: Option<String>,
    /// Until when it counts, in epoch milliseconds.
    pub expires: i64,
}

impl std::fmt::Debug for AssumedSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AssumedSession")
            .field("access_key", &self.access_key)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

impl PrincipalStore {
    /// Begins a session, and forgets those that expired long ago.
    ///
    /// # Errors
    /// The database's failure.
    pub async fn begin_session(&self, new: AssumedSession, now: i64) -> Result<(), PrincipalError> {
        self.database
            .write(move |tx| {
                tx.execute(
                    "DELETE FROM sessions WHERE expires < ?1",
                    [now - REMEMBERED],
                )?;
                tx.execute(
                    "INSERT INTO sessions (access_key, secret, token, owner, name, policy, expires)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                    params![
                        new.access_key,
                        new.secret,
                        new.token,
                        new.owner,
                        new.name,
                        new.policy,
                        new.expires
                    ],
                )?;
                Ok(())
            })
            .await
    }

    /// The session with a key.
    ///
    /// # Errors
    /// The database's failure.
    pub fn session(&self, access_key: &str) -> Result<Option<AssumedSession>, StoreError> {
        self.database.read(|connection| {
            let mut query =
                connection.prepare_cached("SELECT * FROM sessions WHERE access_key = ?1")?;
            Ok(query.query_row([access_key], session).optional()?)
        })
    }
}

fn session(row: &Row<'_>) -> Result<AssumedSession, rusqlite::Error> {
    Ok(AssumedSession {
        access_key: row.get("access_key")?,
        secret: row.get("secret")?,
        token: row.get("token")?,
        owner: row.get("owner")?,
        name: row.get("name")?,
        policy: row.get("policy")?,
        expires: row.get("expires")?,
    })
}
