//! Tokenizers that work on SentencePiece's pieces, each of which has a score: where several
//! could be merged, the one of the highest score is.
//!
//! The scores are in `tokenizer.model`. Where there is only `tokenizer.json`, its list of
//! merges is in the order of the scores, and a piece's place in it does as well as a score
//! as long as the merges that make one piece stand together.

use std::collections::HashMap;

use prost::Message;

use super::json::{Added, Json, stages};
use super::special::Special;
use super::{BYTE, NORMAL, Numbered, Tokenizer, UNKNOWN, USER_DEFINED, refuse};
use crate::OptimizeError;

/// The score of what is never made by merging.
pub(super) const NEVER: f32 = -1e6;

/// SentencePiece's file, as far as it is needed.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Sentences {
    #[prost(message, repeated, tag = "1")]
    pub(super) pieces: Vec<Piece>,
    #[prost(message, optional, tag = "2")]
    pub(super) trainer: Option<Trainer>,
    #[prost(message, optional, tag = "3")]
    pub(super) normalizer: Option<Normalizer>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Piece {
    #[prost(string, optional, tag = "1")]
    pub(super) piece: Option<String>,
    #[prost(float, optional, tag = "2")]
    pub(super) score: Option<f32>,
    #[prost(int32, optional, tag = "3")]
    pub(super) kind: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Trainer {
    /// 2 is byte pair encoding, and 1, which is usual, is not.
    #[prost(int32, optional, tag = "3")]
    pub(super) model_type: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Normalizer {
    #[prost(bool, optional, tag = "3")]
    pub(super) add_dummy_prefix: Option<bool>,
}

/// The tokenizer of `tokenizer.json`, with scores from `tokenizer.model` where there is one.
pub(super) fn tokenizer(
    json: &Json,
    pieces: Option<&[u8]>,
    vocabulary: usize,
) -> Result<Tokenizer, OptimizeError> {
    let space = space_before(json)?;
    let unknown = json.model.unk_token.as_deref();
    let mut tokens = Numbered::new(vocabulary);
    for (token, number) in &json.model.vocab {
        let kind = match token.as_str() {
            token if Some(token) == unknown => UNKNOWN,
            token if is_byte(token) => BYTE,
            _ => NORMAL,
        };
        tokens.put(*number, token.clone(), kind)?;
    }
    for added in &json.added_tokens {
        match Some(added.content.as_str()) == unknown {
            true => tokens.put(added.id, added.content.clone(), UNKNOWN)?,
            false => put(&mut tokens, added)?,
        }
    }
    let (tokens, kinds) = tokens.finish();
    let sentences = pieces.map(parse).transpose()?;
    let known = match &sentences {
        Some(sentences) => scores_of(sentences),
        None => scores_by_place(json)?,
    };
    let score = |token: &String| known.get(token.as_str()).copied().unwrap_or(NEVER);
    Ok(Tokenizer {
        model: "llama",
        split: "default",
        scores: tokens.iter().map(score).collect(),
        tokens,
        kinds,
        merges: Vec::new(),
        space_before: Some(space),
        special: Special::of(json),
    })
}

/// The tokenizer of `tokenizer.model`, without `tokenizer.json` but with what other files
/// add to it.
pub(super) fn alone(
    pieces: &[u8],
    added: &[Added],
    vocabulary: usize,
) -> Result<Tokenizer, OptimizeError> {
    let sentences = parse(pieces)?;
    let mut tokens = Numbered::new(vocabulary);
    for (number, piece) in sentences.pieces.iter().enumerate() {
        let kind = piece.kind.unwrap_or(NORMAL);
        tokens.put(number, piece.piece.clone().unwrap_or_default(), kind)?;
    }
    let beyond = |token: &&Added| token.id >= sentences.pieces.len();
    for token in added.iter().filter(beyond) {
        put(&mut tokens, token)?;
    }
    let (tokens, kinds) = tokens.finish();
    let mut scores: Vec<f32> = sentences.pieces.iter().map(score).collect();
    scores.resize(tokens.len(), NEVER);
    let normalizer = sentences.normalizer.as_ref();
    let space = normalizer.and_then(|normalizer| normalizer.add_dummy_prefix);
    Ok(Tokenizer {
        model: "llama",
        split: "default",
        tokens,
        kinds,
        scores,
        merges: Vec::new(),
        space_before: Some(space.unwrap_or(true)),
        special: Special::default(),
    })
}

/// Puts a token that is found in texts as it is, with spaces for what stands for them.
fn put(tokens: &mut Numbered, added: &Added) -> Result<(), OptimizeError> {
    let content = match added.kind() {
        USER_DEFINED => added.content.replace('\u{2581}', " "),
        _ => added.content.clone(),
    };
    tokens.put(added.id, content, added.kind())
}

fn parse(pieces: &[u8]) -> Result<Sentences, OptimizeError> {
    let sentences = Sentences::decode(pieces).map_err(|error| {
        OptimizeError::Model(format!("tokenizer.model is not SentencePiece's: {error}"))
    })?;
    let trainer = sentences.trainer.as_ref();
    match trainer.and_then(|trainer| trainer.model_type) {
        Some(2) => Ok(sentences),
        _ => refuse("has a tokenizer.model that is not byte pair encoding"),
    }
}

fn score(piece: &Piece) -> f32 {
    piece.score.unwrap_or_default()
}

fn scores_of(sentences: &Sentences) -> HashMap<&str, f32> {
    let pieces = sentences.pieces.iter();
    let scored = pieces.filter_map(|piece| Some((piece.piece.as_deref()?, score(piece))));
    scored.collect()
}

/// Scores that lead to the same merges as the list.
fn scores_by_place(json: &Json) -> Result<HashMap<&str, f32>, OptimizeError> {
    let mut scores = HashMap::new();
    let mut before = "";
    let mut made = String::new();
    for merge in &json.model.merges {
        let Some((left, right)) = merge.pair() else {
            return refuse("has a merge that is not two tokens");
        };
        made.clear();
        made.extend([left, right]);
        let Some((piece, _)) = json.model.vocab.get_key_value(&made) else {
            return refuse(format!("merges to {made:?}, which is no token"));
        };
        if piece == before {
            continue;
        }
        let score = -(scores.len() as f32);
        if scores.insert(piece.as_str(), score).is_some() {
            return refuse(format!(
                "has no scores, and merges to {piece:?} at several places of its list"
            ));
        }
        before = piece;
    }
    Ok(scores)
}

/// Whether a text gets a space before it, which is written as U+2581.
fn space_before(json: &Json) -> Result<bool, OptimizeError> {
    let mut before = false;
    for normalizer in stages(&json.normalizer, "normalizers") {
        match normalizer["type"].as_str() {
            Some("Prepend") if normalizer["prepend"] == "\u{2581}" => before = true,
            Some("Replace") if normalizer["content"] == "\u{2581}" => {}
            _ => return refuse(format!("normalizes texts by {}", normalizer["type"])),
        }
    }
    for stage in stages(&json.pre_tokenizer, "pretokenizers") {
        if stage["type"] != "Metaspace" || stage["split"] == true {
            return refuse(format!("splits texts by {}", stage["type"]));
        }
        before |= match stage["prepend_scheme"].as_str() {
            Some(scheme) => scheme != "never",
            None => stage["add_prefix_space"] != false,
        };
    }
    Ok(before)
}

fn is_byte(token: &str) -> bool {
    let digits = token
        .strip_prefix("<0x")
        .and_then(|rest| rest.strip_suffix('>'));
    digits.is_some_and(|digits| {
        digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
    })
}
