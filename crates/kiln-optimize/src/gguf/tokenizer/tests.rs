//! Tokenizers as models have them, and what becomes of them.

use std::fs;

use prost::Message;
use serde_json::{Value as Json, json};

use super::super::file::Value;
use super::{Tokenizer, describe, read};
use crate::model::{Model, sample};

/// Reads the tokenizer of a model with these files.
fn tokenizer(files: &[(&str, Vec<u8>)]) -> Result<Option<Tokenizer>, String> {
    let home = tempfile::tempdir().unwrap();
    let mut config = sample::config("llama");
    config["eos_token_id"] = json!([3, 4]);
    sample::write(home.path(), &config, &sample::decoder(&config));
    for (name, content) in files {
        fs::write(home.path().join(name), content).unwrap();
    }
    let model = Model::open(home.path()).unwrap();
    read(&model, 8).map_err(|error| error.to_string())
}

fn of_json(json: &Json) -> Result<Tokenizer, String> {
    tokenizer(&[("tokenizer.json", json.to_string().into_bytes())]).map(Option::unwrap)
}

/// One that works on bytes and splits as Qwen's does.
fn bytewise() -> Json {
    let split = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    json!({
        "added_tokens": [
            {"id": 4, "content": "<|end|>", "special": false},
            {"id": 5, "content": "<s>", "special": true},
            {"id": 6, "content": "<tool>", "special": false},
        ],
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": split}, "behavior": "Isolated", "invert": false},
            {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false},
        ]},
        "post_processor": {"type": "TemplateProcessing", "single": [
            {"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
        ]},
        "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2, "Ġa": 3},
            "merges": ["a b", ["Ġ", "a"], [" ", "b"]]},
    })
}

/// One that works on pieces, as Llama 2's does.
fn piecewise() -> Json {
    json!({
        "added_tokens": [{"id": 0, "content": "<unk>", "special": true},
            {"id": 7, "content": "▁x", "special": false}],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": "▁"},
            {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
        ]},
        "pre_tokenizer": null,
        "model": {"type": "BPE", "byte_fallback": true, "unk_token": "<unk>",
            "vocab": {"<unk>": 0, "<0x0A>": 1, "a": 2, "b": 3, "ab": 4, "aba": 5},
            "merges": ["a b", "ab a", "a ba"]},
    })
}

fn value(tokenizer: &Tokenizer, key: &str) -> Option<Value> {
    let keys = describe(Some(tokenizer));
    let found = keys.into_iter().find(|(name, _)| name == key);
    found.map(|(_, value)| value)
}

#[test]
fn bytes_have_a_way_to_be_split() {
    let config = json!({"bos_token": "<s>", "eos_token": {"content": "<|end|>"},
        "chat_template": "{{ messages }}"});
    let files = [
        ("tokenizer.json", bytewise().to_string().into_bytes()),
        ("tokenizer_config.json", config.to_string().into_bytes()),
    ];
    let tokenizer = tokenizer(&files).unwrap().unwrap();
    assert_eq!((tokenizer.model, tokenizer.split), ("gpt2", "qwen2"));
    let tokens = ["a", "b", "ab", "Ġa", "<|end|>", "<s>", "<tool>", "[PAD7]"];
    assert_eq!(tokenizer.tokens, tokens);
    assert_eq!(tokenizer.kinds, [1, 1, 1, 1, 3, 3, 4, 5]);
    assert_eq!(tokenizer.merges, ["a b", "Ġ a", "Ġ b"]);

    let expected = [
        ("tokenizer.ggml.bos_token_id", Some(Value::U32(5))),
        ("tokenizer.ggml.eos_token_id", Some(Value::U32(4))),
        ("tokenizer.ggml.padding_token_id", None),
        ("tokenizer.ggml.add_bos_token", Some(Value::Bool(true))),
        (
            "tokenizer.chat_template",
            Some(Value::Text("{{ messages }}".to_owned())),
        ),
    ];
    for (key, expected) in expected {
        assert_eq!(value(&tokenizer, key), expected, "{key}");
    }
}

#[test]
fn what_the_configuration_does_not_name_is_in_the_models() {
    let tokenizer = of_json(&bytewise()).unwrap();
    let end = value(&tokenizer, "tokenizer.ggml.eos_token_id");
    assert_eq!(end, Some(Value::U32(3)));
}

