//! Whose keys there are: the root key of the data directory, those of users and of
//! sessions, and those of running jobs.

use std::io;
use std::path::Path;

use kiln_jobs::{Identity, JobError, JobSession, Jobs, Scope, SessionKeys, policies};
use kiln_store::StoreError;
use kiln_store::key_file::read_or_make;
use kiln_store::principals::{Principal as Entity, PrincipalKind, PrincipalStore};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::ServerError;
use crate::authorization::{Denial, Rights, arn, facts, s3_demand};
use crate::random::{letters, random};

/// The root key's file in the data directory.
const ROOT_KEY_FILE: &str = "root-key.json";
/// The file with the secret that job keys are derived from.
const SESSION_SECRET_FILE: &str = "session.key";

/// An access key as its owner holds it.
#[derive(Clone, Serialize, Deserialize)]
pub struct AccessKey {
    /// The key's id, which requests show.
    pub access_key_id: String,
    /// The secret, which signs.
    pub secret_access_key: String,
}

impl std::fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessKey")
            .field("id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

impl AccessKey {
    /// Reads the data directory's root key, making it on first use.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn root(data_dir: &Path) -> Result<Self, ServerError> {
        let path = data_dir.join(ROOT_KEY_FILE);
        let made = || {
            let key = Self {
                access_key_id: format!("AKIA{}", letters(16)?),
                secret_access_key: new_secret()?,
            };
            Ok(serde_json::to_vec_pretty(&key)?)
        };
        let read = read_or_make(&path, made)
            .and_then(|text| serde_json::from_slice(&text).map_err(io::Error::from));
        read.map_err(|source| ServerError::RootKey { path, source })
    }
}

/// Reads the secret that job keys are derived from, making it on first use.
///
/// # Errors
/// When the file cannot be read or written.
pub fn session_keys(data_dir: &Path) -> Result<SessionKeys, ServerError> {
    let path = data_dir.join(SESSION_SECRET_FILE);
    let secret = read_or_make(&path, || random(32));
    let secret = secret.map_err(|source| ServerError::RootKey { path, source })?;
    Ok(SessionKeys::new(&secret))
}

/// 40 characters, as AWS's secrets are.
pub(crate) fn new_secret() -> io::Result<String> {
    Ok(hex::encode(random(20)?))
}

/// Who signed a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// The owner of the data directory.
    Root,
    /// A user.
    User(Entity),
    /// Somebody who assumed a role, or a running job whose role was created here.
    Role(RoleSession),
    /// A running job whose role is a name only.
    Job(JobSession),
}

/// A role that somebody has assumed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleSession {
    /// The role.
    pub role: Entity,
    /// The name of the session.
    pub name: String,
    /// The policy that it was narrowed to.
    pub policy: Option<String>,
}

/// Why a key is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyRefusal {
    /// Nobody has it.
    Unknown,
    /// It was a job's or a session's, which is over.
    Expired,
}

impl From<StoreError> for KeyRefusal {
    /// A key that cannot be looked up is nobody's.
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "an access key could not be looked up");
        Self::Unknown
    }
}

/// The holder of a key, with what must come with it.
struct Holding {
    holder: Holder,
    secret: String,
    token: Option<String>,
}

enum Holder {
    Lasting(Principal),
    /// A job's keys count as long as the job says so.
    Job(JobSession),
}

/// Everyone's keys.
#[derive(Clone)]
pub struct Keyring {
    root: AccessKey,
    jobs: Jobs,
    principals: PrincipalStore,
    identity: Identity,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keyring")
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}

impl Keyring {
    /// The keyring of a data directory.
    #[must_use]
    pub fn new(
        root: AccessKey,
        jobs: Jobs,
        principals: PrincipalStore,
        identity: Identity,
    ) -> Self {
        Self {
            root,
            jobs,
            principals,
            identity,
        }
    }

    /// The holder of a key, and the secret that must have signed.
    pub(crate) fn find(
        &self,
        access_key: &str,
        token: Option<&str>,
    ) -> Result<(Principal, String), KeyRefusal> {
        let found = self.holding(access_key)?;
        // The owner's own clients may have a token left over from somewhere else.
        if found.token.as_deref() != token && access_key != self.root.access_key_id {
            return Err(KeyRefusal::Unknown);
        }
        let principal = match found.holder {
            Holder::Lasting(principal) => principal,
            Holder::Job(session) => self.job(session)?.0,
        };
        Ok((principal, found.secret))
    }

    /// What S3 must know of a key.
    pub(crate) fn s3_key(
        &self,
        access_key: &str,
    ) -> Result<kiln_s3::AccessKey, kiln_s3::KeyRefusal> {
        let found = self.holding(access_key).map_err(|refusal| match refusal {
            KeyRefusal::Unknown => kiln_s3::KeyRefusal::Unknown,
            KeyRefusal::Expired => kiln_s3::KeyRefusal::Expired,
        })?;
        Ok(kiln_s3::AccessKey {
            secret: found.secret,
            session_token: found.token,
        })
    }

