//! What an optimization job's keys open in S3: its model and the data it learns from to
//! read, and its output prefix to read and write.

use super::order::Accepted;
use super::place::{self, ModelPlace};
use super::steps;
use crate::Scope;

/// The scope that follows from a request; `None` if it names no places, which its
/// acceptance rules out.
pub(super) fn of(job: &Accepted) -> Option<Scope> {
    let output = place::output(&job.request.output_config).ok()?;
    let mut readable = steps::data(&job.request).ok()?;
    let mut objects = Vec::new();
    match &job.model.place {
        ModelPlace::Files(prefix) => readable.push(prefix.clone()),
        ModelPlace::Archive(object) => objects.push(object.clone()),
    }
    readable.push(output.clone());
    Some(Scope {
        readable,
        writable: vec![output],
        objects,
        written: Vec::new(),
        reads_all: false,
        role: None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Access::{Read, Write};

    #[test]
    fn a_job_reads_its_model_and_data_and_writes_below_its_output() {
        let request = json!({
            "OptimizationJobName": "o",
            "RoleArn": "arn:aws:iam::123456789012:role/r",
            "ModelSource": {"S3": {"S3Uri": "s3://data/m"}},
            "DeploymentInstanceType": "ml.g5.xlarge",
            "OptimizationEnvironment": {"OPTION_CALIBRATION_DATA": "s3://texts/all"},
            "OptimizationConfigs": [{"ModelQuantizationConfig": {}}],
            "OutputConfig": {"S3OutputLocation": "s3://out/x"},
            "StoppingCondition": {},
        });
        let request: kiln_model::api::CreateOptimizationJobRequest =
            serde_json::from_value(request).unwrap();
        let model = place::of_source(&request.model_source).unwrap();
        let scope = of(&Accepted { request, model }).unwrap();
        let cases = [
            (Read, "data", "m/config.json", true),
            (Read, "data", "m2/config.json", false),
            (Write, "data", "m/config.json", false),
            (Read, "texts", "all/a.jsonl", true),
            (Read, "texts", "other", false),
            (Write, "out", "x/model.safetensors", true),
            (Write, "out", "x2/model.safetensors", false),
            (Read, "out", "x/model.safetensors", true),
        ];
        for (access, bucket, key, expected) in cases {
            let allowed = scope.allows(access, bucket, key);
            assert_eq!(allowed, expected, "{access:?} {bucket}/{key}");
        }
        assert!(scope.names_bucket("out"));
    }
}
