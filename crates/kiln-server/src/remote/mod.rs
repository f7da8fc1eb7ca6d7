//! Another S3 in place of the embedded one: clients speak to Kiln, with Kiln's
//! keys and scopes, and what they may do is done there with the operator's keys.
//!
//! The protocol crate takes each request apart, so that the authority judges it
//! as it judges those to the embedded store. What is sent on is made anew from
//! what was judged, and nothing that was not judged goes along. The answer goes
//! back to the client as the other store gave it.

mod answer;
mod deletions;
mod operations;
mod payload;
mod request;
mod target;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use kiln_agent::plan::StorePlan;
use kiln_data::{Credentials, DataError, Objects, Patience, Transport};
use kiln_jobs::{Buckets, BucketsError};
use kiln_s3::DeniedKeys;
use reqwest::{Client, Response};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};
use time::OffsetDateTime;

use self::payload::Payload;
use self::request::Draft;
use self::target::{Place, Target};
use crate::keyring::AccessKey;

pub(crate) use self::answer::take;

/// How long a request of a client's, or a check of a new job, waits for a store
/// that fails. Who asked can ask again.
const PATIENCE: Patience = Patience {
    unanswered: Some(Duration::from_secs(5)),
    troubled: Duration::from_secs(5),
    stalled: Duration::from_secs(60),
};
/// How long an answer may take to begin.
const ANSWER: Duration = Duration::from_secs(60);
/// And when it means work for the store, such as copying.
const WORK: Duration = Duration::from_secs(900);
/// Bytes a second that a body takes at the least to be sent.
const SLOWEST: u64 = 64 << 10;

/// The other S3.
#[derive(Clone)]
pub struct RemoteStore {
    http: Client,
    objects: Objects,
    endpoint: String,
    region: String,
    key: AccessKey,
    session_token: Option<String>,
}

impl std::fmt::Debug for RemoteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RemoteStore")
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

impl RemoteStore {
    /// The store at this endpoint. Nothing is sent yet.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn new(endpoint: &str, plan: &StorePlan) -> Result<Self, DataError> {
        let http = Objects::http_client(Transport::of(endpoint))?;
        let token = Some(&plan.keys.session_token).filter(|token| !token.is_empty());
        let credentials = Credentials {
            access_key: plan.keys.access_key.clone(),
            secret_key: plan.keys.secret_key.clone(),
            session_token: token.cloned(),
        };
        let at = endpoint.to_owned();
        let location = Arc::new(move || Ok(at.clone()));
        let objects = Objects::new(http.clone(), location, &plan.region, &credentials);
        Ok(Self {
            http,
            objects: objects.with_patience(PATIENCE),
            endpoint: endpoint.to_owned(),
            region: plan.region.clone(),
            key: AccessKey {
                access_key_id: credentials.access_key,
                secret_access_key: credentials.secret_key,
            },
            session_token: credentials.session_token,
        })
    }

    /// Asks the store for what every key may ask: whether it knows the key.
    ///
    /// # Errors
    /// When it does not answer, or refuses the keys.
    pub async fn introduce(&self) -> Result<(), Introduction> {
        let draft = Draft::list_buckets();
        let target = Place::default();
        let sent = self.send(&target, draft, Payload::Nothing).await;
        let response = sent.map_err(|error| {
            let cause = error.message().unwrap_or_default().to_owned();
            Introduction::Unanswered(cause)
        })?;
        let status = response.status().as_u16();
        let text = response.text().await.unwrap_or_default();
        match answer::refused_keys(status, &text) {
            Some(reason) => Err(Introduction::Refused(reason)),
            None => Ok(()),
        }
    }

    /// Does what a request asks for at the other store.
    async fn relay<I: Target, O: Default>(&self, mut req: S3Request<I>) -> S3Result<S3Response<O>> {
        let denied = req.extensions.remove::<DeniedKeys>().unwrap_or_default();
        let place = req.input.place();
        let payload = Payload::of(req.input.carried()?, &req)?;
        let draft = Draft::of(&req, &payload)?;
        let waits = draft.waits_to_send();
        let reply = if denied.0.is_empty() {
            let response = self.send(&place, draft, payload).await?;
            answer::pass_on(response)
        } else if I::is_empty(&req.input) {
            deletions::all_denied(&denied)
        } else {
            let response = self.send(&place, draft, payload).await?;
            deletions::with_denied(response, &denied).await?
        };
        Ok(answer::enclose(answer::hang_up_if(waits, reply)))
    }

    async fn send(&self, place: &Place, draft: Draft, payload: Payload) -> S3Result<Response> {
        let url = self
            .objects
            .address(place.bucket.as_deref(), place.key.as_deref())
            .map_err(|error| invalid(&error.to_string()))?;
        let within = patience(&draft, &payload);
        let now = OffsetDateTime::now_utc();
        let token = self.session_token.as_deref();
        let signed = draft.signed(url, payload.hash(), token, (&self.key, &self.region), now)?;
        let (body, broken) = payload.into_body();
        let request = signed.request(&self.http).body(body).send();
        match tokio::time::timeout(within, request).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(match broken.cause() {
                Some(cause) => kiln_s3::broken_body(&cause).into(),
                None => self.unanswered(&deepest(&error.without_url())),
            }),
            Err(_) => Err(self.unanswered("it took too long")),
        }
    }

    fn unanswered(&self, cause: &str) -> S3Error {
        tracing::warn!(endpoint = self.endpoint, cause, "the object store fails");
        let message = format!(
            "The object store at {} did not answer: {cause}",
            self.endpoint
        );
        S3Error::with_message(S3ErrorCode::ServiceUnavailable, message)
    }
}

/// Why the store and Kiln do not get on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Introduction {
    /// It cannot be reached now.
    #[error("{0}")]
    Unanswered(String),
    /// The keys are no good there.
    #[error("{0}")]
    Refused(String),
}

fn patience(draft: &Draft, payload: &Payload) -> Duration {
    if draft.is_work() {
        return WORK;
    }
    ANSWER + Duration::from_secs(payload.length() / SLOWEST)
}

/// What is at the bottom of an error of the HTTP client's.
fn deepest(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

fn invalid(message: &str) -> S3Error {
    S3Error::with_message(S3ErrorCode::InvalidArgument, message.to_owned())
}

/// The other store's buckets, for job rules.
#[derive(Debug, Clone)]
pub struct RemoteBuckets(pub Objects);

impl RemoteStore {
    /// Its buckets, for job rules.
    #[must_use]
    pub fn buckets(&self) -> RemoteBuckets {
        RemoteBuckets(self.objects.clone())
    }
}

#[async_trait]
impl Buckets for RemoteBuckets {
    async fn exists(&self, bucket: &str) -> Result<bool, BucketsError> {
        self.0.bucket_exists(bucket).await.map_err(denied_or_failed)
    }

    async fn first_key(&self, bucket: &str, prefix: &str) -> Result<Option<String>, BucketsError> {
        let found = self.0.first_key(bucket, prefix).await;
        found.map_err(denied_or_failed)
    }
}

fn denied_or_failed(error: DataError) -> BucketsError {
    match error {
        DataError::Refused { status: 403, .. } => BucketsError::Denied,
        other => BucketsError::Failed(other.to_string()),
    }
}
