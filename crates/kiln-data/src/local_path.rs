//! Where an object lies in its channel's directory.
//!
//! The prefix of a channel is a prefix of the key's characters, not of its
//! path: `data/tr` brings `data/train.csv`. A key's path in the channel is what
//! follows the prefix; when that starts inside a path segment, what follows the
//! prefix's last `/`.

use std::path::PathBuf;

use crate::DataError;

/// The longest name that Linux file systems take.
const LONGEST_NAME: usize = 255;
/// The longest path that the kernel takes, with room for the channel's own.
const LONGEST_PATH: usize = 3500;

/// Where a key's object goes, relative to the channel's directory; `None` for a
/// folder marker, one of the empty objects that consoles make to show a folder.
///
/// # Errors
/// When the key has an empty, `.` or `..` segment or one that is too long,
/// which no path can express.
pub fn local_path(prefix: &str, key: &str) -> Result<Option<PathBuf>, DataError> {
    if key.ends_with('/') && !key.ends_with("//") {
        return Ok(None);
    }
    let rest = key.strip_prefix(prefix).unwrap_or(key);
    let relative = match rest.strip_prefix('/') {
        Some(below) if !prefix.is_empty() => below,
        _ => {
            // The prefix ends inside a segment (or is the whole key): the path
            // starts at that segment's beginning.
            let segment = prefix.rfind('/').map_or(0, |slash| slash + 1);
            key.get(segment..).unwrap_or(rest)
        }
    };
    if key.contains("//") {
        return Err(DataError::IllegalKey(key.to_owned(), "//"));
    }
    checked(relative, key).map(Some)
}

/// A relative path out of a key, if it stays below where it starts.
///
/// # Errors
/// When it does not, or no file system would take it.
pub fn checked(relative: &str, key: &str) -> Result<PathBuf, DataError> {
    let illegal = |part| Err(DataError::IllegalKey(key.to_owned(), part));
    if relative.contains('\0') {
        return illegal("\\0");
    }
    if relative.len() > LONGEST_PATH {
        return Err(DataError::LongKey(key.to_owned()));
    }
    for segment in relative.split('/') {
        match segment {
            "" => return illegal("//"),
            "." => return illegal("."),
            ".." => return illegal(".."),
            name if name.len() > LONGEST_NAME => {
                return Err(DataError::LongKey(key.to_owned()));
            }
            _ => {}
        }
    }
    Ok(PathBuf::from(relative))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_become_paths_as_the_prefix_rules_say() {
        let cases = [
            ("p/input", "p/input/test", Some("test")),
            ("p/input/", "p/input/a/b.csv", Some("a/b.csv")),
            ("p/input", "p/input", Some("input")),
            ("p/tr", "p/train.csv", Some("train.csv")),
            ("p/tr", "p/train/a.csv", Some("train/a.csv")),
            ("", "a/b", Some("a/b")),
            ("p/", "p/", None),
            ("p", "p/folder/", None),
            ("data.csv", "data.csv", Some("data.csv")),
        ];
        for (prefix, key, expected) in cases {
            let path = local_path(prefix, key).unwrap();
            assert_eq!(path, expected.map(PathBuf::from), "{prefix} {key}");
        }
    }

    #[test]
    fn keys_that_no_path_can_express_are_refused() {
        for (prefix, key) in [
            ("p/", "p/a//b"),
            ("p", "p//b"),
            ("p/", "p/../x"),
            ("", "./x"),
            ("", "/x"),
            ("p/", "p/x\0"),
            ("p/", &format!("p/{}", "x".repeat(256))),
            ("p/", &format!("p/{}x", "x/".repeat(2000))),
        ] {
            assert!(local_path(prefix, key).is_err(), "{prefix} {key}");
        }
        let error = local_path("p/", "p/a//b").unwrap_err().to_string();
        assert_eq!(
            error,
            "S3 key: p/a//b has an illegal char sub-sequence '//' in it"
        );
    }

    #[test]
    fn a_manifest_s_relative_path_is_held_to_the_same() {
        assert_eq!(checked("a/b", "p/a/b").unwrap(), PathBuf::from("a/b"));
        for relative in ["", "/a", "a/", "../a", "a/../../b"] {
            assert!(checked(relative, relative).is_err(), "{relative}");
        }
    }

    proptest! {
        #[test]
        fn a_path_never_leaves_the_channel(key in "[a-z./]{0,24}", cut in 0usize..24) {
            let prefix = &key[..cut.min(key.len())];
            if let Ok(Some(path)) = local_path(prefix, &key) {
                prop_assert!(path.components().all(|c| matches!(c, std::path::Component::Normal(_))));
            }
        }
    }
}
