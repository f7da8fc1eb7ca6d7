//! A client for any S3, for the few requests that the data plane makes.
//!
//! Signing and parsing come from `rusty-s3`, which keeps keys exactly as they
//! are and lists by plain string prefix, as channels need; requests go through
//! one pooled HTTP client. Where the store answers is looked up for every try,
//! since a server that restarts may come back on another port, and what can be
//! tried again is tried again until the patience runs out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rand::Rng;
use reqwest::{Client, Method, Response};
use rusty_s3::actions::{CreateMultipartUpload, ListObjectsV2};
use rusty_s3::{Bucket, S3Action, UrlStyle};

use crate::DataError;

/// How long a request is tried again while the store answers that it is in
/// trouble. One that does not answer is tried for ever: it may be away for hours
/// while a job trains, and who has no such patience drops the future.
const PATIENCE: Duration = Duration::from_secs(120);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
/// How long a signed request stays valid.
const VALIDITY: Duration = Duration::from_secs(900);

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

/// An object in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The key, exactly.
    pub key: String,
    /// Bytes.
    pub size: u64,
}

/// A client for one store, region and set of keys.
#[derive(Clone)]
pub struct Objects {
    http: Client,
    location: Location,
    credentials: rusty_s3::Credentials,
    region: String,
}

impl std::fmt::Debug for Objects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Objects")
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

