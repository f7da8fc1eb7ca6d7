//! Objects that are stored in parts.

use bytes::Bytes;
use rusty_s3::actions::CreateMultipartUpload;

use super::connection::Draft;
use super::retry::Backoff;
use super::{Objects, answer, checksum};
use crate::DataError;

impl Objects {
    /// Begins a multipart upload and answers its id.
    ///
    /// # Errors
    /// When the store refuses, or cannot be reached.
    pub async fn begin_upload(&self, bucket: &str, key: &str) -> Result<String, DataError> {
        let text = self
            .send_for_text(bucket, |bucket| {
                let action = bucket.create_multipart_upload(Some(&self.credentials), key);
                Draft::new(action, self.encryption_headers(), Bytes::new())
            })
            .await?;
        let created = CreateMultipartUpload::parse_response(&text).map_err(answer::protocol)?;
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
            .send(bucket, |bucket| {
                let action = bucket.upload_part(Some(&self.credentials), key, number, upload);
                Draft::new(action, Vec::new(), body.clone())
            })
            .await?;
        let tag = response.headers().get("etag");
        tag.and_then(|tag| tag.to_str().ok())
            .map(str::to_owned)
            .ok_or_else(|| answer::protocol("an uploaded part has no ETag"))
    }

    /// Makes the parts, in order, one object.
    ///
    /// # Errors
    /// When the store refuses, or cannot be reached.
    pub async fn complete_upload(
        &self,
        target: (&str, &str),
        upload: &str,
        tags: &[String],
    ) -> Result<(), DataError> {
        let mut backoff = Backoff::new(self.patience);
        let mut tried = false;
        loop {
            let error = match self.complete_once(target, upload, tags).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            // An answer that was lost may have been that all went well.
            if tried && is_unknown(&error) && self.stands(target, tags).await? {
                return Ok(());
            }
            backoff.wait(error).await?;
            tried = true;
        }
    }

    async fn complete_once(
        &self,
        (bucket, key): (&str, &str),
        upload: &str,
        tags: &[String],
    ) -> Result<(), DataError> {
        let draft = |bucket: &rusty_s3::Bucket| {
            let tags = || tags.iter().map(String::as_str);
            let keys = Some(&self.credentials);
            let complete = || bucket.complete_multipart_upload(keys, key, upload, tags());
            Draft::new(complete(), Vec::new(), complete().body().into())
        };
        let text = self.send_once_for_text(bucket, &draft).await?;
        // Work that takes long is begun with 200 before its end is known.
        if text.contains("<Error>") {
            return Err(answer::refused(200, "InternalError", &text));
        }
        Ok(())
    }

    /// Whether the object that these parts make is what the key names.
    async fn stands(&self, target: (&str, &str), tags: &[String]) -> Result<bool, DataError> {
        let head = match self.head(target.0, target.1).await {
            Err(DataError::Refused { status: 404, .. }) => return Ok(false),
            head => head?,
        };
        let expected = checksum::tag_of_parts(tags);
        let stored = head.etag.as_deref().map(|tag| tag.trim_matches('"'));
        Ok(expected.is_some() && stored == expected.as_deref())
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
        self.send(bucket, |bucket| {
            Draft::bare(bucket.abort_multipart_upload(Some(&self.credentials), key, upload))
        })
        .await
        .map(drop)
    }
}

fn is_unknown(error: &DataError) -> bool {
    matches!(error, DataError::Refused { code, .. } if code == "NoSuchUpload")
}
