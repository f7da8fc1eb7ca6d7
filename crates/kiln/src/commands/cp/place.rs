//! The two ends of a copy, and what a copy is called at the other end.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use kiln_model::{NameError, S3Uri};

/// One end of a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// On this machine.
    Local(PathBuf),
    /// In an S3.
    Object(S3Uri),
    /// The standard input or output, called `-` as everywhere.
    Stream,
}

impl FromStr for Place {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.starts_with("s3://") {
            text.parse().map(Self::Object)
        } else if text == "-" {
            Ok(Self::Stream)
        } else {
            Ok(Self::Local(PathBuf::from(text)))
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(path) => path.display().fmt(formatter),
            Self::Object(uri) => uri.fmt(formatter),
            Self::Stream => "-".fmt(formatter),
        }
    }
}

/// Whether a key stands for what is below it.
pub fn is_directory(key: &str) -> bool {
    key.is_empty() || key.ends_with('/')
}

/// What all keys below a key begin with.
pub fn directory_prefix(key: &str) -> String {
    if is_directory(key) {
        key.to_owned()
    } else {
        format!("{key}/")
    }
}

/// The key of a file that goes to this key.
pub fn key_for(key: &str, name: &str) -> String {
    if is_directory(key) {
        format!("{key}{name}")
    } else {
        key.to_owned()
    }
}

/// The path of an object that goes to this place.
pub fn path_for(place: &Path, is_directory: bool, key: &str) -> PathBuf {
    let ends_with_slash = place.as_os_str().as_encoded_bytes().ends_with(b"/");
    // A key such as `a/..` has no name, and would leave the directory.
    let name = Path::new(key).file_name().unwrap_or_default();
    if is_directory || ends_with_slash {
        place.join(name)
    } else {
        place.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_s3_says_so() {
        let object = |bucket, key| Place::Object(S3Uri::new(bucket, key).unwrap());
        assert_eq!("s3://b-1/k".parse(), Ok(object("b-1", "k")));
        assert_eq!("s3://b-1".parse(), Ok(object("b-1", "")));
        assert_eq!("a/b".parse(), Ok(Place::Local("a/b".into())));
        assert_eq!("-".parse(), Ok(Place::Stream));
        assert_eq!("./-".parse(), Ok(Place::Local("./-".into())));
        assert!("s3://".parse::<Place>().is_err());
    }

    #[test]
    fn keys_follow_files() {
        for (key, name, expected) in [
            ("", "f", "f"),
            ("p/", "f", "p/f"),
            ("p/other", "f", "p/other"),
        ] {
            assert_eq!(key_for(key, name), expected);
        }
        for (key, expected) in [("", ""), ("p", "p/"), ("p/", "p/")] {
            assert_eq!(directory_prefix(key), expected);
        }
    }

    #[test]
    fn paths_follow_keys() {
        for (place, is_directory, key, expected) in [
            ("out", false, "p/model.tar.gz", "out"),
            ("out", true, "p/model.tar.gz", "out/model.tar.gz"),
            ("new/", false, "p/model.tar.gz", "new/model.tar.gz"),
            (".", true, "k", "./k"),
        ] {
            assert_eq!(
                path_for(Path::new(place), is_directory, key),
                PathBuf::from(expected)
            );
        }
    }
}
