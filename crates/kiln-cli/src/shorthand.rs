//! The AWS CLI's shorthand for structures: `A=b,C=d`, `A=b,c`, `A=[{B=c},{B=d}]`.

use crate::paramfile;
use crate::value::{Members, Value};

/// Why a text is no shorthand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ShorthandError {
    #[error("Expected: '{expected}', received: '{received}' for input:\n{place}")]
    Syntax {
        expected: String,
        received: String,
        place: String,
    },
    #[error(
        "Second instance of key \"{key}\" encountered for input:\n{place}\nThis is often because \
         there is a preceding \",\" instead of a space."
    )]
    Duplicate { key: String, place: String },
    #[error("{0}")]
    File(String),
    #[error("maximum recursion depth exceeded")]
    TooDeep,
}

/// Values are not nested deeper than this.
const DEEPEST: usize = 100;

/// Reads shorthand. All values are texts at first.
pub(crate) fn parse(text: &str) -> Result<Value, ShorthandError> {
    let mut reader = Reader {
        letters: text.chars().collect(),
        place: 0,
        from_files: false,
        depth: 0,
    };
    reader.parameter().map(Value::Map)
}

struct Reader {
    letters: Vec<char>,
    place: usize,
    /// Whether `@=` was read: values may name files.
    from_files: bool,
    /// How many lists and maps this place is within.
    depth: usize,
}

impl Reader {
    fn current(&self) -> Option<char> {
        self.letters.get(self.place).copied()
    }

    fn parameter(&mut self) -> Result<Members, ShorthandError> {
        let mut members = Members::default();
        let (key, value) = self.pair(Self::values)?;
        members.set(key, value);
        let mut last = self.place;
        while self.current().is_some() {
            self.expect(',')?;
            let (key, value) = self.pair(Self::values)?;
            if members.get(&key).is_some() {
                let place = self.pointed(last + 1);
                return Err(ShorthandError::Duplicate { key, place });
            }
            members.set(key, value);
            last = self.place;
        }
        Ok(members)
    }

    /// `key=value`, or `key@=file`.
    fn pair(
        &mut self,
        value: impl FnOnce(&mut Self) -> Result<Value, ShorthandError>,
    ) -> Result<(String, Value), ShorthandError> {
        let is_key = |letter: char| letter.is_ascii_alphanumeric() || "-_.#/:".contains(letter);
        let key = self.take_while(is_key);
        self.skip_spaces();
        self.from_files = self.current() == Some('@');
        if self.from_files {
            self.place += 1;
        }
        self.expect('=')?;
        Ok((key, value(self)?))
    }

    fn values(&mut self) -> Result<Value, ShorthandError> {
        match self.current() {
            None => Ok(Value::text("")),
            Some('[') => self.list(),
            Some('{') => self.map(),
            Some(_) => self.separated(),
        }
    }

    /// One value, or several with commas between them. A comma may also be the
    /// one before the next pair.
    fn separated(&mut self) -> Result<Value, ShorthandError> {
        let first = self.first_value()?;
        self.skip_spaces();
        if self.current() != Some(',') {
            return Ok(first);
        }
        self.expect(',')?;
        let mut values = vec![first];
        loop {
            match self.further_value() {
                Ok((value, ended)) => {
                    values.push(value);
                    if ended {
                        break;
                    }
                }
                Err(error @ ShorthandError::File(_)) => return Err(error),
                Err(error) if self.current().is_none() => return Err(error),
                Err(_) => {
                    while self.place > 0 && self.current() != Some(',') {
                        self.place -= 1;
                    }
                    break;
                }
            }
        }
        if values.len() == 1 {
            return Ok(values.remove(0));
        }
        Ok(Value::List(values))
    }

    /// A value of a list, and whether it was the last.
    fn further_value(&mut self) -> Result<(Value, bool), ShorthandError> {
        let value = match self.current() {
            Some(quote @ ('\'' | '"')) => self.quoted(quote)?,
            _ => {
                let text = self.word(follows_in_list);
                let text = text.ok_or_else(|| self.refuse("<second>", "<none>"))?;
                self.resolved(text)?
            }
        };
        self.skip_spaces();
        if self.current().is_none() {
            return Ok((value, true));
        }
        self.expect(',')?;
        Ok((value, false))
    }

