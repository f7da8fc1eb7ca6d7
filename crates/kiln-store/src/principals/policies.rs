//! The policies of users and roles: those written into them, and those attached.

use rusqlite::{Connection, OptionalExtension, params};

use super::{PrincipalError, PrincipalKind, PrincipalStore, require};
use crate::StoreError;

pub(super) const SCHEMA: &str = "
CREATE TABLE inline_policies (
  owner TEXT NOT NULL REFERENCES principals (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  document TEXT NOT NULL,
  PRIMARY KEY (owner, name)
) WITHOUT ROWID;
CREATE TABLE attachments (
  owner TEXT NOT NULL REFERENCES principals (id) ON DELETE CASCADE,
  arn TEXT NOT NULL,
  PRIMARY KEY (owner, arn)
) WITHOUT ROWID;
CREATE INDEX attachments_by_policy ON attachments (arn);
";

/// How many policies are attached to a user or a role at most, as in AWS.
pub const ATTACHED_AT_MOST: usize = 10;

/// How long a policy is by IAM's count, which leaves out white space.
#[must_use]
pub fn policy_length(document: &str) -> usize {
    let characters = document.chars();
    characters.filter(|one| !one.is_whitespace()).count()
}

/// How long all policies within a user or a role may be together, as in AWS.
fn longest_inline(kind: PrincipalKind) -> usize {
    match kind {
        PrincipalKind::User => 2048,
        PrincipalKind::Role => 10_240,
    }
}

/// All policies of a user or a role.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    /// Those written into it: names and documents.
    pub inline: Vec<(String, String)>,
    /// Those attached: ARNs, and the documents of those that were created here.
    pub attached: Vec<(String, Option<String>)>,
}

impl PrincipalStore {
    /// All policies of a user or a role, by its id.
    ///
    /// # Errors
    /// The database's failure.
    pub fn grants(&self, owner: &str) -> Result<Grants, StoreError> {
        self.database.read(|connection| {
            let mut inline = connection.prepare_cached(
                "SELECT name, document FROM inline_policies WHERE owner = ?1 ORDER BY name",
            )?;
            let mut attached = connection.prepare_cached(
                "SELECT attachments.arn, managed_policies.document FROM attachments
                 LEFT JOIN managed_policies ON managed_policies.arn = attachments.arn
                 WHERE owner = ?1 ORDER BY attachments.arn",
            )?;
            let inline = inline.query_map([owner], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let attached = attached.query_map([owner], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(Grants {
                inline: inline.collect::<Result<_, _>>()?,
                attached: attached.collect::<Result<_, _>>()?,
            })
        })
    }

    /// Writes a policy into a user or a role, in place of one with this name.
    ///
    /// # Errors
    /// [`PrincipalError::NoPrincipal`], [`PrincipalError::PoliciesTooLong`], or the
    /// database's failure.
    pub async fn put_policy(
        &self,
        (kind, owner): (PrincipalKind, &str),
        name: &str,
        document: &str,
    ) -> Result<(), PrincipalError> {
        let (owner, name, document) = (owner.to_owned(), name.to_owned(), document.to_owned());
        self.database
            .write(move |tx| {
                let owner = require(tx, kind, &owner)?;
                tx.execute(
                    "INSERT INTO inline_policies (owner, name, document) VALUES (?1, ?2, ?3)
                     ON CONFLICT (owner, name) DO UPDATE SET document = excluded.document",
                    params![owner, name, document],
                )?;
                require_length(tx, &owner, longest_inline(kind))
            })
            .await
    }

    /// Removes a policy that is written into a user or a role.
    ///
    /// # Errors
    /// [`PrincipalError::NoPrincipal`], [`PrincipalError::NoMember`], or the
    /// database's failure.
    pub async fn delete_policy(
        &self,
        (kind, owner): (PrincipalKind, &str),
        name: &str,
    ) -> Result<(), PrincipalError> {
        let (owner, name) = (owner.to_owned(), name.to_owned());
        self.database
            .write(move |tx| {
                let owner = require(tx, kind, &owner)?;
                let sql = "DELETE FROM inline_policies WHERE owner = ?1 AND name = ?2";
                match tx.execute(sql, params![owner, name])? {
                    0 => Err(PrincipalError::NoMember("policy")),
                    _ => Ok(()),
                }
            })
            .await
    }

    /// Attaches a policy, which must be there unless it is one of AWS's own.
    ///
    /// # Errors
    /// [`PrincipalError::NoPrincipal`], [`PrincipalError::NoMember`],
    /// [`PrincipalError::TooManyPolicies`], or the database's failure.
    pub async fn attach(
        &self,
        (kind, owner): (PrincipalKind, &str),
        arn: &str,
        awss_own: bool,
    ) -> Result<(), PrincipalError> {
        let (owner, arn) = (owner.to_owned(), arn.to_owned());
        self.database
            .write(move |tx| {
                let owner = require(tx, kind, &owner)?;
                let query = "SELECT 1 FROM managed_policies WHERE arn = ?1";
                let found: Option<i64> =
                    tx.query_row(query, [&arn], |row| row.get(0)).optional()?;
                if found.is_none() && !awss_own {
                    return Err(PrincipalError::NoMember("policy"));
                }
                let sql = "INSERT OR IGNORE INTO attachments (owner, arn) VALUES (?1, ?2)";
                tx.execute(sql, [&owner, &arn])?;
                let query = "SELECT count(*) FROM attachments WHERE owner = ?1";
                let attached: i64 = tx.query_row(query, [&owner], |row| row.get(0))?;
                match attached > ATTACHED_AT_MOST as i64 {
                    true => Err(PrincipalError::TooManyPolicies),
                    false => Ok(()),
                }
            })
            .await
    }

    /// Takes an attached policy off again.
    ///
    /// # Errors
    /// [`PrincipalError::NoPrincipal`], [`PrincipalError::NoMember`], or the
    /// database's failure.
    pub async fn detach(
        &self,
        (kind, owner): (PrincipalKind, &str),
        arn: &str,
    ) -> Result<(), PrincipalError> {
        let (owner, arn) = (owner.to_owned(), arn.to_owned());
        self.database
            .write(move |tx| {
                let owner = require(tx, kind, &owner)?;
                let sql = "DELETE FROM attachments WHERE owner = ?1 AND arn = ?2";
                match tx.execute(sql, [owner, arn])? {
                    0 => Err(PrincipalError::NoMember("attached policy")),
                    _ => Ok(()),
                }
            })
            .await
    }
}

/// That the policies within a user or a role are no longer than they may be.
fn require_length(tx: &Connection, owner: &str, longest: usize) -> Result<(), PrincipalError> {
    let mut query = tx.prepare_cached("SELECT document FROM inline_policies WHERE owner = ?1")?;
    let documents = query.query_map([owner], |row| row.get::<_, String>(0))?;
    let mut length = 0;
    for document in documents {
        length += policy_length(&document?);
    }
    match length > longest {
        true => Err(PrincipalError::PoliciesTooLong(longest)),
        false => Ok(()),
    }
}
