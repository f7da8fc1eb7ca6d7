//! Which keys tags may have.

use std::collections::HashSet;

/// Refuses tag keys that are AWS's own, or given twice.
///
/// # Errors
/// The message for the first such key.
pub fn check_tag_keys(keys: &[&str]) -> Result<(), String> {
    if let Some(key) = keys
        .iter()
        .find(|key| key.to_lowercase().starts_with("aws:"))
    {
        return Err(format!(
            "Tag keys that start with 'aws:' are reserved for AWS use, and cannot be given: '{key}'."
        ));
    }
    let mut seen = HashSet::new();
    match keys.iter().find(|key| !seen.insert(**key)) {
        Some(key) => Err(format!(
            "Duplicate tag keys found: '{key}' is given more than once."
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_a_persons_own_and_different() {
        let cases: [(&[&str], bool); 5] = [
            (&[], true),
            (&["team", "Team", "x:aws:"], true),
            (&["team", "team"], false),
            (&["team", "aws:x"], false),
            (&["AWS:x"], false),
        ];
        for (keys, allowed) in cases {
            assert_eq!(check_tag_keys(keys).is_ok(), allowed, "{keys:?}");
        }
    }
}
