//! Questions about buckets, and where in a store something is.

use reqwest::Url;
use rusty_s3::actions::ListObjectsV2;

use super::connection::Draft;
use super::{Objects, answer, connection};
use crate::DataError;

impl Objects {
    /// Whether there is such a bucket.
    ///
    /// # Errors
    /// When the store refuses to say, or cannot be reached.
    pub async fn bucket_exists(&self, bucket: &str) -> Result<bool, DataError> {
        let asked = self
            .send(bucket, |bucket| {
                Draft::bare(bucket.head_bucket(Some(&self.credentials)))
            })
            .await;
        match asked {
            Err(DataError::Refused { status: 404, .. }) => Ok(false),
            asked => asked.map(|_| true),
        }
    }

    /// The first of the bucket's keys that start with `prefix`.
    ///
    /// # Errors
    /// When the store refuses to say, or cannot be reached.
    pub async fn first_key(&self, bucket: &str, prefix: &str) -> Result<Option<String>, DataError> {
        let asked = self
            .send_for_text(bucket, |bucket| {
                let mut list = bucket.list_objects_v2(Some(&self.credentials));
                list.with_prefix(prefix);
                list.with_max_keys(1);
                Draft::bare(list)
            })
            .await;
        match asked {
            Err(DataError::Refused { status: 404, .. }) => Ok(None),
            asked => {
                let page = ListObjectsV2::parse_response(&asked?).map_err(answer::protocol)?;
                Ok(page.contents.into_iter().next().map(|first| first.key))
            }
        }
    }

    /// The URL, unsigned, of the store at this moment, of a bucket or of an
    /// object.
    ///
    /// # Errors
    /// When the store's own URL is none, or no URL can name the key.
    pub fn address(&self, bucket: Option<&str>, key: Option<&str>) -> Result<Url, DataError> {
        let at = (self.location)().map_err(|error| DataError::Unreachable(error.to_string()))?;
        let Some(bucket) = bucket else {
            return at.parse().map_err(answer::protocol);
        };
        let bucket = connection::bucket(&at, bucket, &self.region)?;
        match key {
            None => Ok(bucket.base_url().clone()),
            Some(key) => match bent(key) {
                Some(segment) => Err(DataError::IllegalKey(key.to_owned(), segment)),
                None => Ok(bucket.object_url(key)),
            },
        }
    }
}

/// The segment of a key that URLs take for a way to another one.
fn bent(key: &str) -> Option<&'static str> {
    key.split('/').find_map(|segment| match segment {
        "." => Some("."),
        ".." => Some(".."),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{Credentials, Transport};

    #[test]
    fn addresses_name_exactly_what_was_asked_for() {
        let http = Objects::http_client(Transport::Plain).unwrap();
        let keys = Credentials {
            access_key: "id".to_owned(),
            secret_key: "secret".to_owned(),
            session_token: None,
        };
        let location = Arc::new(|| Ok("http://store:9000/s3".to_owned()));
        let objects = Objects::new(http, location, "r", &keys);
        let cases = [
            (None, None, "http://store:9000/s3"),
            (Some("b"), None, "http://store:9000/s3/b/"),
            (Some("b"), Some("a//b"), "http://store:9000/s3/b/a//b"),
            (Some("b"), Some("/x"), "http://store:9000/s3/b//x"),
            (
                Some("b"),
                Some("a b/%2e%2e/ö?#"),
                "http://store:9000/s3/b/a%20b/%252e%252e/%C3%B6%3F%23",
            ),
            (Some("b"), Some("..."), "http://store:9000/s3/b/..."),
        ];
        for (bucket, key, expected) in cases {
            let address = objects.address(bucket, key).unwrap();
            assert_eq!(address.as_str(), expected);
        }
        for key in ["..", "a/../b", "./a", "a/."] {
            assert!(objects.address(Some("b"), Some(key)).is_err(), "{key}");
        }
    }
}
