//! What an optimization job's keys open in S3: its model and the data it learns from to
//! read, and its output prefix to read and write. Where a manifest lists the data, it may
//! be anywhere, and the agent, which fetches it, may read everything.

use super::order::Accepted;
use super::{place, steps};
use crate::plane::S3Input;
use crate::{Party, Scope};

/// The scope that follows from a request for one who has its keys; `None` if it names no
/// places, which its acceptance rules out.
pub(super) fn of(job: &Accepted, party: Party) -> Option<Scope> {
    let output = place::output(&job.request.output_config).ok()?;
    let data = steps::data(&job.request).ok()?;
    let has_manifest = data.iter().any(|data| matches!(data, S3Input::Object(_)));
    let (mut readable, mut objects) = (vec![output.clone()], Vec::new());
    for input in data.into_iter().chain([job.model.place.input()]) {
        match input {
            S3Input::Prefix(uri) => readable.push(uri),
            S3Input::Object(uri) => objects.push(uri),
        }
    }
    Some(Scope {
        readable,
        writable: vec![output],
        objects,
        written: Vec::new(),
        reads_all: has_manifest && party == Party::Agent,
        role: None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Access::{Read, Write};

    fn scope(configs: serde_json::Value, party: Party) -> Scope {
        let request = json!({
            "OptimizationJobName": "o",
            "RoleArn": "arn:aws:iam::123456789012:role/r",
            "ModelSource": {"S3": {"S3Uri": "s3://data/m"}},
            "DeploymentInstanceType": "ml.g5.xlarge",
            "OptimizationEnvironment": {"OPTION_CALIBRATION_DATA": "s3://texts/all"},
            "OptimizationConfigs": configs,
            "OutputConfig": {"S3OutputLocation": "s3://out/x"},
            "StoppingCondition": {},
        });
        let request: kiln_model::api::CreateOptimizationJobRequest =
            serde_json::from_value(request).unwrap();
        let model = place::of_source(&request.model_source).unwrap();
        of(&Accepted { request, model }, party).unwrap()
    }

    #[test]
    fn a_job_reads_its_model_and_data_and_writes_below_its_output() {
        let scope = scope(json!([{"ModelQuantizationConfig": {}}]), Party::Agent);
        scope.expect(&[
            (Read, "data", "m/config.json", true),
            (Read, "data", "m2/config.json", false),
            (Write, "data", "m/config.json", false),
            (Read, "texts", "all/a.jsonl", true),
            (Read, "texts", "other", false),
            (Write, "out", "x/model.safetensors", true),
            (Write, "out", "x2/model.safetensors", false),
            (Read, "out", "x/model.safetensors", true),
        ]);
        assert!(scope.names_bucket("out"));
    }

    #[test]
    fn the_agent_reads_what_a_manifest_names_and_no_container_does() {
        let eagle = json!([{"ModelSpeculativeDecodingConfig": {"Technique": "EAGLE",
            "TrainingDataSource": {"S3Uri": "s3://lists/all", "S3DataType": "ManifestFile"}}}]);
        for (party, reads_all) in [(Party::Agent, true), (Party::Work, false)] {
            scope(eagle.clone(), party).expect(&[
                (Read, "lists", "all", true),
                (Read, "lists", "all-of-them", reads_all),
                (Read, "elsewhere", "named", reads_all),
                (Write, "elsewhere", "named", false),
            ]);
        }
    }
}
