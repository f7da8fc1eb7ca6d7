//! The rule that a FastFile channel's prefix names whole files and folders.
//!
//! A channel's prefix is one of characters: `data/train` also matches
//! `data/train2/x`. In File mode that is what people get; a FastFile channel
//! whose prefix ends inside a name is refused, as in the cloud.

use crate::DataError;

/// Checks that every one of these keys, which start with `prefix`, lies in the
/// folder that it names or is the file that it names.
///
/// # Errors
/// [`DataError::PartialPrefix`] when one continues the prefix's last name.
pub fn check_prefix<'a>(
    prefix: &str,
    keys: impl IntoIterator<Item = &'a str>,
) -> Result<(), DataError> {
    let mut keys = keys.into_iter();
    match keys.all(|key| names_whole(prefix, key)) {
        true => Ok(()),
        false => Err(DataError::PartialPrefix),
    }
}

fn names_whole(prefix: &str, key: &str) -> bool {
    let rest = key.strip_prefix(prefix).unwrap_or_default();
    prefix.is_empty() || prefix.ends_with('/') || rest.is_empty() || rest.starts_with('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_with_a_whole_name() {
        let cases: [(&str, &[&str], bool); 8] = [
            ("", &["a", "b/c"], true),
            ("data/", &["data/a", "data/b/c"], true),
            ("data", &["data/a", "data/b"], true),
            ("data/a.csv", &["data/a.csv"], true),
            ("data/tr", &["data/train.csv"], false),
            ("data/train", &["data/train/a", "data/train2/a"], false),
            ("data/a", &["data/a", "data/a.csv"], false),
            ("data", &[], true),
        ];
        for (prefix, keys, whole) in cases {
            let checked = check_prefix(prefix, keys.iter().copied());
            assert_eq!(checked.is_ok(), whole, "{prefix} {keys:?}");
        }
    }
}
