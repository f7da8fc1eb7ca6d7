//! What a training job's own keys open: its inputs to read, its outputs to write. The
//! agent reads whatever the request names, and that is known only when it has
//! read the manifests; so its keys read everything, and no container sees them.

use kiln_model::S3Uri;
use kiln_model::api::CreateTrainingJobRequest;

use super::describe::output_prefix;
use super::request;
use crate::{Party, Scope};

impl Scope {
    /// The scope that follows from a job's request: its channels, of which some
    /// are manifests, and its source archive to read, its output prefix and what
    /// is kept in step to read and write.
    #[must_use]
    pub fn of(job: &CreateTrainingJobRequest, party: Party) -> Self {
        let inputs = request::locations(job).unwrap_or_default().into_iter();
        let (manifests, prefixes): (Vec<_>, Vec<_>) = inputs.partition(|(_, manifest)| *manifest);
        let named = |places: Vec<(S3Uri, bool)>| places.into_iter().map(|(uri, _)| uri);
        let kept = request::places(job).unwrap_or_default();
        let writable: Vec<S3Uri> = kept
            .into_iter()
            // A directory, and nothing that only begins like it.
            .map(|one| one.place.child(""))
            .chain(job_output(job))
            .collect();
        Self {
            readable: named(prefixes).chain(writable.clone()).collect(),
            writable,
            objects: named(manifests).chain(source_archive(job)).collect(),
            written: Vec::new(),
            reads_all: party == Party::Agent,
            role: None,
        }
    }

    /// The scope of a rule of the job: what the job records and its own source to read,
    /// and its own outputs to read and write. `None` when there is no such rule.
    #[must_use]
    pub fn of_rule(job: &CreateTrainingJobRequest, position: usize, party: Party) -> Option<Self> {
        let all = request::rules(job);
        let rule = all.get(position)?;
        let writable = vec![rule.output(job).ok()?.child("")];
        let records = request::records(job).unwrap_or_default().into_iter();
        Some(Self {
            readable: records
                .map(|one| one.place.child(""))
                .chain(writable.clone())
                .collect(),
            writable,
            objects: rule.source().into_iter().collect(),
            written: Vec::new(),
            reads_all: party == Party::Agent,
            role: None,
        })
    }
}

/// `<S3OutputPath>/<name>/`, under which everything a job stores lies.
fn job_output(job: &CreateTrainingJobRequest) -> Option<S3Uri> {
    output_prefix(job).strip_suffix("output/")?.parse().ok()
}

/// Script mode's source archive, whose location the SDK writes as JSON text.
fn source_archive(job: &CreateTrainingJobRequest) -> Option<S3Uri> {
    let text = job
        .hyper_parameters
        .as_ref()?
        .get("sagemaker_submit_directory")?;
    let text = serde_json::from_str::<String>(text).unwrap_or_else(|_| text.clone());
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Access;

    fn scope(party: Party) -> Scope {
        let request = json!({
            "TrainingJobName": "job",
            "RoleArn": "arn:aws:iam::123456789012:role/r",
            "HyperParameters": {"sagemaker_submit_directory": "\"s3://code/src.tar.gz\""},
            "OutputDataConfig": {"S3OutputPath": "s3://outputs/models/"},
            "CheckpointConfig": {"S3Uri": "s3://state/here"},
            "InputDataConfig": [{
                "ChannelName": "train",
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://inputs/tr"}}
            }, {
                "ChannelName": "listed",
                "DataSource": {"S3DataSource": {
                    "S3DataType": "ManifestFile", "S3Uri": "s3://lists/all"
                }}
            }],
        });
        Scope::of(&serde_json::from_value(request).unwrap(), party)
    }

    #[test]
    fn a_job_reads_its_inputs_and_writes_its_outputs_and_no_more() {
        let cases = [
            (Access::Read, "inputs", "train/a.csv", true),
            (Access::Read, "inputs", "other", false),
            (Access::Read, "other", "train/a.csv", false),
            (Access::Write, "inputs", "train/a.csv", false),
            (Access::Read, "code", "src.tar.gz", true),
            (Access::Read, "code", "src.tar.gz.old", false),
            (Access::Write, "code", "src.tar.gz", false),
            (Access::Read, "lists", "all", true),
            (Access::Read, "lists", "all-of-them", false),
            (
                Access::Write,
                "outputs",
                "models/job/output/model.tar.gz",
                true,
            ),
            (
                Access::Read,
                "outputs",
                "models/job/output/model.tar.gz",
                true,
            ),
            (
                Access::Write,
                "out",
                "models/job2/output/model.tar.gz",
                false,
            ),
            (Access::Read, "inputs", "", false),
            (Access::Write, "state", "here/model.ckpt", true),
            (Access::Read, "state", "here/", true),
            (Access::Write, "state", "hereafter/model.ckpt", false),
        ];
        scope(Party::Work).expect(&cases);
    }

    #[test]
    fn a_rule_reads_what_its_job_records_and_writes_its_own_outputs() {
        let rule = |name: &str| {
            json!({
                "RuleConfigurationName": name,
                "RuleEvaluatorImage": "image",
                "RuleParameters": {"source_s3_uri": "s3://code/rule.py"},
            })
        };
        let request = json!({
            "TrainingJobName": "job",
            "RoleArn": "arn:aws:iam::123456789012:role/r",
            "OutputDataConfig": {"S3OutputPath": "s3://outputs/models/"},
            "CheckpointConfig": {"S3Uri": "s3://state/here"},
            "DebugHookConfig": {"S3OutputPath": "s3://debug/x"},
            "DebugRuleConfigurations": [rule("A"), rule("B")],
        });
        let request = serde_json::from_value(request).unwrap();
        let scope = Scope::of_rule(&request, 0, Party::Work).unwrap();
        let cases = [
            (Access::Read, "debug", "x/job/debug-output/events/0", true),
            (Access::Write, "debug", "x/job/debug-output/events/0", false),
            (Access::Read, "code", "rule.py", true),
            (
                Access::Write,
                "outputs",
                "models/job/rule-output/A/report",
                true,
            ),
            (
                Access::Read,
                "outputs",
                "models/job/rule-output/A/report",
                true,
            ),
            (
                Access::Write,
                "outputs",
                "models/job/rule-output/B/report",
                false,
            ),
            (
                Access::Read,
                "outputs",
                "models/job/output/model.tar.gz",
                false,
            ),
            (Access::Read, "state", "here/checkpoint", false),
        ];
        scope.expect(&cases);
        assert_eq!(Scope::of_rule(&request, 2, Party::Work), None);
    }

    #[test]
    fn an_agent_reads_what_manifests_name_and_writes_no_more_than_its_job() {
        let agent = scope(Party::Agent);
        assert!(agent.allows(Access::Read, "elsewhere", "named/by/a/manifest"));
        assert!(!agent.allows(Access::Write, "elsewhere", "named/by/a/manifest"));
        assert!(agent.allows(Access::Write, "outputs", "models/job/output/model.tar.gz"));
    }
}