    fn list(&mut self) -> Result<Value, ShorthandError> {
        self.expect('[')?;
        let mut items = Vec::new();
        while self.current() != Some(']') {
            items.push(self.nested()?);
            self.separator(']')?;
        }
        self.place += 1;
        Ok(Value::List(items))
    }

    fn map(&mut self) -> Result<Value, ShorthandError> {
        self.expect('{')?;
        let mut members = Members::default();
        while self.current() != Some('}') {
            let (key, value) = self.pair(Self::nested)?;
            self.separator('}')?;
            members.set(key, value);
        }
        self.place += 1;
        Ok(Value::Map(members))
    }

    fn nested(&mut self) -> Result<Value, ShorthandError> {
        if self.depth == DEEPEST {
            return Err(ShorthandError::TooDeep);
        }
        self.depth += 1;
        let value = match self.current() {
            Some('[') => self.list(),
            Some('{') => self.map(),
            _ => self.first_value(),
        };
        self.depth -= 1;
        value
    }

    fn separator(&mut self, end: char) -> Result<(), ShorthandError> {
        self.skip_spaces();
        if self.current() != Some(end) {
            self.expect(',')?;
        }
        Ok(())
    }

    fn first_value(&mut self) -> Result<Value, ShorthandError> {
        match self.current() {
            Some(quote @ ('\'' | '"')) => self.quoted(quote),
            _ => match self.word(follows_first) {
                Some(text) => self.resolved(text),
                None => Ok(Value::text("")),
            },
        }
    }

    /// A value without quotes, in which a backslash protects a comma.
    fn word(&mut self, follows: fn(char) -> bool) -> Option<String> {
        let start = self.place;
        loop {
            let escaped = self.letters[self.place..].starts_with(&['\\', ',']);
            let fits = |letter: char| {
                if self.place == start {
                    begins_word(letter)
                } else {
                    follows(letter)
                }
            };
            if escaped {
                self.place += 2;
            } else if self.current().is_some_and(fits) {
                self.place += 1;
            } else {
                break;
            }
        }
        let text: String = self.letters[start..self.place].iter().collect();
        (!text.is_empty()).then(|| text.replace("\\,", ",").trim_end().to_owned())
    }

    fn quoted(&mut self, quote: char) -> Result<Value, ShorthandError> {
        let name = if quote == '"' {
            "<double quoted>"
        } else {
            "<singled quoted>"
        };
        let rest = &self.letters[self.place + 1..];
        let mut end = 0;
        loop {
            match rest.get(end) {
                None => return Err(self.refuse(name, "<none>")),
                Some(letter) if *letter == quote => break,
                Some('\\') if rest.get(end + 1) == Some(&quote) => end += 2,
                Some(_) => end += 1,
            }
        }
        let text: String = rest[..end].iter().collect();
        self.place += end + 2;
        let text = text.replace(&format!("\\{quote}"), &quote.to_string());
        self.resolved(text.replace("\\\\", "\\"))
    }

    /// The value, or what the file that it names holds.
    fn resolved(&self, text: String) -> Result<Value, ShorthandError> {
        if !self.from_files {
            return Ok(Value::Text(text));
        }
        let loaded = paramfile::load(&text).map_err(ShorthandError::File)?;
        Ok(Value::Text(loaded.unwrap_or(text)))
    }

    fn take_while(&mut self, holds: impl Fn(char) -> bool) -> String {
        let rest = self.letters[self.place..].iter().copied();
        let taken: String = rest.take_while(|letter| holds(*letter)).collect();
        self.place += taken.chars().count();
        taken
    }

