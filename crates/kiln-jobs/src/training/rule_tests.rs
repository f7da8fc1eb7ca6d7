//! What becomes of rules.

use kiln_agent::report::{Ending, Stage};
use serde_json::json;

use super::*;
use crate::training::state::{Action, Event, TrainingState};
use crate::training::terms::Terms;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis).unwrap()
}

fn rules_of_two() -> Rules {
    let request = json!({
        "TrainingJobName": "finetune-distilbert-base-cased-1",
        "RoleArn": "arn:aws:iam::123456789012:role/r",
        "OutputDataConfig": {"S3OutputPath": "s3://outputs"},
        "ProfilerRuleConfigurations": [
            {"RuleConfigurationName": "ProfilerReport-1645031653", "RuleEvaluatorImage": "i"}
        ],
        "DebugRuleConfigurations": [
            {"RuleConfigurationName": "Overfit", "RuleEvaluatorImage": "i"}
        ],
    });
    Rules::of(&serde_json::from_value(request).unwrap(), at(0))
}

fn failed(reason: &str) -> Outcome {
    Outcome::Failed(reason.to_owned())
}

fn statuses(rules: &Rules) -> Vec<Status> {
    rules.iter().map(|one| one.status).collect()
}

#[test]
fn debugger_comes_first_and_jobs_are_named_as_the_cloud_names_them() {
    let rules = rules_of_two();
    let kinds: Vec<_> = rules.iter().map(|one| one.kind).collect();
    assert_eq!(kinds, [RuleKind::Debugger, RuleKind::Profiler]);
    let names: Vec<_> = rules.iter().map(|one| one.job.as_str()).collect();
    let (name, unique) = names[1].rsplit_once('-').unwrap();
    assert_eq!(name, "finetune-distilbert-base-c-profilerreport-1645031653");
    assert_eq!(unique.len(), 8);
    assert!(names[0].starts_with("finetune-distilbert-base-c-overfit-"));
    let odd = job_name("j", "Größe: viel zu lang für einen Namen", at(0));
    assert!(odd.starts_with("j-gr--e--viel-zu-lang-f-r-ei-"), "{odd}");
}

#[test]
fn an_end_decides() {
    let met = "RuleEvaluationConditionMet: at step 3";
    let internal = failure::internal(&"lost");
    let cases = [
        (false, Outcome::Completed, Status::NoIssuesFound, None),
        (false, failed(met), Status::IssuesFound, Some(met)),
        (
            false,
            failed("ClientError: x"),
            Status::Error,
            Some("ClientError: x"),
        ),
        (
            false,
            failed(&internal),
            Status::Error,
            Some(internal.as_str()),
        ),
        (true, failed(&internal), Status::Stopped, Some(BY_USER)),
        (true, Outcome::Stopped, Status::Stopped, Some(BY_USER)),
        (true, failed(met), Status::IssuesFound, Some(met)),
        (true, Outcome::Completed, Status::NoIssuesFound, None),
    ];
    for (stopping, outcome, status, details) in cases {
        let mut rules = rules_of_two();
        rules.place(&[0, 1], 1);
        if stopping {
            rules.stop(BY_USER, at(1));
            assert_eq!(statuses(&rules)[0], Status::Stopping);
        }
        assert_eq!(rules.is_wanted(0, 1), !stopping);
        // Of another attempt.
        rules.end(0, 2, Outcome::Completed, at(2));
        assert!(rules.is_open(0));
        rules.end(0, 1, outcome.clone(), at(3));
        let rule = rules.get(0).unwrap();
        assert_eq!(rule.status, status, "{stopping} {outcome:?}");
        assert_eq!(rule.details.as_deref(), details);
        assert_eq!(rule.modified, at(3));
        let after = rules.clone();
        rules.end(0, 1, failed("late"), at(4));
        rules.stop(BY_USER, at(4));
        assert_eq!(rules.get(0), after.get(0));
        assert!(rules.is_open(1));
    }
}

#[test]
fn a_rule_goes_with_the_attempts_of_its_job() {
    let mut rules = rules_of_two();
    assert_eq!(rules.unplaced(), [0, 1]);
    rules.place(&[0, 1], 1);
    assert!(rules.unplaced().is_empty());
    rules.end(1, 1, Outcome::Completed, at(1));
    rules.call_back();
    assert!(!rules.is_wanted(0, 1));
    // What has its verdict is not evaluated again.
    assert_eq!(rules.unplaced(), [0]);
    rules.place(&[0], 2);
    assert!(rules.is_wanted(0, 2));
}

