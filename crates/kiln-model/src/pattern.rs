//! Regular expressions of the service model, which mean what Java means by
//! them: a value must match as a whole, and `\d`, `\w`, `\s` are ASCII.

use std::fmt::Write as _;
use std::iter::Peekable;
use std::ops::RangeInclusive;
use std::str::Chars;
use std::sync::OnceLock;

/// A pattern in Java's syntax, compiled when it is first needed.
#[derive(Debug)]
pub(crate) struct Pattern {
    source: &'static str,
    matcher: OnceLock<Matcher>,
}

/// A compiled pattern.
#[derive(Debug)]
enum Matcher {
    /// Runs in linear time.
    Linear(regex::Regex),
    /// Every character is of one class, and their number is within bounds.
    Counted(regex::Regex, RangeInclusive<usize>),
    /// Backtracks, for the few patterns that look around.
    Backtracking(fancy_regex::Regex),
}

impl Matcher {
    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Linear(regex) => regex.is_match(text),
            Self::Counted(regex, count) => {
                count.contains(&text.chars().count()) && regex.is_match(text)
            }
            // An error means that it gave up backtracking, which no sensible value makes it do.
            Self::Backtracking(regex) => regex.is_match(text).unwrap_or(false),
        }
    }
}

impl Pattern {
    pub(crate) const fn new(source: &'static str) -> Self {
        Self {
            source,
            matcher: OnceLock::new(),
        }
    }

    /// The pattern as AWS prints it.
    pub(crate) const fn source(&self) -> &'static str {
        self.source
    }

    /// Whether a whole text matches.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let compile = || compile(self.source).expect("a test compiles every pattern of the table");
        self.matcher.get_or_init(compile).matches(text)
    }
}

fn compile(java: &str) -> Result<Matcher, Box<fancy_regex::Error>> {
    if let Some((class, count)) = counted_class(java)
        && let Ok(regex) = regex::Regex::new(&whole(&format!("{class}*")))
    {
        return Ok(Matcher::Counted(regex, count));
    }
    let whole = whole(java);
    match regex::Regex::new(&whole) {
        Ok(regex) => Ok(Matcher::Linear(regex)),
        Err(_) => {
            let regex = fancy_regex::Regex::new(&whole).map_err(Box::new)?;
            Ok(Matcher::Backtracking(regex))
        }
    }
}

fn whole(java: &str) -> String {
    format!(r"\A(?:{})\z", translate(java))
}

/// Takes a pattern such as `[\p{L}]{0,1024}` apart. Compiled as it stands, it
/// would hold a thousand copies of its class and fill 50 megabytes.
fn counted_class(java: &str) -> Option<(&str, RangeInclusive<usize>)> {
    let (class, count) = java.strip_suffix('}')?.rsplit_once('{')?;
    let inside = class.strip_prefix('[')?.strip_suffix(']')?;
    if inside.contains(['[', ']']) {
        return None;
    }
    let (least, most) = count.split_once(',')?;
    Some((class, least.parse().ok()?..=most.parse().ok()?))
}

/// A Java pattern in the syntax of the `regex` crate.
pub(crate) fn translate(java: &str) -> String {
    let mut letters = java.chars().peekable();
    let mut rust = String::new();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => rust.push_str(&escape(&mut letters).outside_a_class()),
            '[' => rust.push_str(&class(&mut letters)),
            '.' => rust.push_str(r"[^\n\r\x{85}\x{2028}\x{2029}]"),
            // In a pattern that matches as a whole, Java's `$` before a last
            // line break never helps.
            '$' => rust.push_str(r"(?:\z)"),
            '^' => rust.push_str(r"\A"),
            _ => rust.push(letter),
        }
    }
    rust
}

/// What stands for characters: one of them, or the inside of a class.
enum Atom {
    One(char),
    Many { inside: String, negated: bool },
}

impl Atom {
    fn many(inside: &str, negated: bool) -> Self {
        let inside = inside.to_owned();
        Self::Many { inside, negated }
    }

    fn outside_a_class(&self) -> String {
        match self {
            Self::One(letter) => literal(*letter),
            Self::Many { .. } => self.inside_a_class(),
        }
    }

    fn inside_a_class(&self) -> String {
        match self {
            Self::One(letter) => literal(*letter),
            Self::Many {
                inside,
                negated: false,
            } => format!("[{inside}]"),
            Self::Many {
                inside,
                negated: true,
            } => format!("[^{inside}]"),
        }
    }
}

/// A character by its number unless it is a letter or a digit, so that it
/// cannot mean anything else.
fn literal(letter: char) -> String {
    if letter.is_ascii_alphanumeric() {
        letter.to_string()
    } else {
        format!("\\x{{{:X}}}", u32::from(letter))
    }
}

/// Reads what follows a backslash.
fn escape(letters: &mut Peekable<Chars<'_>>) -> Atom {
    match letters.next() {
        Some('d') => Atom::many("0-9", false),
        Some('D') => Atom::many("0-9", true),
        Some('w') => Atom::many("A-Za-z0-9_", false),
        Some('W') => Atom::many("A-Za-z0-9_", true),
        Some('s') => Atom::many(r" \t\n\x0B\f\r", false),
        Some('S') => Atom::many(r" \t\n\x0B\f\r", true),
        Some('t') => Atom::One('\t'),
        Some('n') => Atom::One('\n'),
        Some('r') => Atom::One('\r'),
        Some('x') => Atom::One(scalar(number(letters, 2))),
        Some('u') => Atom::One(utf16(letters)),
        Some('p') => property(letters),
        Some(other) => Atom::One(other),
        None => Atom::One('\\'),
    }
}

