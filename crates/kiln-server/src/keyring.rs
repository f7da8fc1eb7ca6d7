//! Who may call: the root key of the data directory, and the keys of running jobs.

use std::io;
use std::path::Path;

use kiln_jobs::training::{Scope, TrainingJobs};
use kiln_jobs::{JobSession, SessionKeys};
use kiln_store::key_file::read_or_make;
use serde::{Deserialize, Serialize};

use crate::ServerError;
use crate::random::random;

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
                access_key_id: new_key_id()?,
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

/// `AKIA` and 16 characters, as AWS's long-lived key ids are.
fn new_key_id() -> io::Result<String> {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let letters = random(16)?
        .into_iter()
        .map(|byte| char::from(LETTERS[usize::from(byte % 32)]));
    Ok(std::iter::once("AKIA".to_owned())
        .chain(letters.map(String::from))
        .collect())
}

/// 40 characters, as AWS's secrets are.
fn new_secret() -> io::Result<String> {
    Ok(hex::encode(random(20)?))
}

/// Who signed a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// The owner of the data directory.
    Root,
    /// A running job.
    Job(JobSession),
}

/// Why a key is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyRefusal {
    /// Nobody has it.
    Unknown,
    /// It was a job's, and the job has ended.
    Expired,
}

/// Everyone's keys.
#[derive(Clone)]
pub struct Keyring {
    root: AccessKey,
    jobs: TrainingJobs,
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
    pub fn new(root: AccessKey, jobs: TrainingJobs) -> Self {
        Self { root, jobs }
    }

    /// The holder of a key, and the secret that must have signed.
    pub(crate) fn find(
        &self,
        access_key: &str,
        token: Option<&str>,
    ) -> Result<(Principal, String), KeyRefusal> {
        if access_key == self.root.access_key_id {
            return Ok((Principal::Root, self.root.secret_access_key.clone()));
        }
        let session = self.jobs.session(access_key).ok_or(KeyRefusal::Unknown)?;
        if token != Some(&session.keys.session_token) {
            return Err(KeyRefusal::Unknown);
        }
        match self.jobs.scope(&session.holder) {
            Ok(Some(_)) => Ok((Principal::Job(session.holder), session.keys.secret_key)),
            _ => Err(KeyRefusal::Expired),
        }
    }

    /// What S3 must know of a key.
    pub(crate) fn s3_key(
        &self,
        access_key: &str,
    ) -> Result<kiln_s3::AccessKey, kiln_s3::KeyRefusal> {
        if access_key == self.root.access_key_id {
            let secret = self.root.secret_access_key.clone();
            return Ok(kiln_s3::AccessKey {
                secret,
                session_token: None,
            });
        }
        let keys = self
            .jobs
            .session(access_key)
            .ok_or(kiln_s3::KeyRefusal::Unknown)?
            .keys;
        let (secret, session_token) = (keys.secret_key, Some(keys.session_token));
        Ok(kiln_s3::AccessKey {
            secret,
            session_token,
        })
    }

    /// What a key's holder may do in S3: `None` when it is the owner of it all.
    pub(crate) fn s3_scope(&self, access_key: &str) -> Result<Option<Scope>, KeyRefusal> {
        if access_key == self.root.access_key_id {
            return Ok(None);
        }
        let session = self.jobs.session(access_key).ok_or(KeyRefusal::Unknown)?;
        match self.jobs.scope(&session.holder) {
            Ok(Some(scope)) => Ok(Some(scope)),
            _ => Err(KeyRefusal::Expired),
        }
    }
}
