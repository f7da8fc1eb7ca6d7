//! Fuzz targets: whatever a tokenizer's files hold, there is a token for each number, or
//! they are refused.

use super::{Tokenizer, bytewise, json, pieces};
use crate::OptimizeError;

fn check(made: Result<Tokenizer, OptimizeError>) {
    if let Ok(tokenizer) = made {
        assert_eq!(tokenizer.tokens.len(), 9);
        assert_eq!(tokenizer.kinds.len(), 9);
        assert!([0, 9].contains(&tokenizer.scores.len()));
    }
}

fn check_json(bytes: &[u8]) {
    if let Ok(json) = json::parse(bytes) {
        check(bytewise::tokenizer(&json, 9));
        check(pieces::tokenizer(&json, None, 9));
    }
}

#[test]
fn any_json() {
    bolero::check!().for_each(check_json);
}

#[test]
fn any_pieces() {
    bolero::check!().for_each(|bytes: &[u8]| check(pieces::alone(bytes, &[], 9)));
}

#[test]
fn any_tokens() {
    bolero::check!()
        .with_type::<(Vec<(String, u8)>, Vec<(String, String)>, Vec<String>)>()
        .for_each(|(vocabulary, merges, stages)| {
            let vocabulary: serde_json::Map<_, _> = vocabulary
                .iter()
                .map(|(token, number)| (token.clone(), (number % 10).into()))
                .collect();
            let stages: Vec<_> = stages
                .iter()
                .map(|stage| serde_json::json!({ "type": stage }))
                .collect();
            let json = serde_json::json!({
                "model": {"type": "BPE", "vocab": vocabulary, "merges": merges},
                "pre_tokenizer": {"type": "Sequence", "pretokenizers": stages},
            });
            check_json(json.to_string().as_bytes());
        });
}
