//! `--cli-auto-prompt`: on a terminal, what is missing is asked for.

use std::io::{self, BufRead, IsTerminal, Write};

use crate::failure::Failure;
use crate::flags::{Flag, Parsed};

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
        arguments.push(format!("{}={answer}", flag.name));
    }
    Ok(arguments)
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
