//! What a shell can complete: operations, their options, and the values of these.

use crate::flags::{Flag, Takes};
use crate::generated::operations::OPERATIONS;
use crate::model::{self, Kind, Operation, shape};
use crate::{globals, parameters, wait};

/// A word of the command line that has options, or further such words.
#[derive(Debug, Default)]
pub struct CommandWord {
    /// The word.
    pub name: String,
    /// What may follow it.
    pub words: Vec<CommandWord>,
    /// Its options.
    pub options: Vec<CommandOption>,
}

/// An option.
#[derive(Debug)]
pub struct CommandOption {
    /// Without its hyphens.
    pub name: String,
    /// How many words follow it, at least and at most.
    pub takes: (usize, usize),
    /// What these may be, if not anything.
    pub values: &'static [&'static str],
}

/// The word `sagemaker`, with all that may follow it.
#[must_use]
pub fn command_line() -> CommandWord {
    let mut words: Vec<CommandWord> = OPERATIONS.iter().map(operation).collect();
    let waiter = model::by_name(wait::OPERATION).map(|asked| CommandWord {
        name: wait::TRAINING_JOB.to_owned(),
        ..operation(asked)
    });
    words.push(CommandWord {
        name: "wait".to_owned(),
        words: waiter.into_iter().collect(),
        ..CommandWord::default()
    });
    CommandWord {
        name: "sagemaker".to_owned(),
        words,
        options: globals::flags()
            .iter()
            .map(|flag| option(flag, &[]))
            .collect(),
    }
}

fn operation(operation: &Operation) -> CommandWord {
    let flags = parameters::flags(operation, &[]);
    let options = flags
        .iter()
        .map(|flag| option(flag, values(operation, flag)));
    CommandWord {
        name: model::hyphenated(operation.name),
        options: options.collect(),
        ..CommandWord::default()
    }
}

/// The values of the member that an option sets.
fn values(operation: &Operation, flag: &Flag) -> &'static [&'static str] {
    let mut members = operation.members().iter();
    let member = members.find(|(name, _)| parameters::option(name) == flag.name);
    match member.map(|(_, number)| &shape(*number).kind) {
        Some(Kind::String(values)) => values,
        _ => &[],
    }
}

fn option(flag: &Flag, values: &'static [&'static str]) -> CommandOption {
    let (takes, values) = match flag.takes {
        Takes::Nothing => ((0, 0), values),
        Takes::Word | Takes::Whole | Takes::Number => ((1, 1), values),
        Takes::Choice(choices) => ((1, 1), choices),
        Takes::ChoiceOrNothing(choices) => ((0, 1), choices),
        Takes::Words => ((1, usize::MAX), values),
    };
    CommandOption {
        name: flag.name.trim_start_matches('-').to_owned(),
        takes,
        values,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_have_their_options_and_these_their_values() {
        let line = command_line();
        let mut words = line.words.iter();
        let list = words
            .find(|word| word.name == "list-training-jobs")
            .unwrap();
        let mut options = list.options.iter();
        let sort = options.find(|option| option.name == "sort-by").unwrap();
        assert_eq!(
            (sort.takes, sort.values),
            ((1, 1), &["Name", "CreationTime", "Status"][..])
        );
        assert_eq!(words.next_back().unwrap().words[0].name, wait::TRAINING_JOB);
    }
}
