//! The rules of Debugger and of the profiler that a training job may ask for.

use std::collections::{BTreeMap, HashSet};
use std::path::{Component, Path};

use kiln_agent::plan::Kept;
use kiln_model::S3Uri;
use kiln_model::api::CreateTrainingJobRequest;
use serde::{Deserialize, Serialize};

use super::{Synchronised, below_job, parse, places, refuse_if};

/// Where a rule's outputs lie when the request does not say.
const OUTPUT: &str = "/opt/ml/processing/output/rule/";
/// The most rules of a kind, those that are added by updates included.
const MOST: usize = 20;
/// The parameter that names a custom rule's source in S3.
const SOURCE: &str = "source_s3_uri";
/// Directories of a rule's container that belong to something else.
const TAKEN: [&str; 6] = [
    "/opt/ml/processing/input",
    "/opt/ml/config",
    "/opt/ml/input",
    "/proc",
    "/sys",
    "/dev",
];

/// Of what a rule is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RuleKind {
    /// Of Debugger: one of the `DebugRuleConfigurations`.
    Debugger,
    /// Of the profiler: one of the `ProfilerRuleConfigurations`.
    Profiler,
}

/// A rule of either kind, as the request has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule<'a> {
    /// Of what it is.
    pub kind: RuleKind,
    /// The name of its configuration.
    pub name: &'a str,
    /// Its image.
    pub image: &'a str,
    /// Where its container writes what is stored.
    pub local_path: &'a str,
    output: Option<&'a str>,
    /// Gigabytes of its volume.
    pub volume: Option<i32>,
    /// What its container is told.
    pub parameters: BTreeMap<String, String>,
}

impl Rule<'_> {
    /// Where its outputs are stored.
    ///
    /// # Errors
    /// When that is no S3 URI.
    pub fn output(&self, request: &CreateTrainingJobRequest) -> Result<S3Uri, String> {
        match self.output {
            Some(path) => parse(path.trim_end_matches('/')),
            None => {
                let path = &request.output_data_config.s3_output_path;
                below_job(request, path, &format!("rule-output/{}", self.name))
            }
        }
    }

    /// The object that holds its source, if it has one.
    #[must_use]
    pub fn source(&self) -> Option<S3Uri> {
        self.parameters.get(SOURCE)?.parse().ok()
    }
}

/// The rules that a request asks for: those of Debugger, and then the profiler's.
#[must_use]
pub fn rules(request: &CreateTrainingJobRequest) -> Vec<Rule<'_>> {
    // The two shapes are two types that have the same members.
    macro_rules! read {
        ($kind:expr) => {
            |rule| Rule {
                kind: $kind,
                name: &rule.rule_configuration_name,
                image: &rule.rule_evaluator_image,
                local_path: given(&rule.local_path).unwrap_or(OUTPUT),
                output: given(&rule.s3_output_path),
                volume: rule.volume_size_in_gb.filter(|size| *size > 0),
                parameters: rule.rule_parameters.clone().unwrap_or_default(),
            }
        };
    }
    let debugger = request.debug_rule_configurations.iter().flatten();
    let profiler = request.profiler_rule_configurations.iter().flatten();
    debugger
        .map(read!(RuleKind::Debugger))
        .chain(profiler.map(read!(RuleKind::Profiler)))
        .collect()
}

/// What the job records for rules: the places of its own directories.
///
/// # Errors
/// When a place is no S3 URI.
pub fn records(request: &CreateTrainingJobRequest) -> Result<Vec<Synchronised>, String> {
    let mut all = places(request)?;
    all.retain(|one| one.kept == Kept::Records);
    Ok(all)
}

fn given(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.is_empty())
}

/// Checks the rules of a request.
///
/// # Errors
/// The message of the first thing that is wrong.
pub fn the_rules(request: &CreateTrainingJobRequest) -> Result<(), String> {
    let profiler = request.profiler_rule_configurations.as_ref();
    refuse_if(
        profiler.is_some_and(|rules| rules.len() > MOST),
        format!("A training job has at most {MOST} ProfilerRuleConfigurations."),
    )?;
    let mut names = HashSet::new();
    for rule in rules(request) {
        let name = rule.name;
        refuse_if(
            !names.insert(name),
            format!("RuleConfigurationName must be unique, and '{name}' is given twice."),
        )?;
        refuse_if(
            name.contains('/') || name == "." || name == "..",
            format!("RuleConfigurationName '{name}' cannot be part of an Amazon S3 key."),
        )?;
        rule.output(request)?;
        refuse_if(
            !is_free(rule.local_path),
            format!(
                "The local path {} of rule '{name}' is not valid. Give an absolute path of a \
                 directory that is not reserved.",
                rule.local_path
            ),
        )?;
    }
    Ok(())
}