    /// What the holder of a key, which S3 has checked, may do there.
    pub(crate) fn s3_holder(&self, access_key: &str) -> Result<S3Holder, KeyRefusal> {
        Ok(match self.holding(access_key)?.holder {
            Holder::Lasting(principal) => S3Holder::Principal(principal),
            Holder::Job(session) => match self.job(session)? {
                (Principal::Job(_), scope) => S3Holder::Job(scope),
                (principal, _) => S3Holder::Principal(principal),
            },
        })
    }

    /// Judges what somebody does in S3, in AWS's words where it is not allowed.
    pub(crate) fn judge_in_s3(
        &self,
        caller: &Principal,
        access: &kiln_s3::Access<'_>,
    ) -> Result<(), String> {
        if *caller == Principal::Root {
            return Ok(());
        }
        let demand = s3_demand(access, &self.identity);
        let context = demand.context.and(&facts(caller, &self.identity));
        let judged = match self.rights(caller) {
            Ok(rights) => rights.judge(&demand.action, &demand.resource, &context),
            Err(error) => {
                tracing::error!(%error, "the rights of a caller could not be looked up");
                Err(Denial::UNSPOKEN)
            }
        };
        judged.map_err(|denial| {
            let resource = format!("\"{}\"", demand.resource);
            denial.words(&arn(caller, &self.identity), &demand.action, &resource)
        })
    }

    /// All that somebody may do.
    pub(crate) fn rights(&self, caller: &Principal) -> Result<Rights, JobError> {
        let policies = |entity: &Entity| policies(&self.principals, &entity.id);
        Ok(match caller {
            Principal::Root => Rights::Owner,
            Principal::User(user) => Rights::Policies {
                own: policies(user)?,
                session: None,
            },
            Principal::Role(session) => {
                let narrowed = session.policy.as_deref().map(str::parse).transpose();
                let narrowed = narrowed.map_err(|error: kiln_policy::PolicyError| {
                    JobError::Internal(format!("a session's policy is damaged: {error}"))
                })?;
                Rights::Policies {
                    own: policies(&session.role)?,
                    session: narrowed,
                }
            }
            Principal::Job(_) => Rights::Policies {
                own: Vec::new(),
                session: None,
            },
        })
    }

    fn holding(&self, access_key: &str) -> Result<Holding, KeyRefusal> {
        if access_key == self.root.access_key_id {
            return Ok(Holding {
                holder: Holder::Lasting(Principal::Root),
                secret: self.root.secret_access_key.clone(),
                token: None,
            });
        }
        if let Some(session) = self.jobs.session(access_key) {
            return Ok(Holding {
                holder: Holder::Job(session.holder),
                secret: session.keys.secret_key,
                token: Some(session.keys.session_token),
            });
        }
        match self.principals.key(access_key)? {
            Some(key) if key.active => {
                let user = self.principals.by_id(&key.owner)?;
                Ok(Holding {
                    holder: Holder::Lasting(Principal::User(user.ok_or(KeyRefusal::Unknown)?)),
                    secret: key.secret,
                    token: None,
                })
            }
            Some(_) => Err(KeyRefusal::Unknown),
            None => self.session(access_key),
        }
    }

    /// The holder of a session that was begun here.
    fn session(&self, access_key: &str) -> Result<Holding, KeyRefusal> {
        let session = self.principals.session(access_key)?;
        let session = session.ok_or(KeyRefusal::Unknown)?;
        let now = OffsetDateTime::now_utc().unix_timestamp() * 1000;
        if session.expires <= now {
            return Err(KeyRefusal::Expired);
        }
        let principal = match &session.owner {
            None => Principal::Root,
            Some(owner) => {
                let entity = self.principals.by_id(owner)?;
                let entity = entity.ok_or(KeyRefusal::Unknown)?;
                match entity.kind {
                    PrincipalKind::User => Principal::User(entity),
                    PrincipalKind::Role => Principal::Role(RoleSession {
                        role: entity,
                        name: session.name.unwrap_or_default(),
                        policy: session.policy,
                    }),
                }
            }
        };
        Ok(Holding {
            holder: Holder::Lasting(principal),
            secret: session.secret,
            token: Some(session.token),
        })
    }

    /// Who a job is, and what its keys open, while they count.
    fn job(&self, session: JobSession) -> Result<(Principal, Scope), KeyRefusal> {
        let Ok(Some(scope)) = self.jobs.scope(&session) else {
            return Err(KeyRefusal::Expired);
        };
        let principal = match scope.role() {
            None => Principal::Job(session),
            Some(role) => Principal::Role(RoleSession {
                role: role.principal.clone(),
                name: session.job,
                policy: None,
            }),
        };
        Ok((principal, scope))
    }
}

/// Who does something in S3.
pub(crate) enum S3Holder {
    /// Somebody whose policies say what that may be.
    Principal(Principal),
    /// A job whose request says so.
    Job(Scope),
}
