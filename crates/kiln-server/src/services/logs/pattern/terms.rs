//! Patterns of words: what a line must, or must not, hold.

use regex::Regex;

use super::PatternError;
use super::cursor::Cursor;

/// All of the plain terms and none of those marked `-`; or, where there are no
/// others, one of those marked `?`.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Terms {
    all: Vec<Term>,
    any: Vec<Term>,
    none: Vec<Term>,
}

#[derive(Debug, Clone)]
enum Term {
    Text(String),
    Regex(Regex),
}

impl Term {
    fn is_in(&self, line: &str) -> bool {
        match self {
            Self::Text(text) => line.contains(text.as_str()),
            Self::Regex(regex) => regex.is_match(line),
        }
    }
}

impl Terms {
    pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Self, PatternError> {
        let mut terms = Self::default();
        while let Some(mark) = cursor.peek() {
            let list = match mark {
                '-' => &mut terms.none,
                '?' => &mut terms.any,
                _ => &mut terms.all,
            };
            if matches!(mark, '-' | '?') {
                cursor.eat(mark.encode_utf8(&mut [0; 4]));
            }
            list.push(term(cursor)?);
        }
        if !(terms.all.is_empty() && terms.none.is_empty()) {
            // Beside other terms the API takes no notice of these.
            terms.any.clear();
        }
        Ok(terms)
    }

    pub(super) fn matches(&self, line: &str) -> bool {
        let holds = |term: &Term| term.is_in(line);
        self.all.iter().all(holds)
            && (self.any.is_empty() || self.any.iter().any(holds))
            && !self.none.iter().any(holds)
    }
}

fn term(cursor: &mut Cursor<'_>) -> Result<Term, PatternError> {
    if let Some(phrase) = cursor.phrase()? {
        return Ok(Term::Text(phrase));
    }
    if let Some(regex) = cursor.regex()? {
        return Ok(Term::Regex(regex));
    }
    Ok(Term::Text(cursor.until(char::is_whitespace).to_owned()))
}
