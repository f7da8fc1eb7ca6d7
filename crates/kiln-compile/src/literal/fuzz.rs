//! Fuzz target: whatever the text, reading it ends with a value or an error
//! whose place lies within the text.

use super::parse;

fn check(text: &str) {
    if let Err(error) = parse(text) {
        assert!(error.at.line <= text.split('\n').count());
        assert!(!error.to_string().is_empty());
    }
}

#[test]
fn any_text() {
    bolero::check!().for_each(|bytes: &[u8]| check(&String::from_utf8_lossy(bytes)));
}
