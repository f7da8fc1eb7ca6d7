//! Expressions as tokens.

use super::{QueryError, underline};
use crate::value::Value;
use crate::{json, python};

/// A token, where it begins, and what it stands for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) start: usize,
    /// The token's value, as messages show it.
    pub(super) value: Value,
}

/// The kinds of token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    End,
    Name,
    QuotedName,
    Literal,
    Number,
    Dot,
    Star,
    OpenBracket,
    CloseBracket,
    Flatten,
    Filter,
    Comma,
    Colon,
    Current,
    OpenParenthesis,
    CloseParenthesis,
    OpenBrace,
    CloseBrace,
    Or,
    Pipe,
    And,
    Reference,
    Less,
    AtMost,
    Greater,
    AtLeast,
    Equal,
    Unequal,
    Not,
}

impl Kind {
    /// The name that messages use.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::End => "eof",
            Self::Name => "unquoted_identifier",
            Self::QuotedName => "quoted_identifier",
            Self::Literal => "literal",
            Self::Number => "number",
            Self::Dot => "dot",
            Self::Star => "star",
            Self::OpenBracket => "lbracket",
            Self::CloseBracket => "rbracket",
            Self::Flatten => "flatten",
            Self::Filter => "filter",
            Self::Comma => "comma",
            Self::Colon => "colon",
            Self::Current => "current",
            Self::OpenParenthesis => "lparen",
            Self::CloseParenthesis => "rparen",
            Self::OpenBrace => "lbrace",
            Self::CloseBrace => "rbrace",
            Self::Or => "or",
            Self::Pipe => "pipe",
            Self::And => "and",
            Self::Reference => "expref",
            Self::Less => "lt",
            Self::AtMost => "lte",
            Self::Greater => "gt",
            Self::AtLeast => "gte",
            Self::Equal => "eq",
            Self::Unequal => "ne",
            Self::Not => "not",
        }
    }
}

/// Cuts an expression into tokens. The last is the end.
pub(super) fn tokens(expression: &str) -> Result<Vec<Token>, QueryError> {
    let mut reader = Reader {
        expression,
        letters: expression.chars().collect(),
        place: 0,
    };
    if reader.letters.is_empty() {
        return Err(QueryError::Empty);
    }
    let mut tokens = Vec::new();
    while let Some(letter) = reader.current() {
        if matches!(letter, ' ' | '\t' | '\n' | '\r') {
            reader.place += 1;
        } else {
            tokens.push(reader.token(letter)?);
        }
    }
    tokens.push(Token {
        kind: Kind::End,
        start: reader.letters.len(),
        value: Value::text(""),
    });
    Ok(tokens)
}

struct Reader<'a> {
    expression: &'a str,
    letters: Vec<char>,
    place: usize,
}

