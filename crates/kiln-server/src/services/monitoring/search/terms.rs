//! What a search looks for: terms, alone or of a property, and how they combine.
//!
//! ```text
//! any   = all { "OR" all }
//! all   = one { ["AND"] one }
//! one   = "NOT" one | "(" any ")" | term | name "=" ( term | "(" any ")" )
//! term  = word | '"' text '"'
//! ```

use std::collections::BTreeSet;

use super::expression::ExpressionError;
use super::tokens::tokens;

/// How deep parentheses may go.
const DEEPEST: usize = 32;

/// The metrics that are looked through: of one namespace, with exactly these
/// dimensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Schema {
    pub(super) namespace: String,
    pub(super) dimensions: BTreeSet<String>,
}

/// What must hold of a metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    Term {
        property: Option<String>,
        term: Term,
    },
}

/// What must be in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Term {
    /// The text is this.
    Exact(String),
    /// These words are among its words.
    Partial(Vec<String>),
}

/// Reads what is searched for: a schema perhaps, and terms.
pub(super) fn parse(text: &str) -> Result<(Option<Schema>, Condition), ExpressionError> {
    let mut reader = Reader {
        symbols: symbols(text)?,
        at: 0,
        depth: 0,
    };
    let schema = reader.schema()?;
    let condition = if reader.peek().is_none() {
        Condition::All(Vec::new())
    } else {
        reader.any(None)?
    };
    match reader.peek() {
        None => Ok((schema, condition)),
        Some(_) => Err(ExpressionError::Terms),
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Symbol {
    Mark(char),
    Word(String),
    Quoted(String),
}

fn symbols(text: &str) -> Result<Vec<Symbol>, ExpressionError> {
    const MARKS: &str = "{}(),=";
    let mut symbols = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if MARKS.contains(first) {
            symbols.push(Symbol::Mark(first));
            first.len_utf8()
        } else if let Some(quoted) = rest.strip_prefix('"') {
            let end = quoted.find('"').ok_or(ExpressionError::Quotes)?;
            symbols.push(Symbol::Quoted(quoted[..end].to_owned()));
            end + 2
        } else {
            let is_end = |c: char| c.is_whitespace() || c == '"' || MARKS.contains(c);
            let end = rest.find(is_end).unwrap_or(rest.len());
            symbols.push(Symbol::Word(rest[..end].to_owned()));
            end
        };
        rest = rest[length..].trim_start();
    }
    Ok(symbols)
}

struct Reader {
    symbols: Vec<Symbol>,
    at: usize,
    depth: usize,
}

impl Reader {
    fn peek(&self) -> Option<&Symbol> {
        self.symbols.get(self.at)
    }

    fn next(&mut self) -> Option<Symbol> {
        let symbol = self.symbols.get(self.at).cloned();
        self.at += 1;
        symbol
    }

    fn takes(&mut self, wanted: &Symbol) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn takes_word(&mut self, word: &str) -> bool {
        self.takes(&Symbol::Word(word.to_owned()))
    }

    fn schema(&mut self) -> Result<Option<Schema>, ExpressionError> {
        if !self.takes(&Symbol::Mark('{')) {
            return Ok(None);
        }
        let mut names = Vec::new();
        loop {
            match self.next() {
                Some(Symbol::Word(name) | Symbol::Quoted(name)) => names.push(name),
                _ => return Err(ExpressionError::Schema),
            }
            match self.next() {
                Some(Symbol::Mark(',')) => {}
                Some(Symbol::Mark('}')) => break,
                _ => return Err(ExpressionError::Schema),
            }
        }
        let mut names = names.into_iter();
        Ok(names.next().map(|namespace| Schema {
            namespace,
            dimensions: names.collect(),
        }))
    }

    fn any(&mut self, property: Option<&str>) -> Result<Condition, ExpressionError> {
        let mut any = vec![self.all(property)?];
        while self.takes_word("OR") {
            any.push(self.all(property)?);
        }
        Ok(single(any, Condition::Any))
    }

    fn all(&mut self, property: Option<&str>) -> Result<Condition, ExpressionError> {
        let mut all = vec![self.one(property)?];
        loop {
            let is_end = match self.peek() {
                None | Some(Symbol::Mark(')')) => true,
                Some(Symbol::Word(word)) => word == "OR",
                Some(_) => false,
            };
            if is_end {
                return Ok(single(all, Condition::All));
            }
            self.takes_word("AND");
            all.push(self.one(property)?);
        }
    }

    fn one(&mut self, property: Option<&str>) -> Result<Condition, ExpressionError> {
        if self.takes_word("NOT") {
            deeper(&mut self.depth)?;
            let one = self.one(property)?;
            self.depth -= 1;
            return Ok(Condition::Not(Box::new(one)));
        }
        match self.next() {
            Some(Symbol::Mark('(')) => self.group(property),
            Some(Symbol::Word(word)) if matches!(word.as_str(), "AND" | "OR") => {
                Err(ExpressionError::Terms)
            }
            Some(Symbol::Word(word)) => self.term_or_property(property, word, false),
            Some(Symbol::Quoted(text)) => self.term_or_property(property, text, true),
            _ => Err(ExpressionError::Terms),
        }
    }

    fn group(&mut self, property: Option<&str>) -> Result<Condition, ExpressionError> {
        deeper(&mut self.depth)?;
        let group = self.any(property)?;
        self.depth -= 1;
        if self.takes(&Symbol::Mark(')')) {
            Ok(group)
        } else {
            Err(ExpressionError::Terms)
        }
    }

    fn term_or_property(
        &mut self,
        property: Option<&str>,
        text: String,
        quoted: bool,
    ) -> Result<Condition, ExpressionError> {
        if property.is_none() && self.takes(&Symbol::Mark('=')) {
            return match self.next() {
                Some(Symbol::Mark('(')) => self.group(Some(&text)),
                Some(Symbol::Word(word)) => Ok(term(Some(&text), word, false)),
                Some(Symbol::Quoted(word)) => Ok(term(Some(&text), word, true)),
                _ => Err(ExpressionError::Terms),
            };
        }
        Ok(term(property, text, quoted))
    }
}

fn deeper(depth: &mut usize) -> Result<(), ExpressionError> {
    *depth += 1;
    if *depth > DEEPEST {
        return Err(ExpressionError::TooDeep);
    }
    Ok(())
}

fn term(property: Option<&str>, text: String, quoted: bool) -> Condition {
    let term = if quoted {
        Term::Exact(text)
    } else {
        Term::Partial(tokens(&text))
    };
    Condition::Term {
        property: property.map(str::to_owned),
        term,
    }
}

/// Several conditions as one; one is itself.
fn single(mut some: Vec<Condition>, several: fn(Vec<Condition>) -> Condition) -> Condition {
    match (some.len(), some.pop()) {
        (1, Some(only)) => only,
        (_, last) => {
            some.extend(last);
            several(some)
        }
    }
}
