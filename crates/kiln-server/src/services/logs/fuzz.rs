//! A fuzz target for the filter patterns of the logs API.

use super::pattern::Pattern;

#[test]
fn filter_patterns() {
    bolero::check!()
        .with_type::<(u8, String, String)>()
        .for_each(|(form, pattern, line)| {
            let pattern = match form % 4 {
                0 => format!("{{ $.{pattern} }}"),
                1 => format!("[{pattern}]"),
                2 => format!("%{pattern}%"),
                _ => pattern.clone(),
            };
            if let Ok(pattern) = Pattern::parse(&pattern) {
                pattern.matches(line);
            }
            // A line without marks, quotes and spaces is a word of itself.
            let is_word = !line.is_empty() && line.chars().all(char::is_alphanumeric);
            if is_word && line.chars().count() <= 1024 {
                let word = Pattern::parse(line).unwrap();
                assert!(word.matches(line) && !word.matches(""));
            }
        });
}