impl Reader<'_> {
    fn current(&self) -> Option<char> {
        self.letters.get(self.place).copied()
    }

    fn token(&mut self, letter: char) -> Result<Token, QueryError> {
        let start = self.place;
        let (kind, value) = match letter {
            '.' => self.sign(Kind::Dot, "."),
            '*' => self.sign(Kind::Star, "*"),
            ']' => self.sign(Kind::CloseBracket, "]"),
            ',' => self.sign(Kind::Comma, ","),
            ':' => self.sign(Kind::Colon, ":"),
            '@' => self.sign(Kind::Current, "@"),
            '(' => self.sign(Kind::OpenParenthesis, "("),
            ')' => self.sign(Kind::CloseParenthesis, ")"),
            '{' => self.sign(Kind::OpenBrace, "{"),
            '}' => self.sign(Kind::CloseBrace, "}"),
            '[' => match self.letters.get(start + 1) {
                Some(']') => self.sign(Kind::Flatten, "[]"),
                Some('?') => self.sign(Kind::Filter, "[?"),
                _ => self.sign(Kind::OpenBracket, "["),
            },
            '|' => self.either('|', (Kind::Or, "||"), (Kind::Pipe, "|")),
            '&' => self.either('&', (Kind::And, "&&"), (Kind::Reference, "&")),
            '<' => self.either('=', (Kind::AtMost, "<="), (Kind::Less, "<")),
            '>' => self.either('=', (Kind::AtLeast, ">="), (Kind::Greater, ">")),
            '!' => self.either('=', (Kind::Unequal, "!="), (Kind::Not, "!")),
            '=' if self.letters.get(start + 1) == Some(&'=') => self.sign(Kind::Equal, "=="),
            '=' => return Err(self.refuse("Unknown token '='".to_owned(), start)),
            '\'' => (Kind::Literal, Value::Text(self.raw_text()?)),
            '`' => (Kind::Literal, self.literal()?),
            '"' => (Kind::QuotedName, self.quoted_name()?),
            '-' | '0'..='9' => (Kind::Number, self.number()?),
            'a'..='z' | 'A'..='Z' | '_' => (Kind::Name, Value::Text(self.name())),
            other => return Err(self.refuse(format!("Unknown token {other}"), start)),
        };
        Ok(Token { kind, start, value })
    }

    fn sign(&mut self, kind: Kind, text: &str) -> (Kind, Value) {
        self.place += text.len();
        (kind, Value::text(text))
    }

    fn either(&mut self, second: char, two: (Kind, &str), one: (Kind, &str)) -> (Kind, Value) {
        let doubled = self.letters.get(self.place + 1) == Some(&second);
        let (kind, text) = if doubled { two } else { one };
        self.sign(kind, text)
    }

    fn name(&mut self) -> String {
        self.take_while(|letter| letter.is_ascii_alphanumeric() || letter == '_')
    }

    fn number(&mut self) -> Result<Value, QueryError> {
        let start = self.place;
        self.place += 1;
        let mut digits = String::from(self.letters[start]);
        digits.push_str(&self.take_while(|letter| letter.is_ascii_digit()));
        if digits == "-" {
            return Err(self.refuse("Unknown token '-'".to_owned(), start));
        }
        // Longer numbers than this name no place in any list.
        Ok(Value::Integer(digits.parse().unwrap_or(i128::MAX)))
    }

    fn take_while(&mut self, holds: impl Fn(char) -> bool) -> String {
        let rest = self.letters[self.place..].iter().copied();
        let taken: String = rest.take_while(|letter| holds(*letter)).collect();
        self.place += taken.chars().count();
        taken
    }

    fn raw_text(&mut self) -> Result<String, QueryError> {
        Ok(self.until('\'')?.replace("\\'", "'"))
    }

    /// A JSON value; what is none is taken for a string without its quotes.
    fn literal(&mut self) -> Result<Value, QueryError> {
        let start = self.place;
        let text = self.until('`')?.replace("\\`", "`");
        let quoted = || json::parse(&format!("\"{}\"", text.trim_start()));
        json::parse(&text)
            .or_else(|_| quoted())
            .map_err(|_| self.refuse(format!("Bad token {text}"), start))
    }

    fn quoted_name(&mut self) -> Result<Value, QueryError> {
        let start = self.place;
        let text = format!("\"{}\"", self.until('"')?);
        json::parse(&text).map_err(|reason| {
            let reason = reason.split(':').next().unwrap_or_default();
            self.refuse(reason.to_owned(), start)
        })
    }

    /// What lies before the delimiter, which a backslash protects.
    fn until(&mut self, delimiter: char) -> Result<String, QueryError> {
        let start = self.place;
        self.place += 1;
        let mut text = String::new();
        let unclosed =
            |reader: &Self| reader.refuse(format!("Unclosed {delimiter} delimiter"), start);
        loop {
            let letter = self.current().ok_or_else(|| unclosed(self))?;
            self.place += 1;
            if letter == delimiter {
                return Ok(text);
            }
            text.push(letter);
            if letter == '\\' {
                text.push(self.current().ok_or_else(|| unclosed(self))?);
                self.place += 1;
            }
        }
    }

    fn refuse(&self, message: String, position: usize) -> QueryError {
        QueryError::Token {
            message,
            expression: self.expression.to_owned(),
            underline: underline(position),
        }
    }
}

impl Token {
    /// The token as messages show it.
    pub(super) fn shown(&self) -> String {
        python::text(&self.value)
    }
}