#[test]
fn no_rule_goes_on_for_ever_after_its_job() {
    let (running, done) = (Status::InProgress, Status::Stopped);
    // (whether there is an instance, whether the job trained, the status)
    let cases = [
        (true, true, running),
        (true, false, Status::Stopping),
        (false, true, done),
        (false, false, done),
    ];
    for (placed, trained, expected) in cases {
        let mut rules = rules_of_two();
        if placed {
            rules.place(&[0, 1], 1);
        }
        rules.outlive(trained, at(5));
        assert_eq!(statuses(&rules), [expected, expected], "{placed} {trained}");
        let deadline = rules.deadline(at(5));
        assert_eq!(deadline.is_some(), expected == running);
        assert!(!rules.keep_time(at(5), at(5 + TIME_AFTER_END - 1)));
        let is_time = rules.keep_time(at(5), at(5 + TIME_AFTER_END));
        assert_eq!(is_time, expected == running);
        assert!(!statuses(&rules).contains(&running));
        assert_eq!(rules.deadline(at(5)), None);
    }
}

/// A job with two rules, in its first attempt.
fn job(terms: &Terms) -> TrainingState {
    let mut job = TrainingState::new(at(0));
    job.rules = rules_of_two();
    let placed = Event::Placed {
        instances: vec![String::new()],
        remark: None,
    };
    job.step(placed, at(1), terms);
    job.rules.place(&[0, 1], 1);
    job
}

fn terms(retries: u32) -> Terms {
    Terms {
        runtime: 86_400_000,
        wait: None,
        pending: None,
        retries,
        spot: false,
    }
}

fn job_ended(outcome: Outcome) -> Event {
    Event::Ended(
        0,
        Ending {
            outcome,
            stored: true,
        },
    )
}

#[test]
fn rules_begin_when_their_job_trains_and_are_stopped_a_while_after_it() {
    let terms = terms(0);
    let mut job = job(&terms);
    assert!(!job.can_be_evaluated());
    let told = job.step(Event::Stage(0, Stage::Working), at(2), &terms);
    assert_eq!((told, job.can_be_evaluated()), (Action::Tell, true));
    let rule_ended = Event::RuleEnded {
        rule: 1,
        attempt: 1,
        outcome: Outcome::Completed,
    };
    job.step(rule_ended.clone(), at(3), &terms);
    let finished = job.step(job_ended(Outcome::Completed), at(4), &terms);
    assert_eq!((finished, job.can_be_evaluated()), (Action::Finish, true));
    assert_eq!(
        statuses(&job.rules),
        [Status::InProgress, Status::NoIssuesFound]
    );
    let deadline = job.deadline(&terms).unwrap();
    assert_eq!(deadline, at(4 + TIME_AFTER_END));
    assert_eq!(job.step(Event::Tick, at(5), &terms), Action::Nothing);
    assert_eq!(job.step(Event::Tick, deadline, &terms), Action::Tell);
    assert_eq!(job.rules.get(0).unwrap().status, Status::Stopping);
    assert_eq!(job.deadline(&terms), None);
    let lost = Event::RuleEnded {
        rule: 0,
        attempt: 1,
        outcome: failed(&failure::internal(&"gone")),
    };
    job.step(lost, deadline, &terms);
    assert_eq!(
        statuses(&job.rules),
        [Status::Stopped, Status::NoIssuesFound]
    );
    assert_eq!(job.ended, Some(at(4)));
}

#[test]
fn a_stop_of_the_job_is_one_of_its_rules() {
    let terms = terms(0);
    let mut running = job(&terms);
    running.step(Event::Stage(0, Stage::Working), at(2), &terms);
    running.step(Event::StopRequested, at(3), &terms);
    assert_eq!(
        statuses(&running.rules),
        [Status::Stopping, Status::Stopping]
    );
    let mut waiting = TrainingState::new(at(0));
    waiting.rules = rules_of_two();
    waiting.step(Event::StopRequested, at(1), &terms);
    assert_eq!(statuses(&waiting.rules), [Status::Stopped, Status::Stopped]);
}

#[test]
fn a_job_that_is_tried_again_brings_its_rules_along() {
    let terms = terms(1);
    let mut job = job(&terms);
    job.step(Event::Stage(0, Stage::Working), at(2), &terms);
    let reason = failure::internal(&"lost");
    assert_eq!(
        job.step(Event::Lost(0, reason), at(3), &terms),
        Action::Requeue
    );
    assert_eq!(
        statuses(&job.rules),
        [Status::InProgress, Status::InProgress]
    );
    assert_eq!(job.rules.unplaced(), [0, 1]);
    assert!(!job.can_be_evaluated());
}

#[test]
fn a_job_that_fails_before_it_trains_has_nothing_to_be_evaluated() {
    let terms = terms(0);
    let mut job = job(&terms);
    job.step(job_ended(failed("ClientError: no image")), at(2), &terms);
    assert_eq!(statuses(&job.rules), [Status::Stopping, Status::Stopping]);
}
