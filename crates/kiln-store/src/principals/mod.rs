//! Who may call besides the owner: users with their access keys, roles with the
//! sessions of those who assumed them, and the policies of both.
//!
//! They have a file of their own, because it holds secrets: only its owner may
//! read it, as is so of the files of keys. Names are the same in any case.

mod keys;
mod managed;
mod policies;
mod sessions;

use std::fs::{File, Permissions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Row, params};

pub use keys::{KEYS_PER_USER, UserKey};
pub use managed::ManagedPolicy;
pub use policies::{ATTACHED_AT_MOST, Grants, policy_length};
pub use sessions::AssumedSession;

use crate::{Database, StoreError};

const SCHEMA: &str = "
CREATE TABLE principals (
  id TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  name TEXT NOT NULL COLLATE NOCASE,
  path TEXT NOT NULL,
  created INTEGER NOT NULL,
  description TEXT,
  trust TEXT,
  longest_session INTEGER,
  tags TEXT NOT NULL,
  UNIQUE (kind, name)
) WITHOUT ROWID;
";

const MIGRATIONS: &[&str] = &[
    SCHEMA,
    keys::SCHEMA,
    policies::SCHEMA,
    managed::SCHEMA,
    sessions::SCHEMA,
];

/// How many tags a user or a role has at most, as in AWS.
pub const TAGS_AT_MOST: usize = 50;

/// What somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PrincipalKind {
    /// A user, who has access keys.
    User,
    /// A role, which is assumed.
    Role,
}

impl PrincipalKind {
    /// The word for it in ARNs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Role => "role",
        }
    }

    fn named(word: &str) -> Self {
        match word {
            "user" => Self::User,
            _ => Self::Role,
        }
    }
}

/// A user or a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// What it is.
    pub kind: PrincipalKind,
    /// Its name, which is unique among its kind.
    pub name: String,
    /// What tells it from one that has the same name later.
    pub id: String,
    /// Its path, `/` if it has no other.
    pub path: String,
    /// When it was created, in epoch milliseconds.
    pub created: i64,
    /// What it is for.
    pub description: Option<String>,
    /// A role's trust policy.
    pub trust: Option<String>,
    /// How many seconds a role's sessions last at the most.
    pub longest_session: Option<i64>,
    /// Its tags.
    pub tags: Vec<(String, String)>,
}

