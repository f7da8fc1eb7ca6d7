//! What a compilation job's agent may do in S3: read the archive, and write the
//! artifact. The container has no keys and no network.

use kiln_model::api::CreateCompilationJobRequest;

use super::place;
use crate::Scope;

/// The scope that follows from a request; `None` if it names no places, which its
/// acceptance rules out.
pub(super) fn of(request: &CreateCompilationJobRequest) -> Option<Scope> {
    let input = place::input(request).ok()?;
    let artifact = place::artifact(&request.output_config).ok()?;
    Some(Scope::of_objects(vec![input], vec![artifact]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Access::{Read, Write};

    #[test]
    fn an_agent_reads_the_archive_and_writes_the_artifact_and_no_more() {
        let request = json!({
            "CompilationJobName": "c",
            "RoleArn": "arn:aws:iam::123456789012:role/r",
            "InputConfig": {"S3Uri": "s3://inputs/m.tar.gz", "Framework": "XGBOOST"},
            "OutputConfig": {"S3OutputLocation": "s3://out/x", "TargetDevice": "ml_c5"},
            "StoppingCondition": {},
        });
        let scope = of(&serde_json::from_value(request).unwrap()).unwrap();
        scope.expect(&[
            (Read, "inputs", "m.tar.gz", true),
            (Read, "inputs", "m.tar.gz.old", false),
            (Read, "inputs", "", false),
            (Write, "inputs", "m.tar.gz", false),
            (Write, "out", "x/model-ml_c5.tar.gz", true),
            (Write, "out", "x/model-ml_c5.tar.gz2", false),
            (Write, "out", "x/other", false),
            (Read, "out", "x/model-ml_c5.tar.gz", false),
        ]);
    }
}