#[test]
fn pieces_have_scores_by_their_places() {
    let tokenizer = of_json(&piecewise()).unwrap();
    assert_eq!((tokenizer.model, tokenizer.split), ("llama", "default"));
    assert_eq!(tokenizer.kinds, [2, 6, 1, 1, 1, 1, 5, 4]);
    assert_eq!(tokenizer.tokens[7], " x");
    assert_eq!(tokenizer.scores[4..6], [0.0, -1.0]);
    assert_eq!(tokenizer.scores[2], super::pieces::NEVER);
    assert_eq!(tokenizer.space_before, Some(true));
}

#[test]
fn scores_come_from_sentencepiece_where_they_are() {
    let piece = |piece: &str, score, kind| super::pieces::Piece {
        piece: Some(piece.to_owned()),
        score: Some(score),
        kind: Some(kind),
    };
    let sentences = super::pieces::Sentences {
        pieces: vec![piece("<unk>", 0.0, 2), piece("ab", -7.5, 1)],
        trainer: Some(super::pieces::Trainer {
            model_type: Some(2),
        }),
        normalizer: Some(super::pieces::Normalizer {
            add_dummy_prefix: Some(false),
        }),
    };
    let sentences = sentences.encode_to_vec();
    let files = [
        ("tokenizer.json", piecewise().to_string().into_bytes()),
        ("tokenizer.model", sentences),
    ];
    let both = tokenizer(&files).unwrap().unwrap();
    assert_eq!(both.scores[4], -7.5);
    let alone = tokenizer(&files[1..]).unwrap().unwrap();
    assert_eq!(alone.tokens[..3], ["<unk>", "ab", "[PAD2]"]);
    assert_eq!(alone.kinds[..3], [2, 1, 5]);
    assert_eq!(alone.scores[..2], [0.0, -7.5]);
    assert_eq!(alone.space_before, Some(false));

    let more = json!({"<s>": 1, "<tool>": 3});
    let decoder = json!({"added_tokens_decoder": {"4": {"content": "<end>", "special": true}}});
    let files = [
        files[1].clone(),
        ("added_tokens.json", more.to_string().into_bytes()),
        ("tokenizer_config.json", decoder.to_string().into_bytes()),
    ];
    let alone = tokenizer(&files).unwrap().unwrap();
    let tokens = ["<unk>", "ab", "[PAD2]", "<tool>", "<end>", "[PAD5]"];
    assert_eq!(alone.tokens[..6], tokens);
    assert_eq!(alone.kinds[..6], [2, 1, 5, 4, 3, 5]);
    assert_eq!(alone.scores[3], super::pieces::NEVER);
}

#[test]
fn none_is_none() {
    assert_eq!(tokenizer(&[]), Ok(None));
    let expected = (
        "tokenizer.ggml.model".to_owned(),
        Value::Text("none".to_owned()),
    );
    assert_eq!(describe(None), [expected]);
}

#[test]
fn what_would_come_out_differently_is_refused() {
    let prefix = "ClientError: the model cannot be converted to GGUF, because its tokenizer ";
    let cases: [(Json, &str, Json, &str); 7] = [
        (
            bytewise(),
            "/model/type",
            json!("Unigram"),
            "is of the kind Unigram, and only BPE is converted",
        ),
        (
            bytewise(),
            "/pre_tokenizer/pretokenizers/0/pattern/Regex",
            json!("\\w+"),
            "splits texts by \\w+, which llama.cpp has no name for",
        ),
        (
            bytewise(),
            "/pre_tokenizer/pretokenizers/1/add_prefix_space",
            json!(true),
            "does not work on the bytes of texts as they are",
        ),
        (
            bytewise(),
            "/normalizer/type",
            json!("Lowercase"),
            "normalizes texts by \"Lowercase\"",
        ),
        (
            piecewise(),
            "/model/merges",
            json!(["a b", "ab a", "b a"]),
            "merges to \"ba\", which is no token",
        ),
        (
            piecewise(),
            "/model/merges",
            json!(["a ba", "a b", "ab a"]),
            "has no scores, and merges to \"aba\" at several places of its list",
        ),
        (
            piecewise(),
            "/pre_tokenizer",
            json!({"type": "Whitespace"}),
            "splits texts by \"Whitespace\"",
        ),
    ];
    for (mut json, pointer, value, expected) in cases {
        *json.pointer_mut(pointer).unwrap() = value;
        assert_eq!(of_json(&json).unwrap_err(), format!("{prefix}{expected}"));
    }

    let mut json = bytewise();
    json["model"]["vocab"]["z"] = json!(8);
    assert_eq!(
        of_json(&json).unwrap_err(),
        "ClientError: the tokenizer has the token \"z\" with the number 8, but the model has 8 tokens"
    );
}
