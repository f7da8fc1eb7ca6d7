//! The tags of users and roles.

use kiln_store::principals::{Principal, PrincipalError, PrincipalKind, TAGS_AT_MOST};

use super::answer::{Answer, page, text};
use super::entities::change;
use super::member::{is_tag_text, members, pairs};
use super::{DONE, Fault, Request, invalid};

/// The limits on the characters of a key and of a value.
const LONGEST_KEY: usize = 128;
const LONGEST_VALUE: usize = 256;

/// Keys and their values.
type Tags = Vec<(String, String)>;

/// The tags that a request gives.
pub(super) fn given(request: &Request<'_>) -> Result<Tags, Fault> {
    let given = pairs(request.call.body, "Tags");
    checked(given)
}

/// Tags that somebody may have together. Keys are the same in any case.
fn checked(given: Tags) -> Result<Tags, Fault> {
    let mut keys = Vec::new();
    for (key, value) in &given {
        let sound = is_tag_text(key, 1..=LONGEST_KEY) && is_tag_text(value, 0..=LONGEST_VALUE);
        if !sound || key.to_lowercase().starts_with("aws:") {
            return Err(invalid(format!(
                "1 validation error detected: Value at 'tags' failed to satisfy constraint: keys \
                 have 1 to {LONGEST_KEY} and values at most {LONGEST_VALUE} characters, which \
                 are letters, numbers, spaces and _.:/=+-@, and no key begins with aws:"
            )));
        }
        let key = key.to_lowercase();
        if keys.contains(&key) {
            let message = "Duplicate tag keys found. Please note that Tag keys are case \
                insensitive.";
            return Err(Fault::new("InvalidInput", message));
        }
        keys.push(key);
    }
    match given.len() > TAGS_AT_MOST {
        true => Err(invalid(format!(
            "1 validation error detected: Value at 'tags' failed to satisfy constraint: Member \
             must have length less than or equal to {TAGS_AT_MOST}"
        ))),
        false => Ok(given),
    }
}

pub(super) async fn add(request: &Request<'_>, kind: PrincipalKind) -> Result<Answer, Fault> {
    let given = given(request)?;
    let tagged = |entity: &mut Principal| {
        for (key, value) in given {
            entity.tags.retain(|(one, _)| !same(one, &key));
            entity.tags.push((key, value));
        }
        match entity.tags.len() > TAGS_AT_MOST {
            true => Err(PrincipalError::TooManyTags),
            false => Ok(()),
        }
    };
    change(request, kind, tagged).await?;
    Ok(DONE)
}

pub(super) async fn remove(request: &Request<'_>, kind: PrincipalKind) -> Result<Answer, Fault> {
    let gone = members(request.call.body, "TagKeys", "");
    let untagged = move |entity: &mut Principal| {
        let is_gone = |key: &str| gone.iter().any(|one| same(one, key));
        entity.tags.retain(|(key, _)| !is_gone(key));
        Ok(())
    };
    change(request, kind, untagged).await?;
    Ok(DONE)
}

fn same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

pub(super) fn list(request: &Request<'_>, kind: PrincipalKind) -> Result<Answer, Fault> {
    let entity = request.entity(kind)?;
    let tags = entity.tags.iter();
    let members: Vec<String> = tags
        .map(|(key, value)| text("Key", key) + &text("Value", value))
        .collect();
    page(request, "Tags", &members)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_have_keys_of_their_own_and_no_odd_characters() {
        let tag = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let many = |count: usize| (0..count).map(|one| tag(&one.to_string(), "")).collect();
        let cases: [(Tags, Option<&str>); 8] = [
            (vec![], None),
            (vec![tag("Team", "ümlaut a:b/c=d+e-f@g_h.i")], None),
            (many(TAGS_AT_MOST), None),
            (many(TAGS_AT_MOST + 1), Some("ValidationError")),
            (
                vec![tag("team", "a"), tag("Team", "b")],
                Some("InvalidInput"),
            ),
            (vec![tag("aws:team", "a")], Some("ValidationError")),
            (vec![tag("", "a")], Some("ValidationError")),
            (vec![tag("team", "\u{1}")], Some("ValidationError")),
        ];
        for (tags, code) in cases {
            let found = checked(tags.clone()).err().map(|fault| fault.code);
            assert_eq!(found, code, "{tags:?}");
        }
    }
}
