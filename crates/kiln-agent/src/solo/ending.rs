//! How a container ended, and what it says of why.

use std::path::Path;

use crate::contract::{self, words};
use crate::runtime::Exit;
use crate::work::Worked;

/// How a container ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    Well,
    /// The kernel killed it for the memory that it took.
    OutOfMemory,
    /// In this way: `exit code 1`, `signal 9`.
    Badly(String),
}

impl End {
    pub(crate) fn of(exit: Exit) -> Self {
        match exit {
            Exit::Code(0) => Self::Well,
            Exit::OutOfMemory => Self::OutOfMemory,
            Exit::Code(code) => Self::Badly(format!("exit code {code}")),
            Exit::Signal(signal) => Self::Badly(format!("signal {signal}")),
        }
    }
}

/// The reason for the end of this very program; `None` when it ended well. `message` is what
/// it left, and the kind of job says what it is to have run out of memory, and to have ended
/// in some way without a word.
pub(crate) fn of_own(
    exit: Exit,
    message: Option<String>,
    out_of_memory: impl FnOnce() -> String,
    silent: impl FnOnce(&str) -> String,
) -> Option<String> {
    let ending = match End::of(exit) {
        End::Well => return None,
        End::OutOfMemory => return Some(out_of_memory()),
        End::Badly(ending) => ending,
    };
    let message = message.filter(|message| !message.trim().is_empty());
    Some(message.unwrap_or_else(|| silent(&ending)))
}

/// What the container of an image has told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// The error that it left.
    pub(crate) error: Option<String>,
    /// What it said last.
    pub(crate) words: Option<String>,
}

impl Told {
    /// What is found in the directory for errors, and in the instance's log after the report
    /// of this number.
    pub(crate) fn read(worked: &Worked, errors: &Path, (instance, said): (&Path, u64)) -> Self {
        let complaint = worked.complaint.clone();
        Self {
            error: contract::read_error(errors),
            words: complaint.or_else(|| words::last(instance, said)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_very_program_ends_with_what_it_says_or_with_how_it_ended() {
        let said = "ClientError: InputConfiguration: No h5 file provided in /model";
        let cases = [
            (Exit::Code(0), Some("x"), None),
            (Exit::Code(1), Some(said), Some(said)),
            (Exit::Code(1), Some(" \n"), Some("ended with exit code 1")),
            (Exit::Signal(11), None, Some("ended with signal 11")),
            (Exit::OutOfMemory, Some(said), Some("out of memory")),
        ];
        for (exit, message, expected) in cases {
            let silent = |ending: &str| format!("ended with {ending}");
            let memory = || "out of memory".to_owned();
            let reason = of_own(exit, message.map(str::to_owned), memory, silent);
            assert_eq!(reason.as_deref(), expected, "{exit:?}");
        }
    }
}
