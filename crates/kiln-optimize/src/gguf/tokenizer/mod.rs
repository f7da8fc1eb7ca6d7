//! The tokenizer of a model as GGUF files have it.
//!
//! There are two kinds. Those of Llama 3 and Qwen work on bytes, and what splits a text
//! before has to be one of the ways that llama.cpp knows by name. Those of Llama 2 work on
//! SentencePiece's pieces. Anything else is refused: a file whose text comes out differently
//! helps nobody.

mod bytewise;
#[cfg(test)]
mod fuzz;
mod json;
mod pieces;
mod special;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use super::file::Value;
use crate::OptimizeError;
use crate::model::Model;

/// Larger files are not those of a tokenizer.
const LARGEST: u64 = 256 << 20;

/// What a token is, by the numbers that SentencePiece gave.
const NORMAL: i32 = 1;
const UNKNOWN: i32 = 2;
const CONTROL: i32 = 3;
const USER_DEFINED: i32 = 4;
const UNUSED: i32 = 5;
const BYTE: i32 = 6;

/// A tokenizer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tokenizer {
    /// `gpt2` or `llama`.
    model: &'static str,
    /// How a text is split before.
    split: &'static str,
    tokens: Vec<String>,
    kinds: Vec<i32>,
    scores: Vec<f32>,
    merges: Vec<String>,
    /// Whether a text gets a space before it.
    space_before: Option<bool>,
    special: special::Special,
}

impl Tokenizer {
    /// How many tokens it has, holes included.
    pub(super) fn size(&self) -> usize {
        self.tokens.len()
    }
}

/// Reads the tokenizer, if the model has one. The vocabulary has so many tokens.
pub(super) fn read(model: &Model, vocabulary: usize) -> Result<Option<Tokenizer>, OptimizeError> {
    let json = open(model, "tokenizer.json")?;
    let pieces = open(model, "tokenizer.model")?;
    let mut tokenizer = match (json, pieces) {
        (None, None) => return Ok(None),
        (Some(json), pieces) => {
            let json = json::parse(&json)?;
            match json.model.byte_fallback {
                true => pieces::tokenizer(&json, pieces.as_deref(), vocabulary)?,
                false => bytewise::tokenizer(&json, vocabulary)?,
            }
        }
        (None, Some(pieces)) => pieces::alone(&pieces, &special::added(model)?, vocabulary)?,
    };
    tokenizer.special.complete(model, &tokenizer.tokens)?;
    Ok(Some(tokenizer))
}

/// A file of the model's, if it is there.
fn open(model: &Model, name: &str) -> Result<Option<Vec<u8>>, OptimizeError> {
    if !model.carried().iter().any(|path| path == Path::new(name)) {
        return Ok(None);
    }
    let path = model.directory().join(name);
    let file = File::open(&path).map_err(OptimizeError::read(&path))?;
    let mut bytes = Vec::new();
    BufReader::new(file)
        .take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(OptimizeError::read(&path))?;
    if bytes.len() as u64 > LARGEST {
        return Err(OptimizeError::Model(format!(
            "{name} has more than {LARGEST} bytes"
        )));
    }
    Ok(Some(bytes))
}

/// The metadata about a tokenizer, or that there is none.
pub(super) fn describe(tokenizer: Option<&Tokenizer>) -> Vec<(String, Value)> {
    let key = |name: &str| format!("tokenizer.ggml.{name}");
    let Some(tokenizer) = tokenizer else {
        return vec![(key("model"), Value::Text("none".to_owned()))];
    };
    let mut keys = vec![
        (key("model"), Value::Text(tokenizer.model.to_owned())),
        (key("pre"), Value::Text(tokenizer.split.to_owned())),
        (key("tokens"), Value::Texts(tokenizer.tokens.clone())),
        (key("token_type"), Value::Integers(tokenizer.kinds.clone())),
    ];
    if !tokenizer.scores.is_empty() {
        keys.push((key("scores"), Value::Floats(tokenizer.scores.clone())));
    }
    if !tokenizer.merges.is_empty() {
        keys.push((key("merges"), Value::Texts(tokenizer.merges.clone())));
    }
    if let Some(space) = tokenizer.space_before {
        keys.push((key("add_space_prefix"), Value::Bool(space)));
    }
    keys.extend(tokenizer.special.describe());
    keys
}

/// The tokens in the order of their numbers, of which there may be holes.
struct Numbered(Vec<Option<(String, i32)>>);

impl Numbered {
    fn new(vocabulary: usize) -> Self {
        Self(vec![None; vocabulary])
    }

    fn put(&mut self, number: usize, token: String, kind: i32) -> Result<(), OptimizeError> {
        let count = self.0.len();
        let Some(place) = self.0.get_mut(number) else {
            return Err(OptimizeError::Model(format!(
                "the tokenizer has the token {token:?} with the number {number}, but the model has {count} tokens"
            )));
        };
        *place = Some((token, kind));
        Ok(())
    }

    /// The tokens and what they are, holes having names of their own.
    fn finish(self) -> (Vec<String>, Vec<i32>) {
        let numbered = self.0.into_iter().enumerate();
        numbered
            .map(|(number, token)| token.unwrap_or_else(|| (format!("[PAD{number}]"), UNUSED)))
            .unzip()
    }
}

fn refuse<T>(problem: impl Into<String>) -> Result<T, OptimizeError> {
    Err(OptimizeError::Unsupported(format!(
        "the model cannot be converted to GGUF, because its tokenizer {}",
        problem.into()
    )))
}
