//! Lists of the query protocol, and the names that IAM takes.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// IAM's limit on a role's name; others may be as long as a policy's.
pub(super) const LONGEST_ROLE: usize = 64;
/// The limit on the names of policies.
pub(super) const LONGEST_POLICY: usize = 128;
/// The limit on the characters of a description.
pub(super) const LONGEST_DESCRIPTION: usize = 1000;

/// A list: `<name>.member.1`, `<name>.member.2` and so on, with what follows after
/// each number.
pub(super) fn members(body: &[u8], name: &str, rest: &str) -> Vec<String> {
    numbered(body, name, rest).into_values().collect()
}

/// The same, with the numbers.
pub(super) fn numbered(body: &[u8], name: &str, rest: &str) -> BTreeMap<u32, String> {
    let found = form_urlencoded::parse(body).filter_map(|(key, value)| {
        let number = key.strip_prefix(name)?.strip_prefix(".member.")?;
        let number = number.strip_suffix(rest)?;
        Some((number.parse().ok()?, value.into_owned()))
    });
    found.collect()
}

/// A list of keys and values.
pub(super) fn pairs(body: &[u8], name: &str) -> Vec<(String, String)> {
    let mut values = numbered(body, name, ".Value");
    let keys = numbered(body, name, ".Key").into_iter();
    keys.map(|(number, key)| (key, values.remove(&number).unwrap_or_default()))
        .collect()
}

/// IAM's pattern for names: `[\w+=,.@-]+`.
pub(super) fn is_name(name: &str, longest: usize) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    (1..=longest).contains(&name.len()) && name.chars().all(allowed)
}

/// IAM's pattern for paths: a slash, or something between two.
pub(super) fn is_path(path: &str) -> bool {
    let printable = path.bytes().all(|byte| (0x21..=0x7e).contains(&byte));
    let enclosed = path.len() > 2 && path.starts_with('/') && path.ends_with('/');
    path == "/" || (printable && enclosed && path.len() <= 512)
}

/// IAM's pattern for descriptions, which has no characters that XML cannot hold.
pub(super) fn is_description(text: &str) -> bool {
    let allowed = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{a1}'..='\u{ff}');
    text.chars().count() <= LONGEST_DESCRIPTION && text.chars().all(allowed)
}

/// IAM's pattern for the keys and the values of tags.
pub(super) fn is_tag_text(text: &str, lengths: RangeInclusive<usize>) -> bool {
    let allowed = |c: char| c.is_alphanumeric() || c == ' ' || "_.:/=+-@".contains(c);
    lengths.contains(&text.chars().count()) && text.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_in_the_order_of_its_numbers() {
        let body = b"ActionNames.member.10=c&ActionNames.member.2=b%26&ActionNames.member.1=a\
            &ActionNames.member.x=no&ActionNamesToo.member.1=no&ActionNames=no";
        assert_eq!(members(body, "ActionNames", ""), ["a", "b&", "c"]);
        assert!(members(body, "ResourceArns", "").is_empty());
    }

    #[test]
    fn keys_find_their_values() {
        let body = b"Tags.member.2.Value=y&Tags.member.2.Key=b&Tags.member.1.Key=a";
        let text = str::to_owned;
        let expected = [(text("a"), text("")), (text("b"), text("y"))];
        assert_eq!(pairs(body, "Tags"), expected);
    }

    #[test]
    fn names_and_paths_are_of_iam_s_form() {
        let cases = [
            ("a", true),
            ("A_+=,.@-9", true),
            ("", false),
            ("a/b", false),
            ("a b", false),
        ];
        for (name, sound) in cases {
            assert_eq!(is_name(name, LONGEST_ROLE), sound, "{name}");
        }
        assert!(!is_name(&"a".repeat(65), LONGEST_ROLE));
        for (path, sound) in [
            ("/", true),
            ("/a/b/", true),
            ("/a", false),
            ("a/", false),
            ("//", false),
            ("", false),
        ] {
            assert_eq!(is_path(path), sound, "{path}");
        }
        for (text, sound) in [
            ("", true),
            ("Trains\n\u{fc}bles.", true),
            ("a\u{1}", false),
            ("\u{7f}", false),
            ("\u{2028}", false),
        ] {
            assert_eq!(is_description(text), sound, "{text:?}");
        }
        assert!(!is_description(&"a".repeat(LONGEST_DESCRIPTION + 1)));
    }
}
