//! A rule of Debugger or of the profiler, as its agent runs it: how what its
//! container leaves becomes a verdict.
//!
//! A rule's image says what it has found by the message that it leaves in
//! `/opt/ml/output/message`, as every processing container may: one that holds
//! `RuleEvaluationConditionMet` means that issues were found. The cloud's own rules
//! end with status 0 in either case, and describe calls show the message as it is:
//! `RuleEvaluationConditionMet: Evaluation of the rule Overfit at step 7200 resulted
//! in the condition being met`.
//!
//! To the control plane it is an outcome like any other, a failure of a class of its
//! own. No program's own words can pass for it, for they stand behind another class.

use crate::failure;
use crate::report::Outcome;
use crate::work::Worked;

/// The class of an outcome that says that a rule's condition was met.
pub const CONDITION_MET: &str = "RuleEvaluationConditionMet";

/// The outcome of a rule's work, given the message that it left.
pub(crate) fn outcome(worked: &Worked, message: Option<&str>) -> Outcome {
    if let Some(cut) = &worked.cut {
        return cut.clone();
    }
    let message = message.map(str::trim_end).unwrap_or_default();
    if message.contains(CONDITION_MET) {
        return Outcome::Failed(condition_met(message));
    }
    let complaint = worked.complaint.as_deref();
    let said = Some(message).filter(|message| !message.is_empty());
    match failure::of_exit(worked.exit, said.or(complaint)) {
        None => Outcome::Completed,
        Some(reason) => Outcome::Failed(reason),
    }
}

fn condition_met(message: &str) -> String {
    let class = format!("{CONDITION_MET}:");
    let whole = match message.starts_with(&class) {
        true => message.to_owned(),
        false => format!("{class} {message}"),
    };
    whole.chars().take(failure::LONGEST_REASON).collect()
}

/// Whether the reason of a failure is that a rule's condition was met.
#[must_use]
pub fn is_condition_met(reason: &str) -> bool {
    reason.split(':').next() == Some(CONDITION_MET)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::Exit;

    fn worked(exit: Exit) -> Worked {
        Worked {
            exit,
            cut: None,
            complaint: None,
        }
    }

    #[test]
    fn what_a_rule_leaves_decides_what_it_has_found() {
        let failed = |reason: &str| Outcome::Failed(reason.to_owned());
        let met = "RuleEvaluationConditionMet: at step 3";
        let cases = [
            (0, None, Outcome::Completed),
            (0, Some("all is well"), Outcome::Completed),
            (
                0,
                Some("RuleEvaluationConditionMet: at step 3\n"),
                failed(met),
            ),
            (1, Some(met), failed(met)),
            (
                0,
                Some("x: RuleEvaluationConditionMet"),
                failed("RuleEvaluationConditionMet: x: RuleEvaluationConditionMet"),
            ),
            (2, None, failed("AlgorithmError: , exit code: 2")),
            (
                2,
                Some("no tensors"),
                failed("AlgorithmError: no tensors, exit code: 2"),
            ),
        ];
        for (code, message, expected) in cases {
            let outcome = outcome(&worked(Exit::Code(code)), message);
            assert_eq!(outcome, expected, "{code} {message:?}");
            let is_met = matches!(&outcome, Outcome::Failed(reason) if is_condition_met(reason));
            assert_eq!(is_met, message.is_some_and(|m| m.contains(CONDITION_MET)));
        }
    }

    #[test]
    fn a_rule_that_is_stopped_has_found_nothing() {
        let stopped = Worked {
            cut: Some(Outcome::Stopped),
            ..worked(Exit::Signal(15))
        };
        assert_eq!(outcome(&stopped, Some(CONDITION_MET)), Outcome::Stopped);
    }

    #[test]
    fn a_long_message_is_cut() {
        let message = format!("{CONDITION_MET}{}", "é".repeat(2000));
        let Outcome::Failed(reason) = outcome(&worked(Exit::Code(0)), Some(&message)) else {
            panic!("the condition was met");
        };
        assert_eq!(reason.chars().count(), failure::LONGEST_REASON);
    }
}
