//! The requests that are one question and one answer.

use bytes::Bytes;
use reqwest::Response;
use rusty_s3::actions::ListObjectsV2;
use rusty_s3::actions::list_objects_v2::ListObjectsContent;

use super::Objects;
use super::answer::{self, ObjectHead};
use super::connection::{Draft, Headers};
use crate::DataError;

/// An object in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The key, exactly.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// The entity tag, quotes included.
    pub etag: Option<String>,
}

impl From<ListObjectsContent> for Listed {
    fn from(object: ListObjectsContent) -> Self {
        Self {
            key: object.key,
            size: object.size.unwrap_or(0),
            etag: object.etag,
        }
    }
}

impl Objects {
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
        let text = self
            .send_for_text(bucket, |bucket| {
                let mut list = bucket.list_objects_v2(Some(&self.credentials));
                list.with_prefix(prefix);
                if let Some(token) = token {
                    list.with_continuation_token(token);
                }
                Draft::bare(list)
            })
            .await?;
        let page = ListObjectsV2::parse_response(&text).map_err(answer::protocol)?;
        Ok((
            page.contents.into_iter().map(Listed::from).collect(),
            page.next_continuation_token,
        ))
    }

    /// Makes a bucket; one that is the caller's already stays as it is.
    ///
    /// # Errors
    /// When the store refuses, or cannot be reached.
    pub async fn create_bucket(&self, bucket: &str) -> Result<(), DataError> {
        let made = self
            .send(bucket, |bucket| {
                Draft::bare(bucket.create_bucket(&self.credentials))
            })
            .await;
        match made {
            Err(DataError::Refused { code, .. }) if code == "BucketAlreadyOwnedByYou" => Ok(()),
            made => made.map(drop),
        }
    }

    /// What the store says of an object.
    ///
    /// # Errors
    /// When the store refuses, or cannot be reached.
    pub async fn head(&self, bucket: &str, key: &str) -> Result<ObjectHead, DataError> {
        let response = self
            .send(bucket, |bucket| {
                let action = bucket.head_object(Some(&self.credentials), key);
                Draft::new(action, with_checksum(), Bytes::new())
            })
            .await?;
        Ok(ObjectHead::of(response.headers()))
    }

    /// Opens an object for reading as it comes: unlike [`Objects::read`], nothing
    /// is gone on with or checked.
    ///
    /// # Errors
    /// When the store refuses, or cannot be reached.
    pub async fn get(&self, bucket: &str, key: &str) -> Result<Response, DataError> {
        self.get_with(bucket, key, &with_checksum()).await
    }

    pub(super) async fn get_with(
        &self,
        bucket: &str,
        key: &str,
        headers: &Headers,
    ) -> Result<Response, DataError> {
        self.send(bucket, |bucket| {
            let action = bucket.get_object(Some(&self.credentials), key);
            Draft::new(action, headers.clone(), Bytes::new())
        })
        .await
    }

    /// Stores a small object.
    ///
    /// # Errors
    /// When the store refuses, or cannot be reached.
    pub async fn put(&self, bucket: &str, key: &str, body: Bytes) -> Result<(), DataError> {
        self.send(bucket, |bucket| {
            let action = bucket.put_object(Some(&self.credentials), key);
            Draft::new(action, self.encryption_headers(), body.clone())
        })
        .await
        .map(drop)
    }

    /// Deletes an object; one that is not there is deleted already.
    ///
    /// # Errors
    /// When the store refuses, or cannot be reached.
    pub async fn delete(&self, bucket: &str, key: &str) -> Result<(), DataError> {
        self.send(bucket, |bucket| {
            Draft::bare(bucket.delete_object(Some(&self.credentials), key))
        })
        .await
        .map(drop)
    }

    pub(super) fn encryption_headers(&self) -> Headers {
        match &self.kms_key {
            None => Vec::new(),
            Some(key) => vec![
                ("x-amz-server-side-encryption", "aws:kms".to_owned()),
                ("x-amz-server-side-encryption-aws-kms-key-id", key.clone()),
            ],
        }
    }
}

/// Asks for the object's checksum beside it.
fn with_checksum() -> Headers {
    vec![("x-amz-checksum-mode", "ENABLED".to_owned())]
}
