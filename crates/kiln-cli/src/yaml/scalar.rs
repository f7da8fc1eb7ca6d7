//! Writing texts: plain where that is possible, else in single quotes, else in
//! double ones.

use std::sync::LazyLock;

use regex::Regex;

/// Where a text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// It is a name, on one line.
    Key,
    /// Lines but the first are so far in.
    Value { indent: usize },
}

/// The column after which a line is broken at the next space.
const WIDTH: usize = 80;

/// Plain texts that would be read as something else: numbers, truth values,
/// nothing, dates.
static OTHER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let pattern = r"(?x) ^(?:
          | true | True | TRUE | false | False | FALSE | ~ | null | Null | NULL | << | =
          | [-+]? 0b [01_]+ | [-+]? 0o? [0-7_]+ | [-+]? [0-9_]+ | [-+]? 0x [0-9a-fA-F_]+
          | [-+]? [0-9][0-9_]* \. [0-9_]* (?: [eE][-+]?[0-9]+ )?
          | [-+]? [0-9][0-9_]* [eE] [-+]? [0-9]+
          | [-+]? \. [0-9_]+ (?: [eE][-+][0-9]+ )?
          | [-+]? \. (?: inf | Inf | INF ) | \. (?: nan | NaN | NAN )
          | [0-9]{4} - [0-9]{2} - [0-9]{2}
          | [0-9]{4} - [0-9]{1,2} - [0-9]{1,2} (?: [Tt] | [\ \t]+ )
            [0-9]{1,2} : [0-9]{2} : [0-9]{2} (?: \.[0-9]* )?
            (?: [\ \t]* (?: Z | [-+][0-9]{1,2} (?: :[0-9]{2} )? ) )?
        )$";
    Regex::new(pattern).ok()
});

/// How a text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Plain,
    Single,
    Double,
}

/// Writes a text after what is there.
pub(super) fn scalar(out: &mut String, text: &str, place: Place) {
    let line = out.rsplit('\n').next().unwrap_or_default();
    let mut pen = Pen {
        column: line.chars().count(),
        out,
        place,
    };
    let letters: Vec<char> = text.chars().collect();
    match style(text, &letters, place) {
        Style::Plain => pen.plain(&letters),
        Style::Single => pen.single(&letters),
        Style::Double => pen.double(&letters),
    }
}

fn style(text: &str, letters: &[char], place: Place) -> Style {
    let is_broken = letters.iter().any(|letter| is_break(*letter));
    let pairs = || letters.windows(2);
    let special = !letters.iter().all(|letter| is_printable(*letter))
        || pairs().any(|pair| pair[0] == ' ' && is_break(pair[1]))
        || pairs().any(|pair| is_break(pair[0]) && pair[1] == ' ');
    if special || (is_broken && place == Place::Key) {
        return Style::Double;
    }
    let is_other = OTHER.as_ref().is_none_or(|other| other.is_match(text));
    let edges = [letters.first(), letters.last()];
    let has_edge = edges.contains(&Some(&' '));
    if is_broken || is_other || has_edge || has_indicators(text, letters) {
        Style::Single
    } else {
        Style::Plain
    }
}

/// Whether a text has marks that mean something where no quotes are.
fn has_indicators(text: &str, letters: &[char]) -> bool {
    let ends = |place: usize| letters.get(place + 1).is_none_or(|next| *next == ' ');
    let first = match letters.first() {
        Some('?' | ':' | '-') => ends(0),
        Some(letter) => "#,[]{}&*!|>'\"%@`".contains(*letter),
        None => false,
    };
    let within = letters.iter().enumerate().skip(1);
    first
        || text.starts_with("---")
        || text.starts_with("...")
        || within.into_iter().any(|(place, letter)| match letter {
            ':' => ends(place),
            '#' => letters[place - 1] == ' ',
            _ => false,
        })
}

/// The breaks that are read as they were written.
fn is_break(letter: char) -> bool {
    matches!(letter, '\n' | '\u{2028}' | '\u{2029}')
}

/// Whether a letter is written as it is.
fn is_printable(letter: char) -> bool {
    matches!(letter, '\n' | ' '..='~' | '\u{a0}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}')
}

struct Pen<'a> {
    out: &'a mut String,
    column: usize,
    place: Place,
}

impl Pen<'_> {
    fn put(&mut self, letter: char) {
        self.out.push(letter);
        self.column += 1;
    }

    fn plain(&mut self, letters: &[char]) {
        for (place, letter) in letters.iter().enumerate() {
            if self.breaks_at(letters, place) && letters.get(place + 1) != Some(&' ') {
                self.next_line();
            } else {
                self.put(*letter);
            }
        }
    }

    fn single(&mut self, letters: &[char]) {
        self.put('\'');
        let mut after_break = false;
        for (place, letter) in letters.iter().enumerate() {
            if is_break(*letter) {
                // The first is doubled: one alone would be read as a space.
                if !after_break && *letter == '\n' {
                    self.out.push('\n');
                }
                self.out.push(*letter);
                self.column = 0;
                after_break = true;
                continue;
            }
            if after_break && *letter != ' ' {
                self.indent();
            }
            let within = place > 0 && place + 1 < letters.len();
            if within && self.breaks_at(letters, place) && letters[place + 1] != ' ' {
                self.next_line();
            } else {
                if *letter == '\'' {
                    self.put('\'');
                }
                self.put(*letter);
            }
            after_break = false;
        }
        if after_break {
            self.indent();
        }
        self.put('\'');
    }

    fn double(&mut self, letters: &[char]) {
        self.put('"');
        for (place, letter) in letters.iter().enumerate() {
            let within = place > 0 && place + 1 < letters.len();
            if is_break(*letter) || !is_printable(*letter) || matches!(letter, '"' | '\\') {
                for letter in escaped(*letter).chars() {
                    self.put(letter);
                }
            } else if within && self.breaks_at(letters, place) {
                self.next_line();
                if letters[place + 1] == ' ' {
                    self.put('\\');
                }
            } else {
                self.put(*letter);
            }
        }
        self.put('"');
    }

    /// Whether the line has become so long that this space ends it.
    fn breaks_at(&self, letters: &[char], place: usize) -> bool {
        letters[place] == ' '
            && self.place != Place::Key
            && self.column > WIDTH
            && (place == 0 || letters[place - 1] != ' ')
    }

    fn next_line(&mut self) {
        self.out.push('\n');
        self.column = 0;
        self.indent();
    }

    fn indent(&mut self) {
        if let Place::Value { indent } = self.place {
            while self.column < indent {
                self.put(' ');
            }
        }
    }
}

fn escaped(letter: char) -> String {
    let short = match letter {
        '\0' => '0',
        '\u{7}' => 'a',
        '\u{8}' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\u{b}' => 'v',
        '\u{c}' => 'f',
        '\r' => 'r',
        '\u{1b}' => 'e',
        '\u{85}' => 'N',
        '\u{2028}' => 'L',
        '\u{2029}' => 'P',
        '"' | '\\' => letter,
        _ => {
            return match letter as u32 {
                code @ ..=0xff => format!("\\x{code:02X}"),
                code @ ..=0xffff => format!("\\u{code:04X}"),
                code => format!("\\U{code:08X}"),
            };
        }
    };
    format!("\\{short}")
}
