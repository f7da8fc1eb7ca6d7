//! Which tokens begin and end a text, and what a conversation is written as.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value as Json};

use super::super::file::Value;
use super::json::{Added, stages};
use super::open;
use crate::OptimizeError;
use crate::model::Model;

/// What tokens can be for, and what GGUF calls them.
const ROLES: [(&str, &str); 4] = [
    ("bos", "bos_token_id"),
    ("eos", "eos_token_id"),
    ("unk", "unknown_token_id"),
    ("pad", "padding_token_id"),
];

/// What is special about a tokenizer.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Special {
    /// The texts that stand at the beginning and at the end of a text.
    first: Option<String>,
    last: Option<String>,
    /// Roles and numbers of tokens.
    tokens: Vec<(&'static str, u32)>,
    /// Whether a text gets the first and the last one.
    adds: Vec<(&'static str, bool)>,
    template: Option<String>,
}

impl Special {
    /// What `tokenizer.json` says.
    pub(super) fn of(json: &super::json::Json) -> Self {
        let mut special = Self::default();
        for stage in stages(&json.post_processor, "processors") {
            let Some(single) = stage["single"].as_array() else {
                continue;
            };
            let token = |at: Option<&Json>| at?["SpecialToken"]["id"].as_str().map(str::to_owned);
            special.first = token(single.first());
            if single.len() > 1 {
                special.last = token(single.last());
            }
        }
        special
    }

    /// Adds what the other files say; `tokens` are all tokens.
    pub(super) fn complete(
        &mut self,
        model: &Model,
        tokens: &[String],
    ) -> Result<(), OptimizeError> {
        let config = config(model)?;
        for (role, key) in ROLES {
            let named = named(&config, role);
            let number = named.and_then(|name| tokens.iter().position(|token| token == name));
            let number = match number {
                Some(number) => u32::try_from(number).ok(),
                None => numbered(model, role, tokens.len()),
            };
            if let Some(number) = number {
                self.tokens.push((key, number));
            }
        }
        let added = [
            ("bos", "add_bos_token", &self.first),
            ("eos", "add_eos_token", &self.last),
        ];
        for (role, key, written) in added {
            let said = config.get(key).and_then(Json::as_bool);
            let written = written.as_deref();
            let matches = || written.map(|written| named(&config, role) == Some(written));
            if let Some(adds) = said.or_else(matches) {
                self.adds.push((key, adds));
            }
        }
        self.template = template(model, &config)?;
        Ok(())
    }

    pub(super) fn describe(&self) -> Vec<(String, Value)> {
        let tokens = self
            .tokens
            .iter()
            .map(|(key, number)| (*key, Value::U32(*number)));
        let adds = self
            .adds
            .iter()
            .map(|(key, adds)| (*key, Value::Bool(*adds)));
        let keys = tokens.chain(adds);
        let mut keys: Vec<(String, Value)> = keys
            .map(|(key, value)| (format!("tokenizer.ggml.{key}"), value))
            .collect();
        if let Some(template) = &self.template {
            let value = Value::Text(template.clone());
            keys.push(("tokenizer.chat_template".to_owned(), value));
        }
        keys
    }
}

/// The tokens beyond those of `tokenizer.model`, where there is no `tokenizer.json` to tell.
pub(super) fn added(model: &Model) -> Result<Vec<Added>, OptimizeError> {
    let mut found = BTreeMap::new();
    for (content, id) in object(model, "added_tokens.json")? {
        let id = id.as_u64().and_then(|id| usize::try_from(id).ok());
        found.extend(id.map(|id| (id, (content, false))));
    }
    let config = config(model)?;
    let listed = config.get("added_tokens_decoder").and_then(Json::as_object);
    for (id, token) in listed.into_iter().flatten() {
        let content = token["content"].as_str().map(str::to_owned);
        let special = token["special"] == true;
        let read = id.parse().ok().zip(content);
        found.extend(read.map(|(id, content)| (id, (content, special))));
    }
    let added = found.into_iter().map(|(id, (content, special))| Added {
        id,
        content,
        special,
    });
    Ok(added.collect())
}

fn config(model: &Model) -> Result<Map<String, Json>, OptimizeError> {
    object(model, "tokenizer_config.json")
}

/// What a file of the model's says; one that is not there says nothing.
fn object(model: &Model, name: &str) -> Result<Map<String, Json>, OptimizeError> {
    match open(model, name)? {
        None => Ok(Map::new()),
        Some(bytes) => serde_json::from_slice(&bytes)
            .map_err(|error| OptimizeError::Model(format!("{name} is not a JSON object: {error}"))),
    }
}

/// The text of a role's token.
fn named<'a>(config: &'a Map<String, Json>, role: &str) -> Option<&'a str> {
    match config.get(&format!("{role}_token"))? {
        Json::String(name) => Some(name),
        other => other["content"].as_str(),
    }
}

/// The number of a role's token as `config.json` has it: the first, if there are several.
fn numbered(model: &Model, role: &str, count: usize) -> Option<u32> {
    let number = model.config().raw.get(&format!("{role}_token_id"))?;
    let number = match number {
        Json::Array(several) => several.first()?,
        one => one,
    };
    let number = number.as_u64().filter(|number| *number < count as u64)?;
    u32::try_from(number).ok()
}

/// How conversations are written: in a file of its own, or in the configuration, where
/// there may be several.
fn template(model: &Model, config: &Map<String, Json>) -> Result<Option<String>, OptimizeError> {
    let name = "chat_template.jinja";
    if model.carried().iter().any(|path| path == Path::new(name)) {
        let bytes = open(model, name)?.unwrap_or_default();
        let text = String::from_utf8(bytes);
        return text
            .map(Some)
            .map_err(|_| OptimizeError::Model(format!("{name} is not a text")));
    }
    Ok(match config.get("chat_template") {
        Some(Json::String(template)) => Some(template.clone()),
        Some(Json::Array(several)) => several
            .iter()
            .find(|one| one["name"] == "default")
            .and_then(|one| one["template"].as_str())
            .map(str::to_owned),
        _ => None,
    })
}
