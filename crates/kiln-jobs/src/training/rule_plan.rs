//! The plan of an instance that evaluates a rule.
//!
//! To its image it is a processing job. Of how the cloud runs these, this much is
//! known: the rule's parameters are the container's environment (state-change events
//! of such jobs show `rule_to_invoke` there), what Debugger recorded lies in
//! `/opt/ml/processing/input/tensors` (reports that rules have made name it), outputs
//! lie in `/opt/ml/processing/output/rule/` (the service model says so), and the
//! configuration files are those of all processing jobs, below `/opt/ml/config`.
//! Where the profiler's records lie is our own choice.

use std::collections::BTreeMap;

use kiln_agent::cluster::Cluster;
use kiln_agent::plan::{
    InstancePlan, Kept, Keys, OutputPlan, RecordsPlan, RulePlan, SynchronisedPlan,
};
use kiln_agent::runtime::{Limits, NetworkPolicy, Start};
use kiln_model::api::CreateTrainingJobRequest;
use kiln_model::{Arn, S3Uri};
use serde_json::{Value, json};

use super::plan::{GIGABYTE, GRACE};
use super::request::{self, PROFILER, Rule};
use crate::Settings;

/// The container's own name.
const HOST: &str = "algo-1";
/// Where it finds what Debugger has recorded, and what the profiler has.
const TENSORS_INSIDE: &str = "/opt/ml/processing/input/tensors";
const PROFILE_INSIDE: &str = "/opt/ml/processing/input/profiler";
/// Processors that a rule may use of those that are idle.
const CPUS: f64 = 1.0;
/// Seconds that a rule may run: as long as a training job may, at most. The control
/// plane ends it much earlier, a while after its job.
const LONGEST_RUN: u64 = 28 * 86_400;

/// What a plan needs beyond the job's request.
pub(super) struct RulePlacement<'a> {
    pub(super) settings: &'a Settings,
    pub(super) job: &'a CreateTrainingJobRequest,
    pub(super) arn: &'a Arn,
    pub(super) rule: &'a Rule<'a>,
    /// The name of the processing job that this is.
    pub(super) name: &'a str,
    pub(super) instance: &'a str,
    pub(super) token: String,
    pub(super) server: String,
    /// The keys of the container's code.
    pub(super) keys: Keys,
    /// The agent's own.
    pub(super) agent_keys: Keys,
    /// What it has of its machine, but for processors.
    pub(super) limits: Limits,
}

/// Builds the plan.
///
/// # Errors
/// When the request names something that is no S3 location, which its acceptance
/// rules out.
pub(super) fn build_rule(placement: RulePlacement<'_>) -> Result<InstancePlan, String> {
    let output = placement.rule.output(placement.job)?;
    let records = records(placement.job)?;
    let config = config_files(&placement, &output, &records);
    let environment = environment(&placement);
    let RulePlacement {
        settings,
        job,
        rule,
        instance,
        token,
        server,
        keys,
        agent_keys,
        limits,
        ..
    } = placement;
    Ok(InstancePlan {
        assignment: settings.assignment(instance.to_owned(), token, server, agent_keys),
        keys,
        image: rule.image.to_owned(),
        // The image's entrypoint, and nothing behind it.
        start: Start {
            entrypoint: None,
            arguments: Some(Vec::new()),
        },
        environment,
        config,
        cluster: Cluster::alone(HOST, instance),
        cluster_key: None,
        channels: Vec::new(),
        directories: Vec::new(),
        outputs: OutputPlan {
            bucket: output.bucket().to_owned(),
            prefix: output.key().to_owned(),
            compressed: false,
            kms_key: None,
        },
        synchronised: vec![SynchronisedPlan {
            path: rule.local_path.into(),
            bucket: output.bucket().to_owned(),
            prefix: output.key().trim_end_matches('/').to_owned(),
            kept: Kept::Events,
        }],
        volume_bytes: rule.volume.map_or(u64::MAX, |gigabytes| {
            u64::from(gigabytes.unsigned_abs()) * GIGABYTE
        }),
        metrics: Vec::new(),
        rule: Some(RulePlan { records }),
        profile: None,
        limits: Limits {
            cpus: CPUS,
            ..limits
        },
        gpus: Vec::new(),
        warm_pool_cache: None,
        network: match job.enable_network_isolation {
            Some(true) => NetworkPolicy::Isolated,
            _ => NetworkPolicy::Open,
        },
        max_runtime_seconds: LONGEST_RUN,
        grace_seconds: GRACE,
    })
}

