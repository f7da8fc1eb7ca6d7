//! Filter patterns: words and phrases that a line must, or must not, hold.

/// A pattern that is not of the forms served here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum PatternError {
    #[error("Invalid filter pattern: a phrase is not closed by a quotation mark.")]
    OpenPhrase,
    #[error(
        "JSON, space-delimited and regular-expression filter patterns are not available in this \
         version of Kiln: use words and \"phrases\"."
    )]
    NotAvailable,
}

/// A filter of words: all of the plain ones, one of those marked `?`, none of
/// those marked `-`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Pattern {
    all: Vec<String>,
    any: Vec<String>,
    none: Vec<String>,
}

impl Pattern {
    pub(super) fn parse(text: &str) -> Result<Self, PatternError> {
        let mut rest = text.trim();
        if rest.starts_with(['{', '[', '%']) {
            return Err(PatternError::NotAvailable);
        }
        let mut pattern = Self::default();
        while !rest.is_empty() {
            let terms = match rest.as_bytes()[0] {
                b'-' => &mut pattern.none,
                b'?' => &mut pattern.any,
                _ => &mut pattern.all,
            };
            let (term, after) = term(rest.trim_start_matches(['-', '?']))?;
            terms.push(term.to_owned());
            rest = after.trim_start();
        }
        Ok(pattern)
    }

    pub(super) fn matches(&self, line: &str) -> bool {
        let holds = |term: &String| line.contains(term.as_str());
        self.all.iter().all(holds)
            && (self.any.is_empty() || self.any.iter().any(holds))
            && !self.none.iter().any(holds)
    }
}

/// Splits off a word, or a phrase in quotation marks.
fn term(text: &str) -> Result<(&str, &str), PatternError> {
    match text.strip_prefix('"') {
        Some(phrase) => phrase.split_once('"').ok_or(PatternError::OpenPhrase),
        None => Ok(text.split_once(char::is_whitespace).unwrap_or((text, ""))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_phrases_select_lines() {
        let cases = [
            ("", "anything", true),
            ("ERROR", "an ERROR here", true),
            ("ERROR", "an error here", false),
            ("ERROR disk", "disk ERROR", true),
            ("ERROR disk", "ERROR", false),
            ("\"disk full\"", "the disk full", true),
            ("\"disk full\"", "full disk", false),
            ("?a ?b", "b", true),
            ("?a ?b", "c", false),
            ("ERROR -retry", "ERROR retry", false),
        ];
        for (pattern, line, expected) in cases {
            assert_eq!(
                Pattern::parse(pattern).unwrap().matches(line),
                expected,
                "{pattern}"
            );
        }
    }

    #[test]
    fn what_is_not_served_is_refused() {
        assert_eq!(
            Pattern::parse("{ $.a = 1 }"),
            Err(PatternError::NotAvailable)
        );
        assert_eq!(Pattern::parse("\"open"), Err(PatternError::OpenPhrase));
    }
}