impl Objects {
    /// A client that has not connected yet.
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
        }
    }

    /// One page of the keys that start with `prefix`, and the token of the next.
    ///
    /// # Errors
    /// When the store refuses, or cannot be reached.
    pub async fn list_page(
        &self,
        bucket: &str,
        prefix: &str,
        token: Option<&str>,
    ) -> Result<(Vec<Listed>, Option<String>), DataError> {
        let response = self
            .retried(Method::GET, Bytes::new(), |at| {
                let bucket = self.bucket(at, bucket)?;
                let mut list = bucket.list_objects_v2(Some(&self.credentials));
                list.with_prefix(prefix);
                if let Some(token) = token {
                    list.with_continuation_token(token);
                }
                Ok(list.sign(VALIDITY))
            })
            .await?;
        let text = response.text().await.map_err(unreachable)?;
        let page = ListObjectsV2::parse_response(&text).map_err(protocol)?;
        let listed = |object: rusty_s3::actions::list_objects_v2::ListObjectsContent| Listed {
            key: object.key,
            size: object.size.unwrap_or(0),
        };
        Ok((
            page.contents.into_iter().map(listed).collect(),
            page.next_continuation_token,
        ))
    }

    /// Makes a bucket; one that is the caller's already stays as it is.
    ///
    /// # Errors
    /// When the store refuses, or cannot be reached.
    pub async fn create_bucket(&self, bucket: &str) -> Result<(), DataError> {
        let made = self
            .retried(Method::PUT, Bytes::new(), |at| {
                Ok(self
                    .bucket(at, bucket)?
                    .create_bucket(&self.credentials)
                    .sign(VALIDITY))
            })
            .await;
        match made {
            Err(DataError::Refused { code, .. }) if code == "BucketAlreadyOwnedByYou" => Ok(()),
            made => made.map(drop),
        }
    }

    /// Opens an object for reading.
    ///
    /// # Errors
    /// When the store refuses, or cannot be reached.
    pub async fn get(&self, bucket: &str, key: &str) -> Result<Response, DataError> {
        self.retried(Method::GET, Bytes::new(), |at| {
            Ok(self
                .bucket(at, bucket)?
                .get_object(Some(&self.credentials), key)
                .sign(VALIDITY))
        })
        .await
    }

    /// Stores a small object.
    ///
    /// # Errors
    /// When the store refuses, or cannot be reached.
    pub async fn put(&self, bucket: &str, key: &str, body: Bytes) -> Result<(), DataError> {
        self.retried(Method::PUT, body, |at| {
            Ok(self
                .bucket(at, bucket)?
                .put_object(Some(&self.credentials), key)
                .sign(VALIDITY))
        })
        .await
        .map(drop)
    }

    /// Begins a multipart upload and answers its id.
    ///
    /// # Errors
    /// When the store refuses, or cannot be reached.
    pub async fn begin_upload(&self, bucket: &str, key: &str) -> Result<String, DataError> {
        let response = self
            .retried(Method::POST, Bytes::new(), |at| {
                let bucket = self.bucket(at, bucket)?;
                Ok(bucket
                    .create_multipart_upload(Some(&self.credentials), key)
                    .sign(VALIDITY))
            })
            .await?;
        let text = response.text().await.map_err(unreachable)?;
        let created = CreateMultipartUpload::parse_response(&text).map_err(protocol)?;
        Ok(created.upload_id().to_owned())
    }

    /// Stores one part of an upload, from 1, and answers its entity tag.
    ///
    /// # Errors
    /// When the store refuses, or cannot be reached.
    pub async fn upload_part(
        &self,
        (bucket, key): (&str, &str),
        upload: &str,
        number: u16,
        body: Bytes,
    ) -> Result<String, DataError> {
        let response = self
            .retried(Method::PUT, body, |at| {
                let bucket = self.bucket(at, bucket)?;
                let part = bucket.upload_part(Some(&self.credentials), key, number, upload);
                Ok(part.sign(VALIDITY))
            })
            .await?;
        let tag = response
            .headers()
            .get("etag")
            .and_then(|tag| tag.to_str().ok());
        tag.map(str::to_owned)
            .ok_or_else(|| protocol("an uploaded part has no ETag"))
    }

    /// Makes the parts, in order, one object.
    ///
    /// # Errors
    /// When the store refuses, or cannot be reached.
    pub async fn complete_upload(
        &self,
        (bucket, key): (&str, &str),
        upload: &str,
        tags: &[String],
    ) -> Result<(), DataError> {
        let tags = || tags.iter().map(String::as_str);
        let url = |at: &str| {
            let bucket = self.bucket(at, bucket)?;
            let complete =
                bucket.complete_multipart_upload(Some(&self.credentials), key, upload, tags());
            Ok((complete.sign(VALIDITY), complete.body()))
        };
        let body = url("http://localhost")?.1;
        self.retried(Method::POST, body.into(), |at| Ok(url(at)?.0))
            .await
            .map(drop)
    }

    /// Forgets an upload that will not be completed.
    ///
    /// # Errors
    /// When the store refuses, or cannot be reached.
    pub async fn abort_upload(
        &self,
        (bucket, key): (&str, &str),
        upload: &str,
    ) -> Result<(), DataError> {
        self.retried(Method::DELETE, Bytes::new(), |at| {
            let bucket = self.bucket(at, bucket)?;
            Ok(bucket
                .abort_multipart_upload(Some(&self.credentials), key, upload)
                .sign(VALIDITY))
        })
        .await
        .map(drop)
    }

    fn bucket(&self, at: &str, name: &str) -> Result<Bucket, DataError> {
        let endpoint = at.parse().map_err(protocol)?;
        Bucket::new(
            endpoint,
            UrlStyle::Path,
            name.to_owned(),
            self.region.clone(),
        )
        .map_err(protocol)
    }

    /// Sends a request until it is answered with something other than a
    /// passing trouble.
    async fn retried(
        &self,
        method: Method,
        body: Bytes,
        url: impl Fn(&str) -> Result<url::Url, DataError>,
    ) -> Result<Response, DataError> {
        let begun = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let error = match self.once(&method, body.clone(), &url).await {
                Err(error @ DataError::Unreachable(_)) => error,
                Err(error) if passing(&error) && begun.elapsed() < PATIENCE => error,
                settled => return settled,
            };
            tracing::debug!(%error, "the object store is tried again");
            let jittered = pause.mul_f64(rand::rng().random_range(0.5..1.5));
            tokio::time::sleep(jittered).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn once(
        &self,
        method: &Method,
        body: Bytes,
        url: &impl Fn(&str) -> Result<url::Url, DataError>,
    ) -> Result<Response, DataError> {
        let at = (self.location)().map_err(|error| DataError::Unreachable(error.to_string()))?;
        let request = self.http.request(method.clone(), url(&at)?).body(body);
        let response = request.send().await.map_err(unreachable)?;
        if response.status().is_success() {
            Ok(response)
        } else {
            Err(refusal(response).await)
        }
    }
}

fn passing(error: &DataError) -> bool {
    match error {
        DataError::Refused { status, .. } => *status >= 500 || *status == 429,
        _ => false,
    }
}

/// Reads an error answer: `<Error><Code>…</Code><Message>…</Message></Error>`.
async fn refusal(response: Response) -> DataError {
    let status = response.status();
    let text = response.text().await.unwrap_or_default();
    let element = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        Some(rest.split_once(&format!("</{name}>"))?.0.to_owned())
    };
    let reason = status.canonical_reason().unwrap_or("Unknown");
    DataError::Refused {
        status: status.as_u16(),
        code: element("Code").unwrap_or_else(|| reason.replace(' ', "")),
        message: element("Message").unwrap_or_else(|| reason.to_owned()),
    }
}

fn unreachable(error: reqwest::Error) -> DataError {
    // The outer error names only the URL, which carries a signature.
    let error = error.without_url();
    let cause = std::error::Error::source(&error).map(ToString::to_string);
    DataError::Unreachable(cause.unwrap_or_else(|| error.to_string()))
}

fn protocol(error: impl std::fmt::Display) -> DataError {
    DataError::Protocol(error.to_string())
}