    fn skip_spaces(&mut self) {
        self.take_while(|letter| matches!(letter, ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}'));
    }

    fn expect(&mut self, letter: char) -> Result<(), ShorthandError> {
        self.skip_spaces();
        match self.current() {
            Some(found) if found == letter => {
                self.place += 1;
                self.skip_spaces();
                Ok(())
            }
            Some(found) => Err(self.refuse(&letter.to_string(), &found.to_string())),
            None => Err(self.refuse(&letter.to_string(), "EOF")),
        }
    }

    fn refuse(&self, expected: &str, received: &str) -> ShorthandError {
        ShorthandError::Syntax {
            expected: expected.to_owned(),
            received: received.to_owned(),
            place: self.pointed(self.place),
        }
    }

    /// The input with a pointer below a place in it.
    fn pointed(&self, place: usize) -> String {
        let text = |letters: &[char]| letters.iter().collect::<String>();
        let place = place.min(self.letters.len());
        let (before, after) = self.letters.split_at(place);
        let line_start = before.iter().rposition(|letter| *letter == '\n');
        let spaces = place - line_start.map_or(0, |newline| newline + 1);
        let line_end = after.iter().position(|letter| *letter == '\n');
        let (shown, rest) = self
            .letters
            .split_at(line_end.map_or(self.letters.len(), |end| place + end));
        format!("{}\n{}^{}", text(shown), " ".repeat(spaces), text(rest))
    }
}

fn begins_word(letter: char) -> bool {
    matches!(letter, '!' | '#'..='&' | '('..='+' | '-'..='<' | '>'..='Z' | '\\'..='z' | '|'..='\u{ffff}')
}

fn follows_first(letter: char) -> bool {
    letter.is_whitespace()
        || matches!(letter, '!' | '#'..='&' | '('..='+' | '-'..='\\' | '^'..='|' | '~'..='\u{ffff}')
}

fn follows_in_list(letter: char) -> bool {
    letter.is_whitespace()
        || matches!(letter, '!' | '#'..='&' | '('..='+' | '-'..='<' | '>'..='\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::compact;

    #[test]
    fn shorthand_is_read_as_the_aws_cli_reads_it() {
        for (text, expected) in [
            ("A=b", r#"{"A":"b"}"#),
            ("A=b,C=d", r#"{"A":"b","C":"d"}"#),
            ("A=b,c,D=e", r#"{"A":["b","c"],"D":"e"}"#),
            (
                "A=[b,c],D={E=f,G=[h]}",
                r#"{"A":["b","c"],"D":{"E":"f","G":["h"]}}"#,
            ),
            ("A='x, y',B=\"q\"", r#"{"A":"x, y","B":"q"}"#),
            ("A=b\\,c", r#"{"A":"b,c"}"#),
            ("A=", r#"{"A":""}"#),
            ("A = b , C = d", r#"{"A":"b","C":"d"}"#),
            ("s3/Uri:x=s3://b/k?x", r#"{"s3/Uri:x":"s3://b/k?x"}"#),
        ] {
            assert_eq!(compact(&parse(text).unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn complaints_point_at_the_place() {
        for (text, expected) in [
            (
                "foo",
                "Expected: '=', received: 'EOF' for input:\nfoo\n   ^",
            ),
            ("A==", "Expected: ',', received: '=' for input:\nA==\n  ^"),
            (
                "A=[b",
                "Expected: ',', received: 'EOF' for input:\nA=[b\n    ^",
            ),
            (
                "A=a,A=b",
                "Second instance of key \"A\" encountered for input:\nA=a,A=b\n    ^\nThis is often because there is a preceding \",\" instead of a space.",
            ),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn values_are_nested_so_deep_and_no_deeper() {
        let nested = |number| format!("A={}b{}", "[".repeat(number), "]".repeat(number));
        assert!(parse(&nested(100)).is_ok());
        for text in [nested(100_000), format!("A={}", "{A=".repeat(40_000))] {
            assert_eq!(parse(&text), Err(ShorthandError::TooDeep));
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_breaks_the_reader(text in "[A-C=,\\[\\]{}'\"@ \\\\\n😀]{0,16}") {
            let _ = parse(&text);
        }
    }
}
