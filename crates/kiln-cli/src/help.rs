//! `help`: which operations there are, and what one of them takes.

use crate::flags::{Flag, Takes};
use crate::generated::operations::OPERATIONS;
use crate::globals;
use crate::model::hyphenated;

/// What there is to ask for.
pub(crate) fn service() -> String {
    let mut text = String::from(
        "kiln sagemaker <operation> [options]: the AWS CLI's `aws sagemaker`, for the operations \
         that Kiln serves.\n\nOperations:\n",
    );
    for operation in &OPERATIONS {
        text.push_str(&format!("  {}\n", hyphenated(operation.name)));
    }
    text.push_str("  wait training-job-completed-or-stopped\n\nOptions of all operations:\n");
    text.push_str(&options(&globals::flags()));
    text
}

/// What an operation takes.
pub(crate) fn operation(name: &str, flags: &[Flag]) -> String {
    format!(
        "kiln sagemaker {name} [options]\n\nOptions, those that are needed with a star:\n{}",
        options(flags)
    )
}

fn options(flags: &[Flag]) -> String {
    let lines = flags.iter().map(|flag| {
        let star = if flag.required { '*' } else { ' ' };
        format!("{star} {}{}\n", flag.name, takes(flag.takes))
    });
    lines.collect()
}

fn takes(takes: Takes) -> String {
    match takes {
        Takes::Nothing => String::new(),
        Takes::Word => " VALUE".to_owned(),
        Takes::Whole | Takes::Number => " NUMBER".to_owned(),
        Takes::Choice(choices) => format!(" {}", choices.join("|")),
        Takes::ChoiceOrNothing(choices) => format!(" [{}]", choices.join("|")),
        Takes::Words => " VALUE ...".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{model, parameters};

    #[test]
    fn what_is_needed_has_a_star() {
        let describe = model::by_name("DescribeTrainingJob").unwrap();
        let text = operation("describe-training-job", &parameters::flags(describe, &[]));
        assert!(text.contains("* --training-job-name VALUE\n"), "{text}");
        assert!(service().contains("  list-tags\n"));
    }
}
