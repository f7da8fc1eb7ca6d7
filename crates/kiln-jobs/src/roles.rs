//! Roles that were created here, and what their policies allow. All other roles
//! are names only: a job with one of them may do what its request needs.

use kiln_policy::{Context, Decision, Policy, Request, decide, managed};
use kiln_store::principals::{Principal, PrincipalKind, PrincipalStore};

use crate::{Identity, JobError};

/// A role with policies of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatedRole {
    /// The role.
    pub principal: Principal,
    /// What it may do.
    pub policies: Vec<Policy>,
    partition: &'static str,
}

impl CreatedRole {
    /// The role that an ARN names, if it was created here.
    ///
    /// # Errors
    /// When the store fails.
    pub fn named_by(
        arn: &str,
        principals: &PrincipalStore,
        identity: &Identity,
    ) -> Result<Option<Self>, JobError> {
        let Some(name) = role_name(arn, identity.account.as_str()) else {
            return Ok(None);
        };
        let Some(principal) = principals.find(PrincipalKind::Role, name)? else {
            return Ok(None);
        };
        Ok(Some(Self {
            policies: policies(principals, &principal.id)?,
            principal,
            partition: identity.region.partition(),
        }))
    }

    /// Whether it may surely read an object, whatever the circumstances are. Where
    /// its policies look at these, whoever knows them must be asked.
    #[must_use]
    pub fn reads(&self, bucket: &str, key: &str) -> bool {
        self.surely("s3:GetObject", bucket, key)
    }

    /// The same for writing.
    #[must_use]
    pub fn writes(&self, bucket: &str, key: &str) -> bool {
        self.surely("s3:PutObject", bucket, key)
    }

    fn surely(&self, action: &str, bucket: &str, key: &str) -> bool {
        let mut policies = self.policies.iter();
        let context = Context::default();
        let request = Request {
            action,
            resource: &format!("arn:{}:s3:::{bucket}/{key}", self.partition),
            holders: &[],
            context: &context,
        };
        policies.all(|policy| policy.context_keys().is_empty())
            && decide(&self.policies, &request).decision == Decision::Allowed
    }
}

/// All policies of a user or a role, by its id, ready to be asked.
///
/// # Errors
/// When the store fails, or holds a policy that is none: then nothing may be
/// allowed, because it may be one that denies.
pub fn policies(principals: &PrincipalStore, id: &str) -> Result<Vec<Policy>, JobError> {
    let grants = principals.grants(id)?;
    let inline = grants.inline.iter().map(|(_, document)| document.as_str());
    let attached = grants.attached.iter().map(|(arn, document)| {
        let own = document.as_deref();
        own.or_else(|| managed::document(arn)).unwrap_or_default()
    });
    inline
        .chain(attached)
        .map(|document| document.parse().map_err(damaged))
        .collect()
}

fn damaged(error: kiln_policy::PolicyError) -> JobError {
    JobError::Internal(format!("a stored policy is damaged: {error}"))
}

/// The name in `arn:<partition>:iam::<account>:role/<path and name>`.
fn role_name<'a>(arn: &'a str, account: &str) -> Option<&'a str> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", _, "iam", "", owner, resource] = parts[..] else {
        return None;
    };
    let path = resource.strip_prefix("role/")?;
    (owner == account).then(|| path.rsplit_once('/').map_or(path, |(_, name)| name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(documents: &[&str]) -> CreatedRole {
        CreatedRole {
            principal: Principal {
                kind: PrincipalKind::Role,
                name: "r".to_owned(),
                id: "AROA".to_owned(),
                path: "/".to_owned(),
                created: 0,
                description: None,
                trust: None,
                longest_session: None,
                tags: Vec::new(),
            },
            policies: documents.iter().map(|text| text.parse().unwrap()).collect(),
            partition: "aws",
        }
    }

    #[test]
    fn a_role_is_found_by_its_name_in_this_account() {
        let account = "123456789012";
        let cases = [
            ("arn:aws:iam::123456789012:role/r", Some("r")),
            ("arn:aws:iam::123456789012:role/a/b/r", Some("r")),
            ("arn:aws:iam::999999999999:role/r", None),
            ("arn:aws:iam::123456789012:user/r", None),
            ("arn:aws:sts::123456789012:role/r", None),
            ("r", None),
        ];
        for (arn, name) in cases {
            assert_eq!(role_name(arn, account), name, "{arn}");
        }
    }

    #[test]
    fn what_depends_on_circumstances_is_not_sure() {
        let plain = r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow",
            "Action": "s3:Get*", "Resource": "arn:aws:s3:::data/*"}}"#;
        let deny = r#"{"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "s3:*",
            "Resource": "*", "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}}"#;
        assert!(role(&[plain]).reads("data", "a/b"));
        assert!(!role(&[plain]).reads("other", "a/b"));
        assert!(!role(&[plain]).writes("data", "a/b"));
        assert!(!role(&[plain, deny]).reads("data", "a/b"));
        assert!(!role(&[]).reads("data", "a/b"));
    }
}
