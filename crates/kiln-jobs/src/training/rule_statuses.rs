//! What describe calls answer of the rules that watch a job.

use kiln_model::Arn;
use kiln_model::api::{DebugRuleEvaluationStatus, ProfilerRuleEvaluationStatus};

use super::request::RuleKind;
use super::rule::{Evaluation, Rules};
use super::rule_plan::processing_job_arn;

/// The statuses of Debugger's rules; nothing of a job without any.
#[must_use]
pub fn debug_statuses(arn: &Arn, rules: &Rules) -> Option<Vec<DebugRuleEvaluationStatus>> {
    of_kind(rules, RuleKind::Debugger, |one| DebugRuleEvaluationStatus {
        rule_configuration_name: Some(one.name.clone()),
        rule_evaluation_job_arn: Some(processing_job_arn(arn, &one.job)),
        rule_evaluation_status: Some(one.status),
        status_details: one.details.clone(),
        last_modified_time: Some(one.modified),
    })
}

/// The statuses of the profiler's rules; nothing of a job without any.
#[must_use]
pub fn profiler_statuses(arn: &Arn, rules: &Rules) -> Option<Vec<ProfilerRuleEvaluationStatus>> {
    of_kind(rules, RuleKind::Profiler, |one| {
        ProfilerRuleEvaluationStatus {
            rule_configuration_name: Some(one.name.clone()),
            rule_evaluation_job_arn: Some(processing_job_arn(arn, &one.job)),
            rule_evaluation_status: Some(one.status),
            status_details: one.details.clone(),
            last_modified_time: Some(one.modified),
        }
    })
}

fn of_kind<T>(rules: &Rules, kind: RuleKind, show: impl Fn(&Evaluation) -> T) -> Option<Vec<T>> {
    let all = rules.iter().filter(|one| one.kind == kind).map(show);
    Some(Vec::from_iter(all)).filter(|all| !all.is_empty())
}
