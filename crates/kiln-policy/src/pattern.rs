//! Text with wildcards and policy variables, matched against a request.
//!
//! `*` stands for any characters and `?` for one; `${aws:username}` stands for a
//! value of the request, `${aws:username, 'nobody'}` for one with a default, and
//! `${*}`, `${?}` and `${$}` for the characters themselves.

use crate::context::Context;

/// What a pattern is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Any,
    One,
    Variable {
        key: String,
        default: Option<String>,
    },
}

/// Parsed text. Any text is a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    pieces: Vec<Piece>,
}

/// What is special in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Syntax {
    pub(crate) wildcards: bool,
    pub(crate) variables: bool,
}

/// Whether capitals count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Case {
    Exact,
    Ignored,
}

/// One step of a pattern whose variables are filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Char(char),
    Any,
    One,
}

impl Pattern {
    pub(crate) fn parse(text: &str, syntax: Syntax) -> Self {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            if let Some((piece, after)) = variable(rest).filter(|_| syntax.variables) {
                pieces.push(piece);
                rest = after;
                continue;
            }
            match first {
                '*' if syntax.wildcards => pieces.push(Piece::Any),
                '?' if syntax.wildcards => pieces.push(Piece::One),
                other => push_char(&mut pieces, other),
            }
            rest = &rest[first.len_utf8()..];
        }
        Self { pieces }
    }

    /// The keys of the request that it speaks of.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Variable { key, .. } => Some(key.as_str()),
            _ => None,
        })
    }

    /// Whether a value is of this form. A variable that the request has no single
    /// value for makes it match nothing.
    pub(crate) fn matches(&self, value: &str, context: &Context, case: Case) -> bool {
        let Some(steps) = self.steps(context, case) else {
            return false;
        };
        let value: Vec<char> = value.chars().flat_map(|c| folded(c, case)).collect();
        glob(&steps, &value)
    }

    /// Whether a request has a value for each of its variables.
    pub(crate) fn is_known(&self, context: &Context) -> bool {
        self.render(context).is_some()
    }

    /// The text, with its variables filled in.
    pub(crate) fn render(&self, context: &Context) -> Option<String> {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(part) => text.push_str(part),
                Piece::Any => text.push('*'),
                Piece::One => text.push('?'),
                Piece::Variable { key, default } => {
                    text.push_str(context.single(key).or(default.as_deref())?);
                }
            }
        }
        Some(text)
    }

    fn steps(&self, context: &Context, case: Case) -> Option<Vec<Step>> {
        let mut steps = Vec::new();
        let text = |text: &str, steps: &mut Vec<Step>| {
            steps.extend(text.chars().flat_map(|c| folded(c, case)).map(Step::Char));
        };
        for piece in &self.pieces {
            match piece {
                Piece::Text(part) => text(part, &mut steps),
                Piece::Any => steps.push(Step::Any),
                Piece::One => steps.push(Step::One),
                // What the request says is text, and no pattern of its own.
                Piece::Variable { key, default } => {
                    text(context.single(key).or(default.as_deref())?, &mut steps);
                }
            }
        }
        Some(steps)
    }
}

/// A variable at the beginning of the text, and what follows it.
fn variable(text: &str) -> Option<(Piece, &str)> {
    let (inner, after) = text.strip_prefix("${")?.split_once('}')?;
    let piece = match inner {
        "*" | "?" | "$" => Piece::Text(inner.to_owned()),
        _ => {
            let (key, default) = match inner.split_once(',') {
                Some((key, default)) => (key, Some(default.trim().trim_matches('\'').to_owned())),
                None => (inner, None),
            };
            let key = key.trim().to_owned();
            Piece::Variable { key, default }
        }
    };
    Some((piece, after))
}

fn push_char(pieces: &mut Vec<Piece>, character: char) {
    match pieces.last_mut() {
        Some(Piece::Text(text)) => text.push(character),
        _ => pieces.push(Piece::Text(character.to_string())),
    }
}

fn folded(character: char, case: Case) -> impl Iterator<Item = char> {
    let lower = (case == Case::Ignored).then(|| character.to_lowercase());
    let same = (case == Case::Exact).then_some(character);
    lower.into_iter().flatten().chain(same)
}

/// Matches in time proportional to both lengths at the worst: only the last `*`
/// is ever gone back to.
fn glob(steps: &[Step], value: &[char]) -> bool {
    let (mut step, mut at) = (0, 0);
    let mut last_any = None;
    while at < value.len() {
        match steps.get(step) {
            Some(Step::Any) => {
                last_any = Some((step, at));
                step += 1;
            }
            Some(Step::One) => (step, at) = (step + 1, at + 1),
            Some(Step::Char(wanted)) if *wanted == value[at] => (step, at) = (step + 1, at + 1),
            _ => {
                let Some((any, from)) = last_any else {
                    return false;
                };
                last_any = Some((any, from + 1));
                (step, at) = (any + 1, from + 1);
            }
        }
    }
    steps[step..].iter().all(|step| *step == Step::Any)
}
