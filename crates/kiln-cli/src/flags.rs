//! Reading a command line as Python's argparse does: options anywhere, under any
//! unambiguous beginning of their names, and what is not known left over.

use crate::failure::Failure;
use crate::usage::invalid_choice;

/// An option that a parser knows.
#[derive(Debug, Clone)]
pub(crate) struct Flag {
    /// With its hyphens.
    pub(crate) name: String,
    pub(crate) takes: Takes,
    pub(crate) required: bool,
}

/// What follows an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    Nothing,
    /// One word.
    Word,
    /// One whole number.
    Whole,
    /// One number.
    Number,
    /// One of these.
    Choice(&'static [&'static str]),
    /// One of these, or nothing.
    ChoiceOrNothing(&'static [&'static str]),
    /// Any number of words.
    Words,
}

impl Flag {
    pub(crate) fn new(name: impl Into<String>, takes: Takes) -> Self {
        Self {
            name: name.into(),
            takes,
            required: false,
        }
    }
}

/// What a parser found.
#[derive(Debug, Default)]
pub(crate) struct Parsed {
    /// The options that were given, with what followed them, in that order.
    options: Vec<(String, Vec<String>)>,
    /// The first word that belongs to no option.
    pub(crate) positional: Option<String>,
    /// What is left.
    pub(crate) rest: Vec<String>,
}

impl Parsed {
    /// What followed an option the last time that it was given.
    pub(crate) fn words(&self, name: &str) -> Option<&[String]> {
        let given = self.options.iter().rev().find(|(given, _)| given == name);
        given.map(|(_, words)| words.as_slice())
    }

    /// The one word that followed an option.
    pub(crate) fn word(&self, name: &str) -> Option<&str> {
        self.words(name)?.first().map(String::as_str)
    }

    /// Which of two options was given last.
    pub(crate) fn last_of(&self, names: [&str; 2]) -> Option<&str> {
        let mut given = self.options.iter().rev().map(|(name, _)| name.as_str());
        given.find(|name| names.contains(name))
    }
}

/// Reads the arguments that the flags and one positional word stand for.
pub(crate) fn parse(flags: &[Flag], arguments: &[String]) -> Result<Parsed, Failure> {
    let kinds = arguments
        .iter()
        .map(|argument| kind(flags, argument))
        .collect::<Result<Vec<_>, _>>()?;
    let mut parsed = Parsed::default();
    let mut place = 0;
    while place < arguments.len() {
        match &kinds[place] {
            Kind::Word => {
                let word = arguments[place].clone();
                match parsed.positional {
                    None => parsed.positional = Some(word),
                    Some(_) => parsed.rest.push(word),
                }
                place += 1;
            }
            Kind::Unknown => {
                parsed.rest.push(arguments[place].clone());
                place += 1;
            }
            Kind::Known(flag, Some(value)) => {
                let flag = &flags[*flag];
                if flag.takes == Takes::Nothing {
                    let value = crate::python::quoted(value);
                    return Err(complaint(
                        flag,
                        format!("ignored explicit argument {value}"),
                    ));
                }
                accept(flag, std::slice::from_ref(value), &mut parsed)?;
                place += 1;
            }
            Kind::Known(flag, None) => {
                let following = &kinds[place + 1..];
                let words = following
                    .iter()
                    .take_while(|kind| matches!(kind, Kind::Word));
                let taken = how_many(&flags[*flag], words.count())?;
                let end = place + 1 + taken;
                accept(&flags[*flag], &arguments[place + 1..end], &mut parsed)?;
                place = end;
            }
        }
    }
    Ok(parsed)
}

/// Checks that what must be given was given.
pub(crate) fn require(flags: &[Flag], parsed: &Parsed) -> Result<(), Failure> {
    let missing: Vec<&str> = flags
        .iter()
        .filter(|flag| flag.required && parsed.words(&flag.name).is_none())
        .map(|flag| flag.name.as_str())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure::Usage(format!(
        "the following arguments are required: {}",
        missing.join(", ")
    )))
}

/// What an argument is: a word, an option that is known, perhaps with its value,
/// or one that is not.
enum Kind {
    Word,
    Known(usize, Option<String>),
    Unknown,
}

