//! Tokenizers that work on bytes, which they write as letters.

use serde_json::Value;

use super::json::{Json, Merge, stages};
use super::special::Special;
use super::{NORMAL, Numbered, Tokenizer, refuse};
use crate::OptimizeError;

/// What a text is split by, whether merges are ignored for whole words, and what llama.cpp
/// calls it.
const SPLITS: [(&str, bool, &str); 4] = [
    (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        true,
        "llama-bpe",
    ),
    (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        false,
        "smaug-bpe",
    ),
    (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        false,
        "qwen2",
    ),
    (
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        true,
        "tekken",
    ),
];

pub(super) fn tokenizer(json: &Json, vocabulary: usize) -> Result<Tokenizer, OptimizeError> {
    let split = split(json)?;
    for normalizer in stages(&json.normalizer, "normalizers") {
        // llama.cpp takes texts as they are; composed ones come out the same.
        if normalizer["type"] != "NFC" {
            return refuse(format!("normalizes texts by {}", normalizer["type"]));
        }
    }
    let mut tokens = Numbered::new(vocabulary);
    for (token, number) in &json.model.vocab {
        tokens.put(*number, token.clone(), NORMAL)?;
    }
    for added in &json.added_tokens {
        tokens.put(added.id, added.content.clone(), added.kind())?;
    }
    let (tokens, kinds) = tokens.finish();
    Ok(Tokenizer {
        model: "gpt2",
        split,
        tokens,
        kinds,
        scores: Vec::new(),
        merges: json.model.merges.iter().filter_map(merge).collect(),
        space_before: None,
        special: Special::of(json),
    })
}

/// A merge as one text. Spaces inside of a token are written as the letter that stands for
/// their byte.
fn merge(merge: &Merge) -> Option<String> {
    let (left, right) = merge.pair()?;
    let escaped = |token: &str| token.replace(' ', "\u{120}");
    Some(format!("{} {}", escaped(left), escaped(right)))
}

/// What llama.cpp calls the way that texts are split.
fn split(json: &Json) -> Result<&'static str, OptimizeError> {
    let stages = stages(&json.pre_tokenizer, "pretokenizers");
    let (pattern, bytes) = match stages.as_slice() {
        [bytes] => (None, *bytes),
        [split, bytes] if split["type"] == "Split" => (split["pattern"]["Regex"].as_str(), *bytes),
        _ => return refuse("splits texts in a way that llama.cpp has no name for"),
    };
    if bytes["type"] != "ByteLevel" || bytes["add_prefix_space"] == Value::Bool(true) {
        return refuse("does not work on the bytes of texts as they are");
    }
    let splits_itself = bytes["use_regex"] != Value::Bool(false);
    let ignore = json.model.ignore_merges;
    match (pattern, splits_itself) {
        (None, true) if stages.len() == 1 && !ignore => Ok("gpt-2"),
        (Some(pattern), false) => {
            let known = SPLITS
                .iter()
                .find(|(split, ignores, _)| *split == pattern && *ignores == ignore);
            match known {
                Some((_, _, name)) => Ok(name),
                None => refuse(format!(
                    "splits texts by {pattern}, which llama.cpp has no name for"
                )),
            }
        }
        _ => refuse("splits texts in a way that llama.cpp has no name for"),
    }
}