/// What the job records for rules, and where their containers find it.
fn records(job: &CreateTrainingJobRequest) -> Result<Vec<RecordsPlan>, String> {
    let recorded = request::records(job)?.into_iter();
    let plan = |one: request::Synchronised| RecordsPlan {
        path: match one.config {
            PROFILER => PROFILE_INSIDE.into(),
            _ => TENSORS_INSIDE.into(),
        },
        bucket: one.place.bucket().to_owned(),
        prefix: one.place.key().trim_end_matches('/').to_owned(),
    };
    Ok(recorded.map(plan).collect())
}

fn environment(placement: &RulePlacement<'_>) -> BTreeMap<String, String> {
    let RulePlacement {
        settings,
        job,
        arn,
        rule,
        ..
    } = placement;
    let ours = [
        ("AWS_REGION", settings.identity.region.to_string()),
        ("HOSTNAME", HOST.to_owned()),
        ("TRAINING_JOB_ARN", arn.to_string()),
        ("TRAINING_JOB_NAME", job.training_job_name.clone()),
    ];
    let mut all = rule.parameters.clone();
    all.extend(ours.map(|(name, value)| (name.to_owned(), value)));
    all
}

/// The files of a processing job.
fn config_files(
    placement: &RulePlacement<'_>,
    output: &S3Uri,
    records: &[RecordsPlan],
) -> BTreeMap<String, Value> {
    let RulePlacement {
        job,
        arn,
        rule,
        name,
        ..
    } = placement;
    let input = |record: &RecordsPlan| {
        json!({
            "InputName": record.path.file_name().map(|name| name.to_string_lossy()),
            "AppManaged": false,
            "S3Input": {
                "LocalPath": record.path,
                "S3Uri": format!("s3://{}/{}", record.bucket, record.prefix),
                "S3DataType": "S3Prefix",
                "S3InputMode": "File",
            },
        })
    };
    let processing = json!({
        "ProcessingJobArn": processing_job_arn(arn, name),
        "ProcessingJobName": name,
        "AppSpecification": {"ImageUri": rule.image},
        "Environment": rule.parameters,
        "ProcessingInputs": records.iter().map(input).collect::<Vec<_>>(),
        "ProcessingOutputConfig": {"Outputs": [{
            "OutputName": "rule",
            "S3Output": {
                "LocalPath": rule.local_path,
                "S3Uri": output.to_string(),
                "S3UploadMode": "Continuous",
            },
        }]},
        "RoleArn": job.role_arn,
    });
    let resources = json!({
        "current_host": HOST,
        "hosts": [HOST],
        "network_interface_name": null,
    });
    BTreeMap::from([
        ("processingjobconfig.json".to_owned(), processing),
        ("resourceconfig.json".to_owned(), resources),
    ])
}

/// The ARN of the processing job that evaluates a rule of a training job.
#[must_use]
pub(super) fn processing_job_arn(training_job: &Arn, name: &str) -> String {
    let text = training_job.to_string();
    let account = text.split(":training-job/").next().unwrap_or_default();
    format!("{account}:processing-job/{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_s_job_is_in_the_training_job_s_account() {
        let arn = "arn:aws:sagemaker:eu-west-1:123456789012:training-job/job";
        assert_eq!(
            processing_job_arn(&arn.parse().unwrap(), "job-overfit-0badcafe"),
            "arn:aws:sagemaker:eu-west-1:123456789012:processing-job/job-overfit-0badcafe"
        );
    }
}
