//! The policies of users and roles: those written into them, and those attached.

use rusqlite::{OptionalExtension, params};

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
    /// [`PrincipalError::NoPrincipal`], or the database's failure.
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
                Ok(())
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
    /// [`PrincipalError::NoPrincipal`], [`PrincipalError::NoMember`], or the
    /// database's failure.
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
                tx.execute(sql, [owner, arn])?;
                Ok(())
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
