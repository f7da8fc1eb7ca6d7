//! A client for any S3, for the few requests that the data plane makes.
//!
//! Signing and parsing come from `rusty-s3`, which keeps keys exactly as they
//! are and lists by plain string prefix, as channels need; requests go through
//! one pooled HTTP client. Where the store answers is looked up for every try,
//! since a server that restarts may come back on another port, and what can be
//! tried again is tried again until the patience runs out.

mod answer;
mod body;
mod buckets;
mod checked;
mod checksum;
mod connection;
mod local;
mod multipart;
mod requests;
mod retry;
mod uploads;

use std::sync::Arc;

use bytes::Bytes;
use reqwest::{Client, Response};
use rusty_s3::Bucket;

pub use self::answer::ObjectHead;
pub use self::body::ObjectBody;
pub(crate) use self::checked::{Block, Checked};
pub use self::checksum::Checksum;
pub use self::connection::Transport;
pub use self::local::{LocalBodies, LocalBody};
pub use self::requests::Listed;
pub use self::retry::Patience;

use self::connection::Draft;
use self::retry::Backoff;
use crate::DataError;

/// Answers the store's URL at this moment, without a trailing slash.
pub type Location = Arc<dyn Fn() -> std::io::Result<String> + Send + Sync>;

/// Keys to sign with.
#[derive(Clone)]
pub struct Credentials {
    /// The access key's id.
    pub access_key: String,
    /// Its secret.
    pub secret_key: String,
    /// The session token of temporary keys.
    pub session_token: Option<String>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key", &self.access_key)
            .finish_non_exhaustive()
    }
}

/// S3 keeps no larger objects.
pub(crate) const LARGEST_OBJECT: u64 = 5 << 40;

/// A client for one store, region and set of keys.
#[derive(Clone)]
pub struct Objects {
    http: Client,
    location: Location,
    credentials: rusty_s3::Credentials,
    region: String,
    patience: Patience,
    /// The key of its key service that the store encrypts with what is written.
    kms_key: Option<String>,
    largest_file: u64,
    /// The header, and its value, that every answer of the store has.
    mark: Option<(&'static str, String)>,
    /// Where the store is on this machine and shows its files.
    local: Option<Arc<dyn LocalBodies>>,
}

impl std::fmt::Debug for Objects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Objects")
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

impl Objects {
    /// A client that has not connected yet, with all the patience that one's
    /// own store deserves.
    #[must_use]
    pub fn new(http: Client, location: Location, region: &str, keys: &Credentials) -> Self {
        let (id, secret) = (keys.access_key.clone(), keys.secret_key.clone());
        let credentials = match &keys.session_token {
            Some(token) => rusty_s3::Credentials::new_with_token(id, secret, token.clone()),
            None => rusty_s3::Credentials::new(id, secret),
        };
        Self {
            http,
            location,
            credentials,
            region: region.to_owned(),
            patience: Patience::OWN,
            kms_key: None,
            largest_file: LARGEST_OBJECT,
            mark: None,
            local: None,
        }
    }

    /// The same client, to which an answer without this header is none: another
    /// server has come to listen at the store's address.
    #[must_use]
    pub fn with_mark(self, header: &'static str, value: &str) -> Self {
        let mark = Some((header, value.to_owned()));
        Self { mark, ..self }
    }

    /// The same client, which reads long bodies from the files that are found.
    #[must_use]
    pub fn with_local_bodies(self, local: Arc<dyn LocalBodies>) -> Self {
        let local = Some(local);
        Self { local, ..self }
    }

    /// The same client with another patience.
    #[must_use]
    pub fn with_patience(self, patience: Patience) -> Self {
        Self { patience, ..self }
    }

    /// The same client, whose objects the store encrypts with this key of its key
    /// service, or, without one, keeps as it keeps everything.
    #[must_use]
    pub fn with_kms_key(self, key: Option<&str>) -> Self {
        let kms_key = key.map(str::to_owned);
        Self { kms_key, ..self }
    }

    /// The same client, which refuses to store a file that says to be larger. A
    /// file need not take the room on its disk that it says it does.
    #[must_use]
    pub fn with_largest_file(self, bytes: u64) -> Self {
        let largest_file = bytes.min(LARGEST_OBJECT);
        Self {
            largest_file,
            ..self
        }
    }

    pub(crate) fn largest_file(&self) -> u64 {
        self.largest_file
    }

    /// Sends a request until it is answered with something other than a
    /// passing trouble.
    async fn send(
        &self,
        bucket: &str,
        draft: impl Fn(&Bucket) -> Draft,
    ) -> Result<Response, DataError> {
        let mut backoff = Backoff::new(self.patience);
        loop {
            match self.send_once(bucket, &draft).await {
                Ok(response) => return Ok(response),
                Err(error) => backoff.wait(error).await?,
            }
        }
    }

    /// Sends a request until its whole answer was read.
    async fn send_for_text(
        &self,
        bucket: &str,
        draft: impl Fn(&Bucket) -> Draft,
    ) -> Result<String, DataError> {
        let mut backoff = Backoff::new(self.patience);
        loop {
            match self.send_once_for_text(bucket, &draft).await {
                Ok(text) => return Ok(text),
                Err(error) => backoff.wait(error).await?,
            }
        }
    }

    async fn send_once_for_text(
        &self,
        bucket: &str,
        draft: &impl Fn(&Bucket) -> Draft,
    ) -> Result<String, DataError> {
        let mut response = self.send_once(bucket, draft).await?;
        let mut text = Vec::new();
        // A store that works long on an answer sends spaces to show that it does.
        while let Some(chunk) = self.next_chunk(&mut response).await? {
            text.extend_from_slice(&chunk);
        }
        String::from_utf8(text).map_err(answer::protocol)
    }

    async fn next_chunk(&self, response: &mut Response) -> Result<Option<Bytes>, DataError> {
        let chunk = tokio::time::timeout(self.patience.stalled, response.chunk());
        chunk
            .await
            .map_err(|_| answer::stalled())?
            .map_err(answer::unreachable)
    }

    async fn send_once(
        &self,
        bucket: &str,
        draft: &impl Fn(&Bucket) -> Draft,
    ) -> Result<Response, DataError> {
        let at = (self.location)().map_err(|error| DataError::Unreachable(error.to_string()))?;
        let bucket = connection::bucket(&at, bucket, &self.region)?;
        let draft = draft(&bucket);
        let within = draft.time_to_answer();
        let sent = tokio::time::timeout(within, draft.request(&self.http).send());
        let response = sent
            .await
            .map_err(|_| answer::stalled())?
            .map_err(answer::unreachable)?;
        if !self.is_marked(&response) {
            return Err(answer::broken("another server answers in its place"));
        }
        if response.status().is_success() {
            Ok(response)
        } else {
            Err(answer::refusal(response, self.patience.stalled).await)
        }
    }

    fn is_marked(&self, response: &Response) -> bool {
        self.mark.as_ref().is_none_or(|(header, value)| {
            let found = response.headers().get(*header);
            found.is_some_and(|found| found.as_bytes() == value.as_bytes())
        })
    }
}