/// Why the principals are not as a change wants them to be.
#[derive(Debug, thiserror::Error)]
pub enum PrincipalError {
    /// The name is in use.
    #[error("the name is in use")]
    Taken,
    /// There is no such principal.
    #[error("there is no such principal")]
    NoPrincipal,
    /// The principal has no such key, policy or attachment.
    #[error("the principal has no such {0}")]
    NoMember(&'static str),
    /// It still has something, which must go first.
    #[error("its {0} must be removed first")]
    StillHas(&'static str),
    /// It has as many keys as a user may have.
    #[error("a user has at most {KEYS_PER_USER} access keys")]
    TooManyKeys,
    /// As many policies are attached to it as may be.
    #[error("at most {ATTACHED_AT_MOST} policies are attached to one principal")]
    TooManyPolicies,
    /// The policies written into it would be longer together than they may be.
    #[error("the policies within it have at most {0} characters")]
    PoliciesTooLong(usize),
    /// It has as many tags as may be.
    #[error("a principal has at most {TAGS_AT_MOST} tags")]
    TooManyTags,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<rusqlite::Error> for PrincipalError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

/// The users and roles in one SQLite file.
#[derive(Debug, Clone)]
pub struct PrincipalStore {
    database: Database,
}

impl PrincipalStore {
    /// Opens or creates the file, for its owner only.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        // SQLite gives the files beside it the same mode.
        let file = File::options()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)?;
        file.set_permissions(Permissions::from_mode(0o600))?;
        let database = Database::open(path, MIGRATIONS)?;
        Ok(Self { database })
    }

    /// Adds a user or a role.
    ///
    /// # Errors
    /// [`PrincipalError::Taken`], or the database's failure.
    pub async fn create(&self, new: Principal) -> Result<(), PrincipalError> {
        self.database
            .write(move |tx| {
                if find(tx, new.kind, &new.name)?.is_some() {
                    return Err(PrincipalError::Taken);
                }
                tx.execute(
                    "INSERT INTO principals
                     (id, kind, name, path, created, description, trust, longest_session, tags)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                    params![
                        new.id,
                        new.kind.as_str(),
                        new.name,
                        new.path,
                        new.created,
                        new.description,
                        new.trust,
                        new.longest_session,
                        tags_text(&new.tags),
                    ],
                )?;
                Ok(())
            })
            .await
    }

    /// The user or role with a name.
    ///
    /// # Errors
    /// The database's failure.
    pub fn find(&self, kind: PrincipalKind, name: &str) -> Result<Option<Principal>, StoreError> {
        self.database
            .read(|connection| find(connection, kind, name))
    }

    /// The user or role with an id.
    ///
    /// # Errors
    /// The database's failure.
    pub fn by_id(&self, id: &str) -> Result<Option<Principal>, StoreError> {
        self.database.read(|connection| {
            let mut query = connection.prepare_cached("SELECT * FROM principals WHERE id = ?1")?;
            Ok(query.query_row([id], principal).optional()?)
        })
    }

    /// All users, or all roles, by name.
    ///
    /// # Errors
    /// The database's failure.
    pub fn list(&self, kind: PrincipalKind) -> Result<Vec<Principal>, StoreError> {
        self.database.read(|connection| {
            let mut query = connection
                .prepare_cached("SELECT * FROM principals WHERE kind = ?1 ORDER BY name")?;
            let rows = query.query_map([kind.as_str()], principal)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Changes a role's trust, description or longest session, or anybody's tags, as
    /// they are at that moment: of two changes at once none undoes the other.
    ///
    /// # Errors
    /// [`PrincipalError::NoPrincipal`], what `change` says against it, or the database's
    /// failure.
    pub async fn change(
        &self,
        kind: PrincipalKind,
        name: &str,
        change: impl FnOnce(&mut Principal) -> Result<(), PrincipalError> + Send + 'static,
    ) -> Result<(), PrincipalError> {
        let name = name.to_owned();
        self.database
            .write(move |tx| {
                let found = find(tx, kind, &name)?;
                let mut changed = found.ok_or(PrincipalError::NoPrincipal)?;
                change(&mut changed)?;
                tx.execute(
                    "UPDATE principals SET description = ?2, trust = ?3, longest_session = ?4,
                     tags = ?5 WHERE id = ?1",
                    params![
                        changed.id,
                        changed.description,
                        changed.trust,
                        changed.longest_session,
                        tags_text(&changed.tags),
                    ],
                )?;
                Ok(())
            })
            .await
    }

    /// Removes a user or a role that has nothing any more. Its sessions end.
    ///
    /// # Errors
    /// [`PrincipalError::NoPrincipal`], [`PrincipalError::StillHas`], or the
    /// database's failure.
    pub async fn delete(&self, kind: PrincipalKind, name: &str) -> Result<(), PrincipalError> {
        let name = name.to_owned();
        self.database
            .write(move |tx| {
                let id = require(tx, kind, &name)?;
                let belongings = [
                    ("access_keys", "access keys"),
                    ("inline_policies", "policies"),
                    ("attachments", "attached policies"),
                ];
                for (table, what) in belongings {
                    let query = format!("SELECT EXISTS (SELECT 1 FROM {table} WHERE owner = ?1)");
                    if tx.query_row(&query, [&id], |row| row.get(0))? {
                        return Err(PrincipalError::StillHas(what));
                    }
                }
                tx.execute("DELETE FROM principals WHERE id = ?1", [&id])?;
                Ok(())
            })
            .await
    }
}

fn find(
    connection: &Connection,
    kind: PrincipalKind,
    name: &str,
) -> Result<Option<Principal>, StoreError> {
    let mut query =
        connection.prepare_cached("SELECT * FROM principals WHERE kind = ?1 AND name = ?2")?;
    let found = query.query_row([kind.as_str(), name], principal);
    Ok(found.optional()?)
}

/// The id of a principal that must be there.
fn require(
    connection: &Connection,
    kind: PrincipalKind,
    name: &str,
) -> Result<String, PrincipalError> {
    let found = find(connection, kind, name)?;
    Ok(found.ok_or(PrincipalError::NoPrincipal)?.id)
}

fn principal(row: &Row<'_>) -> Result<Principal, rusqlite::Error> {
    let kind: String = row.get("kind")?;
    let tags: String = row.get("tags")?;
    Ok(Principal {
        kind: PrincipalKind::named(&kind),
        name: row.get("name")?,
        id: row.get("id")?,
        path: row.get("path")?,
        created: row.get("created")?,
        description: row.get("description")?,
        trust: row.get("trust")?,
        longest_session: row.get("longest_session")?,
        // Written by us, as JSON.
        tags: serde_json::from_str(&tags).unwrap_or_default(),
    })
}

fn tags_text(tags: &[(String, String)]) -> String {
    serde_json::json!(tags).to_string()
}

#[cfg(test)]
mod tests;
