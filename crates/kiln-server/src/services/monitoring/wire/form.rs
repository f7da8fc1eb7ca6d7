//! Forms: `Dimensions.member.1.Name=Host` and so on.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// A name with more parts than any parameter has is left out.
const DEEPEST: usize = 12;
/// What the members of a list are below.
const LIST: &str = "member";

/// The operation, and the parameters as a tree of texts.
pub(super) fn read(query: &[u8], body: &[u8]) -> (Option<String>, Value) {
    let mut operation = None;
    let mut tree = Map::new();
    for (name, value) in form_urlencoded::parse(query).chain(form_urlencoded::parse(body)) {
        match &*name {
            "Action" => operation = Some(value.into_owned()),
            "Version" => {}
            // An empty list is written as an empty parameter.
            _ if value.is_empty() => {}
            _ => {
                let parts: Vec<&str> = name.split('.').collect();
                if parts.len() <= DEEPEST {
                    insert(&mut tree, &parts, value.into_owned());
                }
            }
        }
    }
    (operation, lists(Value::Object(tree)))
}

fn insert(tree: &mut Map<String, Value>, path: &[&str], value: String) {
    match path {
        [] => {}
        [name] => {
            tree.insert((*name).to_owned(), Value::String(value));
        }
        [name, rest @ ..] => {
            let below = tree.entry(*name).or_insert_with(|| Map::new().into());
            // A parameter that is a text already has no members.
            if let Value::Object(below) = below {
                insert(below, rest, value);
            }
        }
    }
}

/// Makes lists of the members that are numbered.
fn lists(tree: Value) -> Value {
    let Value::Object(mut members) = tree else {
        return tree;
    };
    if members.len() == 1
        && let Some(Value::Object(numbered)) = members.get_mut(LIST)
    {
        let numbered = std::mem::take(numbered).into_iter();
        let items: BTreeMap<u32, Value> = numbered
            .filter_map(|(number, item)| Some((number.parse().ok()?, lists(item))))
            .collect();
        return items.into_values().collect();
    }
    let members = members.into_iter();
    Value::Object(members.map(|(name, value)| (name, lists(value))).collect())
}
