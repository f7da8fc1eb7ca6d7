//! A fuzz target for the filter patterns of the logs API.

use super::pattern::Pattern;

#[test]
fn filter_patterns() {
    bolero::check!()
        .with_type::<(String, String)>()
        .for_each(|(pattern, line)| {
            if let Ok(pattern) = Pattern::parse(pattern) {
                pattern.matches(line);
            }
            // A line without marks, quotes and spaces is a word of itself.
            if !line.is_empty() && line.chars().all(char::is_alphanumeric) {
                let word = Pattern::parse(line).unwrap();
                assert!(word.matches(line) && !word.matches(""));
            }
        });
}
