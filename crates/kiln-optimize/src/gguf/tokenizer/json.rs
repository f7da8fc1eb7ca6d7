//! `tokenizer.json`, as far as it is needed.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

use super::{CONTROL, USER_DEFINED, refuse};
use crate::OptimizeError;

/// The file.
#[derive(Debug, Deserialize)]
pub(super) struct Json {
    #[serde(default)]
    pub(super) added_tokens: Vec<Added>,
    #[serde(default)]
    pub(super) normalizer: Value,
    #[serde(default)]
    pub(super) pre_tokenizer: Value,
    #[serde(default)]
    pub(super) post_processor: Value,
    pub(super) model: Bpe,
}

/// A token that is found in a text before anything else.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Added {
    pub(super) id: usize,
    pub(super) content: String,
    #[serde(default)]
    pub(super) special: bool,
}

/// Byte pair encoding.
#[derive(Debug, Deserialize)]
pub(super) struct Bpe {
    pub(super) vocab: HashMap<String, usize>,
    #[serde(default)]
    pub(super) merges: Vec<Merge>,
    #[serde(default)]
    pub(super) byte_fallback: bool,
    #[serde(default)]
    pub(super) ignore_merges: bool,
    #[serde(default)]
    pub(super) unk_token: Option<String>,
}

/// Two tokens that become one. Older files have them in one text with a space between.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Merge {
    Text(String),
    Pair(String, String),
}

impl Merge {
    pub(super) fn pair(&self) -> Option<(&str, &str)> {
        match self {
            Self::Text(text) => text.split_once(' '),
            Self::Pair(left, right) => Some((left, right)),
        }
    }
}

impl Added {
    /// What it is. Some models forget to say that a token is special.
    pub(super) fn kind(&self) -> i32 {
        let text = self.content.as_str();
        let between = |begin: &str, end: &str| text.starts_with(begin) && text.ends_with(end);
        let looks_special = between("<|", "|>") || text == "<pad>" || text == "<mask>";
        match self.special || looks_special {
            true => CONTROL,
            false => USER_DEFINED,
        }
    }
}

/// Which algorithm it is, read before the rest, which may look like anything.
#[derive(Deserialize)]
struct Kind {
    model: KindOfModel,
}

#[derive(Deserialize)]
struct KindOfModel {
    #[serde(rename = "type")]
    kind: Option<String>,
}

pub(super) fn parse(bytes: &[u8]) -> Result<Json, OptimizeError> {
    let broken = |error: serde_json::Error| {
        OptimizeError::Model(format!("tokenizer.json is not a tokenizer: {error}"))
    };
    let kind: Kind = serde_json::from_slice(bytes).map_err(broken)?;
    if let Some(kind) = kind.model.kind
        && kind != "BPE"
    {
        return refuse(format!("is of the kind {kind}, and only BPE is converted"));
    }
    serde_json::from_slice(bytes).map_err(broken)
}

/// The stages of a pre-tokenizer or normalizer, which may be one or a sequence.
pub(super) fn stages<'a>(stage: &'a Value, list: &str) -> Vec<&'a Value> {
    match (stage, stage[list].as_array()) {
        (Value::Null, _) => Vec::new(),
        (_, Some(stages)) if stage["type"] == "Sequence" => stages.iter().collect(),
        _ => vec![stage],
    }
}
