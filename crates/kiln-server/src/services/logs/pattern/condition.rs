//! A condition on one value: `= 4*`, `!= "text"`, `> 100`, `= %regex%`; and how
//! conditions are joined by `&&`, `||` and parentheses.

use regex::Regex;

use super::PatternError;
use super::cursor::Cursor;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// As they are written; those that begin another come after it.
const OPERATORS: [(&str, Operator); 6] = [
    ("!=", Operator::NotEqual),
    ("<=", Operator::LessOrEqual),
    (">=", Operator::GreaterOrEqual),
    ("=", Operator::Equal),
    ("<", Operator::Less),
    (">", Operator::Greater),
];

/// What a value is compared with.
#[derive(Debug, Clone)]
enum Operand {
    Number(f64),
    /// The pieces between asterisks, each of which stands for any text.
    Text(Vec<String>),
    Regex(Regex),
}

/// What one value must be like.
#[derive(Debug, Clone)]
pub(super) struct Comparison {
    operator: Operator,
    operand: Operand,
}

impl Comparison {
    /// Reads an operator and what it compares with; `None` when no operator
    /// comes next.
    pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Option<Self>, PatternError> {
        let found = OPERATORS.iter().find(|(sign, _)| cursor.eat(sign));
        let Some((_, operator)) = found else {
            return Ok(None);
        };
        let operand = operand(cursor)?;
        let is_equality = matches!(operator, Operator::Equal | Operator::NotEqual);
        if !is_equality && !matches!(operand, Operand::Number(_)) {
            return Err(cursor.unexpected("a number"));
        }
        Ok(Some(Self {
            operator: *operator,
            operand,
        }))
    }

    /// Whether it asks for no more than that there is a value.
    pub(super) fn takes_anything(&self) -> bool {
        let anything = matches!(&self.operand, Operand::Text(pieces) if *pieces == ["", ""]);
        anything && self.operator == Operator::Equal
    }

    /// Whether a text is like that.
    pub(super) fn holds(&self, text: &str) -> bool {
        match &self.operand {
            Operand::Number(number) => {
                text.parse()
                    .is_ok_and(|value: f64| self.operator.orders(value, *number))
                    || (self.operator == Operator::NotEqual && text.parse::<f64>().is_err())
            }
            Operand::Text(pieces) => is_like(text, pieces) == (self.operator == Operator::Equal),
            Operand::Regex(regex) => regex.is_match(text) == (self.operator == Operator::Equal),
        }
    }
}

impl Operator {
    fn orders(self, left: f64, right: f64) -> bool {
        match self {
            Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }
}

fn operand(cursor: &mut Cursor<'_>) -> Result<Operand, PatternError> {
    cursor.peek();
    if let Some(phrase) = cursor.phrase()? {
        return Ok(Operand::Text(pieces(&phrase)));
    }
    if let Some(regex) = cursor.regex()? {
        return Ok(Operand::Regex(regex));
    }
    let ends = |c: char| c.is_whitespace() || "&|,(){}[]\"".contains(c);
    let bare = cursor.until(ends);
    if bare.is_empty() {
        return Err(cursor.unexpected("a value"));
    }
    let number = bare.parse().ok().filter(|number: &f64| number.is_finite());
    Ok(number.map_or_else(|| Operand::Text(pieces(bare)), Operand::Number))
}

fn pieces(text: &str) -> Vec<String> {
    text.split('*').map(str::to_owned).collect()
}

/// Whether the text is the pieces in their order with anything between them.
fn is_like(text: &str, pieces: &[String]) -> bool {
    let [first, middle @ .., last] = pieces else {
        return pieces.first().is_some_and(|only| only == text);
    };
    let Some(mut rest) = text.strip_prefix(first.as_str()) else {
        return false;
    };
    for piece in middle {
        match rest.split_once(piece.as_str()) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last.as_str())
}

/// Conditions, joined.
#[derive(Debug, Clone)]
pub(super) enum Joined<C> {
    One(C),
    All(Vec<Joined<C>>),
    Any(Vec<Joined<C>>),
}

impl<C> Joined<C> {
    /// Reads conditions joined by `||`, `&&`, which binds closer, and parentheses.
    pub(super) fn parse(
        cursor: &mut Cursor<'_>,
        one: &mut impl FnMut(&mut Cursor<'_>) -> Result<C, PatternError>,
    ) -> Result<Self, PatternError> {
        let mut any = vec![Self::all(cursor, one)?];
        while cursor.eat("||") {
            any.push(Self::all(cursor, one)?);
        }
        Ok(Self::of(any, Self::Any))
    }

    fn all(
        cursor: &mut Cursor<'_>,
        one: &mut impl FnMut(&mut Cursor<'_>) -> Result<C, PatternError>,
    ) -> Result<Self, PatternError> {
        let mut all = vec![Self::operand(cursor, one)?];
        while cursor.eat("&&") {
            all.push(Self::operand(cursor, one)?);
        }
        Ok(Self::of(all, Self::All))
    }

    fn operand(
        cursor: &mut Cursor<'_>,
        one: &mut impl FnMut(&mut Cursor<'_>) -> Result<C, PatternError>,
    ) -> Result<Self, PatternError> {
        if !cursor.eat("(") {
            return one(cursor).map(Self::One);
        }
        let inner = Self::parse(cursor, one)?;
        cursor.require(")", "a closing parenthesis")?;
        Ok(inner)
    }

    fn of(mut parts: Vec<Self>, joined: impl Fn(Vec<Self>) -> Self) -> Self {
        match (parts.len(), parts.pop()) {
            (1, Some(only)) => only,
            (_, last) => {
                parts.extend(last);
                joined(parts)
            }
        }
    }

    pub(super) fn holds(&self, holds: &impl Fn(&C) -> bool) -> bool {
        match self {
            Self::One(condition) => holds(condition),
            Self::All(parts) => parts.iter().all(|part| part.holds(holds)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(holds)),
        }
    }
}
