//! Policies that stand for themselves and are attached to users and roles.

use rusqlite::{OptionalExtension, Row, params};

use super::{PrincipalError, PrincipalStore};
use crate::StoreError;

pub(super) const SCHEMA: &str = "
CREATE TABLE managed_policies (
  arn TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE COLLATE NOCASE,
  id TEXT NOT NULL,
  path TEXT NOT NULL,
  description TEXT,
  document TEXT NOT NULL,
  created INTEGER NOT NULL
) WITHOUT ROWID;
";

/// A policy of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagedPolicy {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// What tells it from one that has the same name later.
    pub id: String,
    /// Its path.
    pub path: String,
    /// What it is for.
    pub description: Option<String>,
    /// The document.
    pub document: String,
    /// When it was created, in epoch milliseconds.
    pub created: i64,
    /// To how many users and roles it is attached.
    pub attachments: i64,
}

const COLUMNS: &str = "SELECT managed_policies.*,
  (SELECT count(*) FROM attachments WHERE attachments.arn = managed_policies.arn) AS attachments
  FROM managed_policies";

impl PrincipalStore {
    /// Adds a policy.
    ///
    /// # Errors
    /// [`PrincipalError::Taken`], or the database's failure.
    pub async fn create_managed(&self, new: ManagedPolicy) -> Result<(), PrincipalError> {
        let sql = "INSERT OR IGNORE INTO managed_policies
                   (arn, name, id, path, description, document, created)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        self.database
            .write(move |tx| {
                let values = params![
                    new.arn,
                    new.name,
                    new.id,
                    new.path,
                    new.description,
                    new.document,
                    new.created
                ];
                match tx.execute(sql, values)? {
                    0 => Err(PrincipalError::Taken),
                    _ => Ok(()),
                }
            })
            .await
    }

    /// The policy with an ARN.
    ///
    /// # Errors
    /// The database's failure.
    pub fn managed(&self, arn: &str) -> Result<Option<ManagedPolicy>, StoreError> {
        self.database.read(|connection| {
            let mut query = connection.prepare_cached(&format!("{COLUMNS} WHERE arn = ?1"))?;
            Ok(query.query_row([arn], policy).optional()?)
        })
    }

    /// All policies that were created here, by name.
    ///
    /// # Errors
    /// The database's failure.
    pub fn all_managed(&self) -> Result<Vec<ManagedPolicy>, StoreError> {
        self.database.read(|connection| {
            let mut query = connection.prepare_cached(&format!("{COLUMNS} ORDER BY name"))?;
            let rows = query.query_map([], policy)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Removes a policy that is attached to nobody.
    ///
    /// # Errors
    /// [`PrincipalError::NoMember`], [`PrincipalError::StillHas`], or the database's
    /// failure.
    pub async fn delete_managed(&self, arn: &str) -> Result<(), PrincipalError> {
        let arn = arn.to_owned();
        self.database
            .write(move |tx| {
                let query = "SELECT EXISTS (SELECT 1 FROM attachments WHERE arn = ?1)";
                if tx.query_row(query, [&arn], |row| row.get(0))? {
                    return Err(PrincipalError::StillHas("attachments"));
                }
                match tx.execute("DELETE FROM managed_policies WHERE arn = ?1", [&arn])? {
                    0 => Err(PrincipalError::NoMember("policy")),
                    _ => Ok(()),
                }
            })
            .await
    }
}

fn policy(row: &Row<'_>) -> Result<ManagedPolicy, rusqlite::Error> {
    Ok(ManagedPolicy {
        arn: row.get("arn")?,
        name: row.get("name")?,
        id: row.get("id")?,
        path: row.get("path")?,
        description: row.get("description")?,
        document: row.get("document")?,
        created: row.get("created")?,
        attachments: row.get("attachments")?,
    })
}