fn is_free(path: &str) -> bool {
    let path = Path::new(path);
    let plain = |part| matches!(part, Component::RootDir | Component::Normal(_));
    path.is_absolute()
        && path.components().skip(1).count() > 0
        && path.components().all(plain)
        && !TAKEN
            .iter()
            .any(|taken| path.starts_with(taken) || Path::new(taken).starts_with(path))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn request(rules: Value) -> CreateTrainingJobRequest {
        let mut request = json!({
            "TrainingJobName": "job",
            "RoleArn": "arn:aws:iam::123456789012:role/r",
            "OutputDataConfig": {"S3OutputPath": "s3://outputs/x/"},
        });
        for (name, value) in rules.as_object().unwrap() {
            request[name] = value.clone();
        }
        serde_json::from_value(request).unwrap()
    }

    fn rule(name: &str, more: Value) -> Value {
        let mut rule = json!({"RuleConfigurationName": name, "RuleEvaluatorImage": "i"});
        for (name, value) in more.as_object().unwrap() {
            rule[name] = value.clone();
        }
        rule
    }

    #[test]
    fn where_a_rule_stores_and_from_where_it_comes() {
        let parameters = json!({"source_s3_uri": "s3://code/rule.py", "rule_to_invoke": "R"});
        let request = request(json!({
            "ProfilerRuleConfigurations": [rule("P", json!({"S3OutputPath": "s3://else/where/"}))],
            "DebugRuleConfigurations": [
                rule("D", json!({"RuleParameters": parameters, "VolumeSizeInGB": 0}))
            ],
        }));
        the_rules(&request).unwrap();
        let rules = rules(&request);
        let places = rules.iter().map(|rule| rule.output(&request).unwrap());
        let places: Vec<_> = places.map(|place| place.to_string()).collect();
        assert_eq!(
            places,
            ["s3://outputs/x/job/rule-output/D", "s3://else/where"]
        );
        assert_eq!(rules[0].source().unwrap().to_string(), "s3://code/rule.py");
        assert_eq!(rules[1].source(), None);
        assert_eq!((rules[0].volume, rules[0].local_path), (None, OUTPUT));
    }

    #[test]
    fn what_is_wrong_with_rules_is_said() {
        let cases = [
            (json!([rule("A", json!({})), rule("a", json!({}))]), None),
            (
                json!([rule("A", json!({})), rule("A", json!({}))]),
                Some("given twice"),
            ),
            (json!([rule("a/b", json!({}))]), Some("cannot be part")),
            (
                json!([rule("A", json!({"S3OutputPath": "https://x"}))]),
                Some("not valid"),
            ),
            (
                json!([rule("A", json!({"LocalPath": "/opt/ml/config"}))]),
                Some("not valid"),
            ),
            (
                json!([rule("A", json!({"LocalPath": "/opt/ml"}))]),
                Some("not valid"),
            ),
            (
                json!([rule("A", json!({"LocalPath": "rules"}))]),
                Some("not valid"),
            ),
            (json!([rule("A", json!({"LocalPath": "/rules/"}))]), None),
        ];
        for (rules, expected) in cases {
            let outcome = the_rules(&request(json!({"DebugRuleConfigurations": rules.clone()})));
            match expected {
                None => outcome.unwrap(),
                Some(text) => assert!(outcome.unwrap_err().contains(text), "{rules}"),
            }
        }
        let twice = json!({
            "DebugRuleConfigurations": [rule("A", json!({}))],
            "ProfilerRuleConfigurations": [rule("A", json!({}))],
        });
        assert!(the_rules(&request(twice)).is_err());
        for (count, allowed) in [(20, true), (21, false)] {
            let rules = (0..count).map(|n| rule(&n.to_string(), json!({})));
            let rules: Vec<_> = rules.collect();
            let outcome = the_rules(&request(json!({"ProfilerRuleConfigurations": rules})));
            assert_eq!(outcome.is_ok(), allowed, "{count}");
        }
    }
}
