//! Tags of objects, as the header and the tagging documents carry them.

use std::collections::BTreeMap;

use s3s::S3ErrorCode;

use crate::S3Error;

/// S3's limits.
const MOST_TAGS: usize = 10;
const LONGEST_KEY: usize = 128;
const LONGEST_VALUE: usize = 256;

/// Tags from `x-amz-tagging`, which has the form of a query string.
pub(crate) fn from_header(header: Option<&str>) -> Result<BTreeMap<String, String>, S3Error> {
    let pairs = form_urlencoded::parse(header.unwrap_or_default().as_bytes());
    checked(pairs.into_owned())
}

/// Tags from key and value pairs, within S3's limits.
pub(crate) fn checked(
    pairs: impl IntoIterator<Item = (String, String)>,
) -> Result<BTreeMap<String, String>, S3Error> {
    let mut tags = BTreeMap::new();
    for (key, value) in pairs {
        if key.is_empty() || key.chars().count() > LONGEST_KEY {
            return Err(invalid("The TagKey you have provided is invalid"));
        }
        if value.chars().count() > LONGEST_VALUE {
            return Err(invalid("The TagValue you have provided is invalid"));
        }
        if tags.insert(key, value).is_some() {
            return Err(invalid("Cannot provide multiple Tags with the same key"));
        }
    }
    if tags.len() > MOST_TAGS {
        return Err(S3Error::refused(
            S3ErrorCode::Custom("BadRequest".into()),
            "Object tags cannot be greater than 10",
        ));
    }
    Ok(tags)
}

fn invalid(message: &str) -> S3Error {
    S3Error::refused(S3ErrorCode::InvalidTag, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_stay_within_the_limits() {
        let ok = |header: &str| from_header(Some(header)).is_ok();
        assert!(from_header(None).unwrap().is_empty());
        let tags = from_header(Some("a=1&b=x%20y")).unwrap();
        assert_eq!(tags["b"], "x y");
        assert!(!ok("a=1&a=2"));
        assert!(!ok("=1"));
        assert!(ok(&format!("{}=1", "k".repeat(128))));
        assert!(!ok(&format!("{}=1", "k".repeat(129))));
        assert!(!ok(&format!("k={}", "v".repeat(257))));
        let eleven: Vec<_> = (0..11).map(|n| format!("k{n}=v")).collect();
        assert!(!ok(&eleven.join("&")));
    }
}