/// Reads `{L}` or `{Alnum}` after `\p`.
fn property(letters: &mut Peekable<Chars<'_>>) -> Atom {
    let name: String = letters
        .by_ref()
        .skip(1)
        .take_while(|letter| *letter != '}')
        .collect();
    match name.as_str() {
        "Alnum" => Atom::many("A-Za-z0-9", false),
        _ => Atom::many(&format!("\\p{{{name}}}"), false),
    }
}

/// Reads the digits after `\u`, of a whole surrogate pair where there is one.
fn utf16(letters: &mut Peekable<Chars<'_>>) -> char {
    let first = number(letters, 4);
    if !(0xD800..0xDC00).contains(&first) {
        return scalar(first);
    }
    letters.by_ref().take(2).for_each(drop);
    let second = number(letters, 4);
    scalar(0x1_0000 + ((first - 0xD800) << 10) + (second.wrapping_sub(0xDC00) & 0x3FF))
}

fn number(letters: &mut Peekable<Chars<'_>>, digits: usize) -> u32 {
    let digits = letters.by_ref().take(digits);
    digits.fold(0, |number, digit| {
        number * 16 + digit.to_digit(16).unwrap_or(0)
    })
}

fn scalar(number: u32) -> char {
    char::from_u32(number).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// Reads a class after its opening bracket. The `regex` crate gives `--` and
/// `~~` in a class a meaning that Java does not, hence every range is read and
/// written anew.
fn class(letters: &mut Peekable<Chars<'_>>) -> String {
    let mut rust = String::from("[");
    if letters.next_if_eq(&'^').is_some() {
        rust.push('^');
    }
    while let Some(letter) = letters.next() {
        let atom = match letter {
            ']' => break,
            '\\' => escape(letters),
            _ => Atom::One(letter),
        };
        match (&atom, range_end(&atom, letters)) {
            (Atom::One(first), Some(last)) => {
                let _ = write!(rust, "{}-{}", literal(*first), literal(last));
            }
            _ => rust.push_str(&atom.inside_a_class()),
        }
    }
    rust.push(']');
    rust
}

/// The last character of a range that an atom begins, if it begins one.
fn range_end(first: &Atom, letters: &mut Peekable<Chars<'_>>) -> Option<char> {
    let mut ahead = letters.clone();
    if matches!(first, Atom::Many { .. }) || ahead.next() != Some('-') {
        return None;
    }
    let last = match ahead.next()? {
        ']' => return None,
        '\\' => match escape(&mut ahead) {
            Atom::One(last) => last,
            Atom::Many { .. } => return None,
        },
        last => last,
    };
    *letters = ahead;
    Some(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generated::patterns::PATTERNS;

    fn matches(java: &str, text: &str) -> bool {
        compile(java).unwrap().matches(text)
    }

    #[test]
    fn every_pattern_of_the_table_compiles() {
        for pattern in &PATTERNS {
            if let Err(error) = compile(pattern.source()) {
                panic!("{}: {error}", pattern.source());
            }
        }
    }

    #[test]
    fn only_patterns_that_look_around_backtrack() {
        for pattern in &PATTERNS {
            let backtracks = matches!(compile(pattern.source()), Ok(Matcher::Backtracking(_)));
            let looks_around = ["(?=", "(?!", "(?<"]
                .iter()
                .any(|look| pattern.source().contains(look));
            assert_eq!(backtracks, looks_around, "{}", pattern.source());
        }
    }

    #[test]
    fn patterns_mean_what_java_means() {
        for (java, text, expected) in [
            ("[a-z]+", "abc", true),
            ("[a-z]+", "abc\n", false),
            ("[a-z]+", "1abc", false),
            ("a|b", "ab", false),
            (".*", "one line", true),
            (".*", "two\nlines", false),
            (".*", "two\rlines", false),
            (".*", "two\u{2028}lines", false),
            (r"[\S\s]*", "two\nlines", true),
            (r"\d+", "123", true),
            (r"\d+", "١٢٣", false),
            (r"\w+", "é", false),
            (r"[\w-]+", "a-b", true),
            (r"\S+", "a\u{A0}b", true),
            (r"[\p{L}]+", "é", true),
            (r"[\p{Alnum}\-]+", "a-1", true),
            (r"[\p{Alnum}\-]+", "é", false),
            (r"[a-z0-9-\.]{1,3}", "a-.", true),
            (r"[a-z0-9-_.]+", "+", false),
            (r"[+--]+", ",", true),
            (r"[~~&&]+", "~&", true),
            (r"[!#-\[\]-~]+", "a\"", false),
            (r"[!#-\[\]-~]+", "a]b[", true),
            (r"[\t\n\r -\uD7FF\uE000-\uFFFD]*", "plain\ttext é", true),
            (r"[\t\n\r -\uD7FF\uE000-\uFFFD]*", "😀", false),
            (
                r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\t]*",
                "😀",
                true,
            ),
            (r"[\x21-\x7E]+", "a~", true),
            (r"[\x21-\x7E]+", "a b", false),
            (r"(?!\s*$).+", "  ", false),
            (r"(?!\s*$).+", " a", true),
            (r"(a*)${1,128}", "aa", true),
            (r"([a-zA-Z0-9]([a-zA-Z0-9-]){0,62})(?<!-)", "a-", false),
            (r"(?=.{1,3}$)[a-z]*", "abcd", false),
            (r"[\p{L}]{2,3}", "é", false),
            (r"[\p{L}]{2,3}", "éé", true),
            (r"[\p{L}]{2,3}", "éé1", false),
            (r"[\p{L}]{2,3}", "éééé", false),
        ] {
            assert_eq!(matches(java, text), expected, "{java} on {text:?}");
        }
    }
}
