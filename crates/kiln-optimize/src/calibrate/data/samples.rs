//! The samples of a calibration: evenly spread pieces of its files, as tokens.

use std::ops::ControlFlow;
use std::path::Path;

use tokenizers::Tokenizer;

use super::records::Content;
use super::texts::{Packing, files, pieces};
use crate::OptimizeError;
use crate::model::Model;

/// Bytes of text that are surely more than so many tokens.
const BYTES_PER_TOKEN: usize = 8;

/// How much of the data is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// At most so many samples.
    pub samples: usize,
    /// Of at most so many tokens.
    pub tokens: usize,
}

/// Tokens, sample by sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Samples {
    /// The tokens of each sample; none is empty.
    pub tokens: Vec<Vec<u32>>,
}

impl Samples {
    /// Makes samples of the files in a directory, for a model.
    pub fn read(directory: &Path, model: &Model, limits: Limits) -> Result<Self, OptimizeError> {
        let family = model.config().family;
        let Some(geometry) = &model.config().geometry else {
            return Err(OptimizeError::Unsupported(format!(
                "a model of the type '{}' cannot be calibrated",
                model.config().model_type
            )));
        };
        let packing = match family.is_encoder() {
            true => Packing::Lines,
            false => Packing::Bytes(limits.tokens.saturating_mul(BYTES_PER_TOKEN)),
        };
        let files = files(directory)?;
        let count = pieces(&files, packing, &mut |_| false, &mut |_| {
            Ok(ControlFlow::Continue(()))
        })?;
        let mut reader = Reader {
            tokenizer: None,
            model,
            vocabulary: geometry.vocabulary,
            longest: limits.tokens,
        };
        let mut tokens = Vec::new();
        let chosen = limits.samples.min(count);
        // Of pieces 0..count those where a step of count / chosen begins.
        let wanted =
            |piece: usize| (piece + 1) * chosen / count.max(1) > piece * chosen / count.max(1);
        pieces(
            &files,
            packing,
            &mut |piece| wanted(piece),
            &mut |content| {
                let sample = reader.tokens(content)?;
                if !sample.is_empty() {
                    tokens.push(sample);
                }
                Ok(ControlFlow::Continue(()))
            },
        )?;
        if tokens.is_empty() {
            return Err(OptimizeError::Calibration(
                "there is neither text nor tokens in *.jsonl, *.json or *.txt files to calibrate with".to_owned(),
            ));
        }
        Ok(Self { tokens })
    }

    /// How many tokens the samples have.
    pub fn lengths(&self) -> impl Iterator<Item = usize> {
        self.tokens.iter().map(Vec::len)
    }
}

/// Makes tokens of contents.
struct Reader<'a> {
    tokenizer: Option<Tokenizer>,
    model: &'a Model,
    vocabulary: usize,
    longest: usize,
}

impl Reader<'_> {
    fn tokens(&mut self, content: Content) -> Result<Vec<u32>, OptimizeError> {
        let mut tokens = match content {
            Content::Tokens(tokens) => tokens,
            Content::Text(text) => self.tokenize(&text)?,
        };
        tokens.truncate(self.longest);
        match tokens
            .iter()
            .find(|token| **token as usize >= self.vocabulary)
        {
            Some(token) => Err(OptimizeError::Calibration(format!(
                "token {token} of the calibration data is beyond the model's vocabulary of {}",
                self.vocabulary
            ))),
            None => Ok(tokens),
        }
    }

    fn tokenize(&mut self, text: &str) -> Result<Vec<u32>, OptimizeError> {
        if self.tokenizer.is_none() {
            self.tokenizer = Some(open(self.model.directory())?);
        }
        let Some(tokenizer) = &self.tokenizer else {
            return Ok(Vec::new());
        };
        let encoding = tokenizer.encode_fast(text, true).map_err(|error| {
            OptimizeError::Calibration(format!("a text could not be made into tokens: {error}"))
        })?;
        Ok(encoding.get_ids().to_vec())
    }
}

fn open(directory: &Path) -> Result<Tokenizer, OptimizeError> {
    let path = directory.join("tokenizer.json");
    if !path.exists() {
        return Err(OptimizeError::Calibration(
            "the calibration data is text, but the model has no tokenizer.json: give records with input_ids instead".to_owned(),
        ));
    }
    let fault = |error: &dyn std::fmt::Display| {
        OptimizeError::Calibration(format!("tokenizer.json cannot be used: {error}"))
    };
    let mut tokenizer = Tokenizer::from_file(path).map_err(|error| fault(&error))?;
    tokenizer.with_padding(None);
    tokenizer
        .with_truncation(None)
        .map_err(|error| fault(&error))?;
    Ok(tokenizer)
}
