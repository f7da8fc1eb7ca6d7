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

/// Bytes of text that are no less than so many tokens, in any language.
const LONGEST_TOKEN: usize = 64;

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

    /// Keeps so many of the samples, evenly spread.
    pub fn thin(&mut self, count: usize) {
        let all = self.tokens.len();
        let mut sample = 0;
        self.tokens.retain(|_| {
            sample += 1;
            sample * count / all > (sample - 1) * count / all
        });
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
        let end = text.floor_char_boundary(self.longest.saturating_mul(LONGEST_TOKEN));
        let encoding = tokenizer.encode_fast(&text[..end], true).map_err(|error| {
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

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::*;
    use crate::Dtype;
    use crate::calibrate::tests::tiny;

    fn home(model: &str) -> (tempfile::TempDir, Model) {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join("data")).unwrap();
        let model = tiny::write(home.path(), &tiny::named(model), Dtype::F32);
        let vocabulary: serde_json::Map<String, serde_json::Value> = (0..50)
            .map(|word| (format!("w{word}"), json!(word)))
            .collect();
        let tokenizer = json!({
            "version": "1.0",
            "truncation": {"max_length": 2, "strategy": "LongestFirst", "stride": 0, "direction": "Right"},
            "padding": null,
            "added_tokens": [],
            "normalizer": null,
            "pre_tokenizer": {"type": "Whitespace"},
            "post_processor": null,
            "decoder": null,
            "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "w0"},
        });
        fs::write(home.path().join("tokenizer.json"), tokenizer.to_string()).unwrap();
        (home, model)
    }

    fn read(home: &tempfile::TempDir, model: &Model, samples: usize) -> Vec<Vec<u32>> {
        let limits = Limits { samples, tokens: 3 };
        let samples = Samples::read(&home.path().join("data"), model, limits);
        samples.unwrap().tokens
    }

    #[test]
    fn encoders_take_lines_and_decoders_what_is_long_enough() {
        let text = "w1 w2\n\nw3 w4 w5 w6\nw7 other\n".repeat(2);
        let (home_of_encoder, encoder) = home("bert");
        fs::write(home_of_encoder.path().join("data/a.txt"), &text).unwrap();
        let lines = [vec![1, 2], vec![3, 4, 5], vec![7, 0]];
        let found = read(&home_of_encoder, &encoder, 100);
        assert_eq!(found, [lines.as_slice(), &lines].concat());

        let (home, decoder) = home("llama");
        fs::write(home.path().join("data/a.txt"), &text).unwrap();
        assert_eq!(read(&home, &decoder, 100), [[1, 2, 3], [1, 2, 3]]);
    }

    #[test]
    fn samples_are_spread_over_the_data() {
        let (home, model) = home("llama");
        let records: Vec<String> = (0..10)
            .map(|i| json!({"tokens": [i]}).to_string())
            .collect();
        fs::write(home.path().join("data/a.jsonl"), records.join("\n")).unwrap();
        assert_eq!(read(&home, &model, 3), [[3], [6], [9]]);
        assert_eq!(read(&home, &model, 10).len(), 10);
        for (count, kept) in [
            (1, &[9][..]),
            (3, &[3, 6, 9]),
            (10, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
        ] {
            let tokens = (0..10).map(|token| vec![token]).collect();
            let mut samples = Samples { tokens };
            samples.thin(count);
            assert_eq!(samples.tokens.concat(), kept);
        }
    }
}
