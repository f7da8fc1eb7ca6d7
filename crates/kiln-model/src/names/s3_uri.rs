//! Places in S3.

use std::fmt;
use std::str::FromStr;

use super::NameError;
use crate::text::serde_as_text;

/// A bucket and a key or prefix in it: `s3://bucket/key`. The key may be empty;
/// a slash at its end is kept, for it is part of a prefix.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct S3Uri {
    bucket: String,
    key: String,
}

impl S3Uri {
    /// The place of a key in a bucket.
    pub fn new(bucket: &str, key: &str) -> Result<Self, NameError> {
        format!("s3://{bucket}/{key}").parse()
    }

    /// The bucket.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The key or prefix; empty for the whole bucket.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The place of something below this one, with one slash between.
    pub fn child(&self, name: &str) -> Self {
        let parent = self.key.trim_end_matches('/');
        let key = if parent.is_empty() {
            name.to_owned()
        } else {
            format!("{parent}/{name}")
        };
        Self {
            bucket: self.bucket.clone(),
            key,
        }
    }
}

impl fmt::Display for S3Uri {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "s3://{}", self.bucket)?;
        if self.key.is_empty() {
            return Ok(());
        }
        write!(formatter, "/{}", self.key)
    }
}

impl FromStr for S3Uri {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let invalid = || NameError::S3Uri(text.to_owned());
        let place = text.strip_prefix("s3://").ok_or_else(invalid)?;
        let (bucket, key) = place.split_once('/').unwrap_or((place, ""));
        if !is_bucket(bucket) || key.len() > LONGEST_KEY {
            return Err(invalid());
        }
        Ok(Self {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
        })
    }
}

serde_as_text!(S3Uri);

/// In bytes.
const LONGEST_KEY: usize = 1024;

/// Whether a bucket may have this name, the oldest buckets included.
fn is_bucket(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    (3..=255).contains(&name.len())
        && name.bytes().all(allowed)
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn places() {
        for (text, bucket, key) in [
            ("s3://data/train/part-0.csv", "data", "train/part-0.csv"),
            ("s3://data/train/", "data", "train/"),
            ("s3://data", "data", ""),
            ("s3://data/", "data", ""),
            ("s3://data//odd//é", "data", "/odd//é"),
            ("s3://Old_Bucket.x/k", "Old_Bucket.x", "k"),
        ] {
            let uri: S3Uri = text.parse().unwrap();
            assert_eq!((uri.bucket(), uri.key()), (bucket, key), "{text}");
        }
        let long = format!("s3://data/{}", "k".repeat(1025));
        for text in [
            "",
            "data/train",
            "https://data/x",
            "s3:/data/x",
            "s3://",
            "s3:///x",
            "s3://a b/x",
            "s3://../x",
            "S3://data/x",
            &long,
        ] {
            assert!(text.parse::<S3Uri>().is_err(), "{text}");
        }
        assert_eq!(
            "data".parse::<S3Uri>().unwrap_err().to_string(),
            "'data' is not a place in S3, which looks like s3://bucket/key"
        );
    }

    #[test]
    fn children_have_one_slash_between() {
        for (parent, expected) in [
            ("s3://out", "s3://out/job/output/model.tar.gz"),
            ("s3://out/", "s3://out/job/output/model.tar.gz"),
            ("s3://out/p", "s3://out/p/job/output/model.tar.gz"),
            ("s3://out/p//", "s3://out/p/job/output/model.tar.gz"),
        ] {
            let parent: S3Uri = parent.parse().unwrap();
            assert_eq!(
                parent.child("job/output/model.tar.gz").to_string(),
                expected
            );
        }
    }

    proptest! {
        #[test]
        fn places_read_back(bucket in "[a-z0-9][a-z0-9.-]{2,20}", key in "(\\PC|/){0,60}") {
            let uri = S3Uri::new(&bucket, &key).unwrap();
            prop_assert_eq!(uri.key(), key);
            prop_assert_eq!(uri.to_string().parse::<S3Uri>(), Ok(uri));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "(s3://)?.{0,40}") {
            let _ = text.parse::<S3Uri>();
        }
    }
}
