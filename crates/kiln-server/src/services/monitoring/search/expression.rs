//! The expression around a search: `SEARCH('…', 'Average', 60)`.

use super::terms::{Condition, Schema, parse};

/// Why an expression is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in super::super) enum ExpressionError {
    /// It is one of metric math, or one of Metrics Insights.
    #[error("Kiln evaluates SEARCH expressions only, and no metric math.")]
    NotASearch,
    #[error("SEARCH takes a search, a statistic and perhaps a period: SEARCH('…', 'Average', 60).")]
    Arguments,
    #[error("A quotation mark is not closed.")]
    Quotes,
    #[error("A schema is a namespace and names of dimensions: {{Namespace, Name}}.")]
    Schema,
    #[error("The search terms do not fit together.")]
    Terms,
    #[error("The search terms are nested too deeply.")]
    TooDeep,
}

/// A search for metrics, and what is wanted of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Search {
    pub(super) schema: Option<Schema>,
    pub(super) condition: Condition,
    /// The name of the statistic.
    pub(in super::super) statistic: String,
    /// Seconds, if the expression says it.
    pub(in super::super) period: Option<i64>,
}

impl std::str::FromStr for Search {
    type Err = ExpressionError;

    fn from_str(text: &str) -> Result<Self, ExpressionError> {
        let rest = text.trim().strip_prefix("SEARCH").map(str::trim_start);
        let rest = rest.and_then(|rest| rest.strip_prefix('('));
        let rest = rest.ok_or(ExpressionError::NotASearch)?;
        let (search, rest) = quoted(rest)?;
        let rest = comma(rest).ok_or(ExpressionError::Arguments)?;
        let (statistic, rest) = quoted(rest)?;
        let (period, rest) = period(rest)?;
        match rest.trim_start().strip_prefix(')').map(str::trim) {
            Some("") => {}
            // Something is calculated with what is found.
            Some(_) => return Err(ExpressionError::NotASearch),
            None => return Err(ExpressionError::Arguments),
        }
        let (schema, condition) = parse(&search)?;
        Ok(Self {
            schema,
            condition,
            statistic,
            period,
        })
    }
}

/// Takes a text in single quotation marks off the beginning. A mark within it has
/// a backslash before it.
fn quoted(text: &str) -> Result<(String, &str), ExpressionError> {
    let text = text.trim_start();
    let text = text.strip_prefix('\'').ok_or(ExpressionError::Arguments)?;
    let mut read = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\'' => return Ok((read, &text[at + 1..])),
            '\\' => read.extend(letters.next().map(|(_, letter)| letter)),
            _ => read.push(letter),
        }
    }
    Err(ExpressionError::Quotes)
}

fn comma(text: &str) -> Option<&str> {
    text.trim_start().strip_prefix(',')
}

fn period(text: &str) -> Result<(Option<i64>, &str), ExpressionError> {
    let Some(rest) = comma(text).map(str::trim_start) else {
        return Ok((None, text));
    };
    let end = rest.find(|c: char| !c.is_ascii_digit());
    let (digits, rest) = rest.split_at(end.unwrap_or(rest.len()));
    let period = digits.parse().map_err(|_| ExpressionError::Arguments)?;
    Ok((Some(period), rest))
}
