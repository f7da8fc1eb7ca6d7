//! A policy document, read and found to be sound.

use std::collections::BTreeSet;
use std::str::FromStr;

use serde_json::Value;

use crate::PolicyError;
use crate::document;
use crate::element::{join, object};
use crate::statement::Statement;

/// What a document is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What the identity that has it may do.
    Identity,
    /// Who may assume the role that has it.
    Trust,
}

/// A policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    pub(crate) statements: Vec<Statement>,
}

/// The version of the language that has policy variables.
const CURRENT: &str = "2012-10-17";
/// The version before, which is meant where none is named.
const OLD: &str = "2008-10-17";

impl Policy {
    /// Reads a document.
    ///
    /// # Errors
    /// What is wrong with it first, and where.
    pub fn parse(text: &str, kind: Kind) -> Result<Self, PolicyError> {
        let value = document::read(text)?;
        let members = object(&value, "the document")?;
        let known = ["Version", "Id", "Statement"];
        if let Some(unknown) = members.keys().find(|name| !known.contains(&name.as_str())) {
            let reason = format!("Syntax errors in policy: no policy has the element {unknown}.");
            return Err(PolicyError::at(unknown, reason));
        }
        let variables = match members.get("Version").map(Value::as_str) {
            Some(Some(CURRENT)) => true,
            None | Some(Some(OLD)) => false,
            Some(_) => {
                let reason = "The policy must contain a valid version string";
                return Err(PolicyError::at("Version", reason));
            }
        };
        let statements = match members.get("Statement") {
            Some(Value::Array(all)) => {
                let numbered = all.iter().enumerate();
                let read = numbered.map(|(index, one)| {
                    Statement::parse(one, &format!("Statement[{index}]"), kind, variables)
                });
                read.collect::<Result<_, _>>()?
            }
            Some(one) => vec![Statement::parse(one, "Statement", kind, variables)?],
            None => Vec::new(),
        };
        if statements.is_empty() {
            let reason = "Syntax errors in policy: it has no statement.";
            return Err(PolicyError::at("Statement", reason));
        }
        let policy = Self { statements };
        policy.check_sids()?;
        Ok(policy)
    }

    fn check_sids(&self) -> Result<(), PolicyError> {
        let mut seen = BTreeSet::new();
        for (index, statement) in self.statements.iter().enumerate() {
            if let Some(sid) = &statement.sid
                && !sid.is_empty()
                && !seen.insert(sid)
            {
                let place = join(&format!("Statement[{index}]"), "Sid");
                let reason = "Statement IDs (SID) in a single policy must be unique.";
                return Err(PolicyError::at(place, reason));
            }
        }
        Ok(())
    }

    /// The keys of a request that its conditions and variables speak of.
    #[must_use]
    pub fn context_keys(&self) -> BTreeSet<String> {
        let keys = self.statements.iter().flat_map(Statement::keys);
        keys.map(str::to_owned).collect()
    }
}

impl FromStr for Policy {
    type Err = PolicyError;

    /// Reads an identity's policy.
    fn from_str(text: &str) -> Result<Self, PolicyError> {
        Self::parse(text, Kind::Identity)
    }
}