fn kind(flags: &[Flag], argument: &str) -> Result<Kind, Failure> {
    if !argument.starts_with('-') || argument.len() == 1 {
        return Ok(Kind::Word);
    }
    let named = |name: &str| flags.iter().position(|flag| flag.name == name);
    if let Some(flag) = named(argument) {
        return Ok(Kind::Known(flag, None));
    }
    let (name, value) = match argument.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (argument, None),
    };
    if let Some(flag) = named(name) {
        return Ok(Kind::Known(flag, value));
    }
    let meant = |flag: &(usize, &Flag)| name.starts_with("--") && flag.1.name.starts_with(name);
    let candidates: Vec<(usize, &Flag)> = flags.iter().enumerate().filter(meant).collect();
    match candidates[..] {
        [(flag, _)] => Ok(Kind::Known(flag, value)),
        [] if is_negative_number(argument) || argument.contains(' ') => Ok(Kind::Word),
        [] => Ok(Kind::Unknown),
        _ => {
            let names: Vec<&str> = candidates
                .iter()
                .map(|(_, flag)| flag.name.as_str())
                .collect();
            Err(Failure::Usage(format!(
                "ambiguous option: {argument} could match {}",
                names.join(", ")
            )))
        }
    }
}

fn is_negative_number(argument: &str) -> bool {
    let digits = argument.trim_start_matches('-');
    argument.len() == digits.len() + 1
        && digits.starts_with(|letter: char| letter.is_ascii_digit() || letter == '.')
        && digits.parse::<f64>().is_ok()
}

/// How many of the words that follow belong to an option.
fn how_many(flag: &Flag, following: usize) -> Result<usize, Failure> {
    match flag.takes {
        Takes::Nothing => Ok(0),
        Takes::Words => Ok(following),
        Takes::ChoiceOrNothing(_) => Ok(following.min(1)),
        _ if following == 0 => Err(complaint(flag, "expected one argument".to_owned())),
        _ => Ok(1),
    }
}

/// Takes an option in, once what follows it is of the right kind.
fn accept(flag: &Flag, words: &[String], parsed: &mut Parsed) -> Result<(), Failure> {
    for word in words {
        let shown = crate::python::quoted(word);
        match flag.takes {
            Takes::Whole if word.trim().parse::<i128>().is_err() => {
                return Err(complaint(flag, format!("invalid int value: {shown}")));
            }
            Takes::Number if word.trim().parse::<f64>().is_err() => {
                return Err(complaint(flag, format!("invalid float value: {shown}")));
            }
            Takes::Choice(choices) | Takes::ChoiceOrNothing(choices)
                if !choices.contains(&word.as_str()) =>
            {
                let choices: Vec<String> = choices.iter().map(ToString::to_string).collect();
                let text = invalid_choice(&flag.name, word, &choices);
                return Err(Failure::Usage(text));
            }
            _ => {}
        }
    }
    parsed.options.push((flag.name.clone(), words.to_vec()));
    Ok(())
}

fn complaint(flag: &Flag, reason: String) -> Failure {
    Failure::Usage(format!("argument {}: {reason}", flag.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags() -> Vec<Flag> {
        vec![
            Flag::new("--name", Takes::Word),
            Flag::new("--tags", Takes::Words),
            Flag::new("--now", Takes::Nothing),
            Flag::new("--limit", Takes::Whole),
        ]
    }

    fn parsed(line: &str) -> Result<Parsed, Failure> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        parse(&flags(), &words)
    }

    #[test]
    fn options_are_found_anywhere() {
        let found = parsed("--na x go --tags a b --other c --limit=-5 --now d").unwrap();
        assert_eq!(found.word("--name"), Some("x"));
        assert_eq!(found.words("--tags").unwrap(), ["a", "b"]);
        assert_eq!(found.word("--limit"), Some("-5"));
        assert!(found.words("--now").is_some());
        assert_eq!(found.positional.as_deref(), Some("go"));
        assert_eq!(found.rest, ["--other", "c", "d"]);
    }

    #[test]
    fn complaints_name_the_option() {
        for (line, expected) in [
            ("--n", "ambiguous option: --n could match --name, --now"),
            ("--name", "argument --name: expected one argument"),
            ("--limit x", "argument --limit: invalid int value: 'x'"),
            ("--now=x", "argument --now: ignored explicit argument 'x'"),
        ] {
            let Err(Failure::Usage(said)) = parsed(line) else {
                panic!("{line} was read");
            };
            assert_eq!(said, expected);
        }
    }
}
