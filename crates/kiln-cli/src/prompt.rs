//! `--cli-auto-prompt`: on a terminal, what is missing is asked for.

use std::io::{self, BufRead, IsTerminal, Write};

use crate::failure::Failure;
use crate::flags::{Flag, Parsed, Takes};

/// The operation, if it is missing and somebody is there to name one.
pub(crate) fn operation() -> Result<Option<String>, Failure> {
    if !io::stdin().is_terminal() {
        return Ok(None);
    }
    let answer = ask("operation").map_err(|error| Failure::General(error.to_string()))?;
    Ok(Some(answer).filter(|answer| !answer.is_empty()))
}

/// The arguments with an answer for each option that is needed and missing.
pub(crate) fn complete(
    flags: &[Flag],
    parsed: &Parsed,
    arguments: &[String],
) -> Result<Vec<String>, Failure> {
    let missing: Vec<&Flag> = flags
        .iter()
        .filter(|flag| flag.required && parsed.words(&flag.name).is_none())
        .collect();
    let mut arguments = arguments.to_vec();
    if missing.is_empty() || !io::stdin().is_terminal() {
        return Ok(arguments);
    }
    for flag in missing {
        let answer = ask(&flag.name).map_err(|error| Failure::General(error.to_string()))?;
        match several(flag, &answer) {
            Some(words) => {
                arguments.push(flag.name.clone());
                arguments.extend(words);
            }
            None => arguments.push(format!("{}={answer}", flag.name)),
        }
    }
    Ok(arguments)
}

/// The words of an answer to an option that takes several, as a shell reads them. What
/// is JSON is one.
fn several(flag: &Flag, answer: &str) -> Option<Vec<String>> {
    if flag.takes != Takes::Words || answer.starts_with(['[', '{']) {
        return None;
    }
    shlex::split(answer)
}

/// Asks on standard error, so that standard output is the answer's alone.
fn ask(name: &str) -> io::Result<String> {
    let mut terminal = io::stderr().lock();
    write!(terminal, "{name}: ")?;
    terminal.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_option_of_several_words_has_its_answer_split() {
        let cases = [
            (Takes::Words, "a b", Some(vec!["a", "b"])),
            (Takes::Words, "'a b' \"c\"", Some(vec!["a b", "c"])),
            (Takes::Words, r#"[{"Key": "a b"}]"#, None),
            (Takes::Words, r#"{"Key": "a"}"#, None),
            (Takes::Words, "'a b'", Some(vec!["a b"])),
            (Takes::Words, "it's a", None),
            (Takes::Word, "a b", None),
        ];
        for (takes, answer, expected) in cases {
            let words = several(&Flag::new("--tags", takes), answer);
            let expected = expected.map(|words| words.into_iter().map(str::to_owned).collect());
            assert_eq!(words, expected, "{answer}");
        }
    }
}
