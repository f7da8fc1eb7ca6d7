//! A place in the text of a pattern, and the pieces that all forms are made of.

use regex::Regex;

use super::PatternError;

/// Regular expressions in one pattern: the API's limit.
const MOST_REGEXES: u32 = 2;

/// What is left of a pattern.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    rest: &'a str,
    regexes: u32,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            rest: text,
            regexes: 0,
        }
    }

    /// What comes next, after spaces; `None` at the end.
    pub(super) fn peek(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start();
        self.rest.chars().next()
    }

    /// Takes this text if it comes next, after spaces.
    pub(super) fn eat(&mut self, text: &str) -> bool {
        self.peek();
        self.eat_here(text)
    }

    /// Takes this text if it comes next, before any space.
    pub(super) fn eat_here(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Takes this keyword if it comes next, in whatever case, and ends here.
    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        self.peek();
        let Some((head, tail)) = self.rest.split_at_checked(word.len()) else {
            return false;
        };
        if !head.eq_ignore_ascii_case(word) || tail.starts_with(char::is_alphanumeric) {
            return false;
        }
        self.rest = tail;
        true
    }

    /// Takes this text, which must come next.
    pub(super) fn require(&mut self, text: &str, wanted: &'static str) -> Result<(), PatternError> {
        if self.eat(text) {
            Ok(())
        } else {
            Err(self.unexpected(wanted))
        }
    }

    /// Nothing but spaces may be left.
    pub(super) fn end(&mut self) -> Result<(), PatternError> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.unexpected("the end")),
        }
    }

    /// Takes all characters up to the first that ends it; there may be none.
    pub(super) fn until(&mut self, ends: impl Fn(char) -> bool) -> &'a str {
        let length = self.rest.find(ends).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken
    }

    /// Takes a phrase in quotation marks if one comes next, without them. A
    /// backslash takes the meaning from what follows.
    pub(super) fn phrase(&mut self) -> Result<Option<String>, PatternError> {
        if !self.eat_here("\"") {
            return Ok(None);
        }
        let mut phrase = String::new();
        let mut characters = self.rest.chars();
        while let Some(character) = characters.next() {
            match character {
                '"' => {
                    self.rest = characters.as_str();
                    return Ok(Some(phrase));
                }
                '\\' => phrase.extend(characters.next()),
                other => phrase.push(other),
            }
        }
        Err(PatternError::OpenPhrase)
    }

    /// Takes a regular expression in percent signs if one comes next.
    pub(super) fn regex(&mut self) -> Result<Option<Regex>, PatternError> {
        if !self.eat_here("%") {
            return Ok(None);
        }
        let (source, rest) = self.rest.split_once('%').ok_or(PatternError::OpenRegex)?;
        self.rest = rest;
        self.regexes += 1;
        if self.regexes > MOST_REGEXES {
            return Err(PatternError::ManyRegexes);
        }
        let refused = || PatternError::Regex(source.to_owned());
        if source.is_empty() || !source.chars().all(is_supported) {
            return Err(refused());
        }
        Regex::new(source).map(Some).map_err(|_| refused())
    }

    pub(super) fn unexpected(&self, wanted: &'static str) -> PatternError {
        PatternError::Unexpected {
            wanted,
            found: self.rest.chars().take(20).collect(),
        }
    }
}

/// What the API takes in a regular expression. There are no groups.
fn is_supported(character: char) -> bool {
    character.is_ascii_alphanumeric() || ":_#=@/;,- ^$?[]{}|\\*+.\"'&<>~`".contains(character)
}
