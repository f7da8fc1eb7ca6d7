//! Uploads in parts that a store has and nobody has completed.

use rusty_s3::S3Action;
use rusty_s3::actions::ListParts;
use serde::Deserialize;

use super::connection::Draft;
use super::{Objects, answer};
use crate::DataError;

/// A page of a bucket's uploads.
#[derive(Deserialize)]
struct Page {
    #[serde(rename = "Upload", default)]
    uploads: Vec<Unfinished>,
}

#[derive(Deserialize)]
struct Unfinished {
    #[serde(rename = "Key")]
    key: String,
    #[serde(rename = "UploadId")]
    id: String,
}

impl Objects {
    /// The ids of the uploads of exactly this key, of which a page has a thousand.
    ///
    /// # Errors
    /// When the store refuses, or cannot be reached.
    pub async fn unfinished_uploads(
        &self,
        bucket: &str,
        key: &str,
    ) -> Result<Vec<String>, DataError> {
        let text = self
            .send_for_text(bucket, |bucket| {
                // A question to the bucket itself that rusty-s3 has no name for.
                let mut list = bucket.get_object(Some(&self.credentials), "");
                list.query_mut().insert("uploads", "");
                list.query_mut().insert("prefix", key);
                Draft::bare(list)
            })
            .await?;
        // They come in the order of keys, so that those of this one precede those of longer ones.
        let page: Page = quick_xml::de::from_str(&text).map_err(answer::protocol)?;
        let own = page.uploads.into_iter().filter(|one| one.key == key);
        Ok(own.map(|one| one.id).collect())
    }

    /// Whether the store has any part of an upload.
    ///
    /// # Errors
    /// When the store refuses, or cannot be reached.
    pub async fn has_parts(
        &self,
        (bucket, key): (&str, &str),
        upload: &str,
    ) -> Result<bool, DataError> {
        let text = self
            .send_for_text(bucket, |bucket| {
                let mut list = bucket.list_parts(Some(&self.credentials), key, upload);
                list.set_max_parts(1);
                Draft::bare(list)
            })
            .await?;
        let listed = ListParts::parse_response(&text).map_err(answer::protocol)?;
        Ok(!listed.parts.is_empty())
    }
}
