//! What the AWS CLI says of a command line that it cannot read.

use std::collections::HashMap;

const VERSION_NOTE: &str = "Note: AWS CLI version 2, the latest major version of the AWS CLI, is \
    now stable and recommended for general use. For more information, see the AWS CLI version 2 \
    installation instructions at: https://docs.aws.amazon.com/cli/latest/userguide/install-cliv2.html";

/// What comes before every complaint about a command line. The note is the AWS
/// CLI's too: whoever compares what the two print finds no difference.
pub(crate) fn usage() -> String {
    format!(
        "usage: \r{VERSION_NOTE}\n\nusage: aws [options] <command> <subcommand> [<subcommand> ...] \
         [parameters]\nTo see help text, you can run:\n\n  aws help\n  aws <command> help\n  aws \
         <command> <subcommand> help\n"
    )
}

/// The complaint that a word is none of the choices.
pub(crate) fn invalid_choice(argument: &str, word: &str, choices: &[String]) -> String {
    let rows = choices.chunks(2).map(|row| {
        let cells: Vec<String> = row.iter().map(|choice| format!("{choice:<40}")).collect();
        cells.join(" | ")
    });
    let mut lines = vec!["Invalid choice, valid choices are:\n".to_owned()];
    lines.extend(rows);
    let close = close_matches(word, choices);
    if !close.is_empty() {
        let word = crate::python::quoted(word);
        lines.push(format!("\n\nInvalid choice: {word}, maybe you meant:\n"));
        lines.extend(close.into_iter().map(|choice| format!("  * {choice}")));
    }
    format!("argument {argument}: {}", lines.join("\n"))
}

/// How alike two words must be for one to be taken for the other.
const ALIKE: f64 = 0.8;
/// How many choices are proposed.
const PROPOSED: usize = 3;

/// The choices that are most like a word, the best first.
fn close_matches<'a>(word: &str, choices: &'a [String]) -> Vec<&'a str> {
    let scored = choices
        .iter()
        .map(|choice| (likeness(choice, word), choice));
    let mut close: Vec<(f64, &String)> = scored.filter(|(score, _)| *score >= ALIKE).collect();
    close.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| b.1.cmp(a.1)));
    close.truncate(PROPOSED);
    close
        .into_iter()
        .map(|(_, choice)| choice.as_str())
        .collect()
}

/// The share of letters that two words have in common, after Ratcliff and
/// Obershelp: the longest common run, and so on to its left and right.
fn likeness(a: &str, b: &str) -> f64 {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.is_empty() && b.is_empty() {
        return 1.0;
    }
    2.0 * common(&a, &b) as f64 / (a.len() + b.len()) as f64
}

fn common(a: &[char], b: &[char]) -> usize {
    let (start_a, start_b, length) = longest_run(a, b);
    if length == 0 {
        return 0;
    }
    length
        + common(&a[..start_a], &b[..start_b])
        + common(&a[start_a + length..], &b[start_b + length..])
}

/// Where the longest common run begins in both, and how long it is; of several
/// the first.
fn longest_run(a: &[char], b: &[char]) -> (usize, usize, usize) {
    let mut best = (0, 0, 0);
    let mut ending: HashMap<usize, usize> = HashMap::new();
    for (i, letter) in a.iter().enumerate() {
        let mut next = HashMap::new();
        for (j, other) in b.iter().enumerate() {
            if letter != other {
                continue;
            }
            let before = j.checked_sub(1).and_then(|j| ending.get(&j));
            let length = before.copied().unwrap_or_default() + 1;
            next.insert(j, length);
            if length > best.2 {
                best = (i + 1 - length, j + 1 - length, length);
            }
        }
        ending = next;
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn likely_words_are_proposed() {
        let choices =
            ["describe-training-job", "describe-training-plan", "wait"].map(str::to_owned);
        assert_eq!(
            close_matches("describe-training-jo", &choices),
            ["describe-training-job", "describe-training-plan"]
        );
        assert!(close_matches("frob", &choices).is_empty());
    }

    #[test]
    fn choices_stand_in_two_columns() {
        let choices = ["on", "off", "auto"].map(str::to_owned);
        let text = invalid_choice("--color", "x", &choices);
        assert!(text.starts_with("argument --color: Invalid choice, valid choices are:\n\non    "));
        assert!(text.ends_with(&format!("{:<40}", "auto")));
    }
}
