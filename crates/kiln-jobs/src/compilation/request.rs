//! What a compilation job may ask for, beyond what the shapes say.
//!
//! What the framework, the target, the inputs and the compiler's options mean, and
//! which of them go together, `kiln-compile` knows, and says so in its own words.

use kiln_compile::{Order, front};
use kiln_model::api::{CreateCompilationJobRequest, InputConfig};

use super::{CompilationJobs, place};
use crate::{JobError, check_tag_keys};

/// Seconds for which a job may run when its request names no limit.
pub(super) const DEFAULT_MAX_RUNTIME: i32 = 900;

type Check = fn(&CreateCompilationJobRequest) -> Result<(), String>;

const CHECKS: [Check; 5] = [
    the_model,
    the_target,
    the_places,
    the_stopping_condition,
    the_tags,
];

/// Checks a request whose shapes are right, and fills in the defaults that a describe
/// call shows. What an image is to compile in place of Kiln, that image alone can judge.
///
/// # Errors
/// The message of the first check that fails.
pub(super) fn accept(
    mut request: CreateCompilationJobRequest,
    by_vendor: bool,
) -> Result<CreateCompilationJobRequest, String> {
    let the_rest: Check = if by_vendor { the_variables } else { the_order };
    let mut checks = CHECKS.iter().chain([&the_rest]);
    checks.try_for_each(|check| check(&request))?;
    let runtime = &mut request.stopping_condition.max_runtime_in_seconds;
    runtime.get_or_insert(DEFAULT_MAX_RUNTIME);
    Ok(request)
}

/// What is to be compiled, in the request's words.
pub(super) fn order(request: &CreateCompilationJobRequest, input: &InputConfig) -> Order {
    let output = &request.output_config;
    let platform = output.target_platform.as_ref();
    Order {
        framework: input.framework.to_string(),
        framework_version: input.framework_version.clone(),
        data_input_config: input.data_input_config.clone(),
        target_device: output.target_device.map(|device| device.to_string()),
        target_os: platform.map(|platform| platform.os.to_string()),
        target_arch: platform.map(|platform| platform.arch.to_string()),
        target_accelerator: platform
            .and_then(|platform| platform.accelerator)
            .map(|accelerator| accelerator.to_string()),
        compiler_options: output.compiler_options.clone(),
    }
}

fn the_model(request: &CreateCompilationJobRequest) -> Result<(), String> {
    match (&request.input_config, &request.model_package_version_arn) {
        (Some(_), None) => Ok(()),
        (Some(_), Some(_)) => {
            Err("You can specify InputConfig or ModelPackageVersionArn, but not both.".to_owned())
        }
        (None, None) => {
            Err("You must specify either InputConfig or ModelPackageVersionArn.".to_owned())
        }
        (None, Some(_)) => Err(
            "ModelPackageVersionArn is not available in this version of Kiln, which has no model \
             registry: give the model's archive in InputConfig."
                .to_owned(),
        ),
    }
}

fn the_target(request: &CreateCompilationJobRequest) -> Result<(), String> {
    let output = &request.output_config;
    match (output.target_device, &output.target_platform) {
        (Some(_), Some(_)) => Err(
            "You can specify TargetDevice or TargetPlatform in OutputConfig, but not both."
                .to_owned(),
        ),
        (None, None) => Err(
            "You must specify either TargetDevice or TargetPlatform in OutputConfig.".to_owned(),
        ),
        _ => Ok(()),
    }
}

fn the_places(request: &CreateCompilationJobRequest) -> Result<(), String> {
    place::input(request)?;
    place::artifact(&request.output_config).map(drop)
}

fn the_stopping_condition(request: &CreateCompilationJobRequest) -> Result<(), String> {
    match request.stopping_condition.max_wait_time_in_seconds {
        Some(_) => Err(
            "MaxWaitTimeInSeconds is for managed spot training and not valid for a compilation job."
                .to_owned(),
        ),
        None => Ok(()),
    }
}

fn the_tags(request: &CreateCompilationJobRequest) -> Result<(), String> {
    let tags = request.tags.iter().flatten();
    let keys: Vec<&str> = tags.map(|tag| tag.key.as_str()).collect();
    check_tag_keys(&keys)
}

fn the_order(request: &CreateCompilationJobRequest) -> Result<(), String> {
    let Some(input) = &request.input_config else {
        return Ok(());
    };
    let checked = front::check(&order(request, input));
    checked.map(drop).map_err(|error| error.to_string())
}

/// What is handed to an image in variables must be text that these can hold.
fn the_variables(request: &CreateCompilationJobRequest) -> Result<(), String> {
    let Some(input) = &request.input_config else {
        return Ok(());
    };
    let order = order(request, input);
    let texts = [
        ("DataInputConfig", &order.data_input_config),
        ("CompilerOptions", &order.compiler_options),
    ];
    let holds_nul = |text: &Option<String>| text.iter().any(|text| text.contains('\0'));
    match texts.into_iter().find(|(_, text)| holds_nul(text)) {
        Some((name, _)) => Err(format!("{name} must not contain the character U+0000.")),
        None => Ok(()),
    }
}

impl CompilationJobs {
    /// Looks for the bucket of the artifact. Whether the archive is there, the job finds
    /// out, as in the cloud.
    pub(super) async fn check_output(
        &self,
        request: &CreateCompilationJobRequest,
    ) -> Result<(), JobError> {
        let place = place::artifact(&request.output_config).map_err(JobError::Validation)?;
        let plane = self.plane();
        plane
            .require_bucket("OutputConfig", &place, "compilation job")
            .await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn request(change: impl FnOnce(&mut Value)) -> CreateCompilationJobRequest {
        let mut request = json!({
            "CompilationJobName": "c",
            "RoleArn": "arn:aws:iam::123456789012:role/r",
            "InputConfig": {
                "S3Uri": "s3://inputs/m.tar.gz",
                "Framework": "XGBOOST",
                "FrameworkVersion": "1.3.3",
            },
            "OutputConfig": {"S3OutputLocation": "s3://out/x", "TargetDevice": "ml_c5"},
            "StoppingCondition": {},
        });
        change(&mut request);
        serde_json::from_value(request).unwrap()
    }

    #[test]
    fn a_request_without_a_limit_gets_the_usual_one() {
        let accepted = accept(request(|_| {}), false).unwrap();
        let stopping = accepted.stopping_condition;
        assert_eq!(stopping.max_runtime_in_seconds, Some(900));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        type Change = fn(&mut Value);
        let package = "arn:aws:sagemaker:us-east-1:123456789012:model-package/m/1";
        assert!(accept(request(|_| {}), false).is_ok());
        let with_package = request(|r| r["ModelPackageVersionArn"] = json!("x"));
        assert!(
            accept(with_package, false)
                .unwrap_err()
                .contains("not both")
        );
        let only_package = request(|r| {
            r.as_object_mut().unwrap().remove("InputConfig");
            r["ModelPackageVersionArn"] = json!(package);
        });
        let refusal = accept(only_package, false).unwrap_err();
        assert!(refusal.contains("has no model registry"), "{refusal}");
        let cases: [(Change, &str); 6] = [
            (
                |r| drop(r.as_object_mut().unwrap().remove("InputConfig")),
                "You must specify either InputConfig or ModelPackageVersionArn.",
            ),
            (
                |r| {
                    drop(
                        r["OutputConfig"]
                            .as_object_mut()
                            .unwrap()
                            .remove("TargetDevice"),
                    )
                },
                "You must specify either TargetDevice or TargetPlatform in OutputConfig.",
            ),
            (
                |r| {
                    r["OutputConfig"]["TargetPlatform"] = json!({"Os": "LINUX", "Arch": "X86_64"});
                },
                "You can specify TargetDevice or TargetPlatform in OutputConfig, but not both.",
            ),
            (
                |r| r["InputConfig"]["S3Uri"] = json!("s3://inputs/models/"),
                "The S3Uri \"s3://inputs/models/\" in InputConfig does not name an object. It must be \
                 the S3 URI of one gzip-compressed tar archive (.tar.gz).",
            ),
            (
                |r| r["StoppingCondition"] = json!({"MaxWaitTimeInSeconds": 5}),
                "MaxWaitTimeInSeconds is for managed spot training and not valid for a compilation \
                 job.",
            ),
            (
                |r| r["Tags"] = json!([{"Key": "aws:x", "Value": ""}]),
                "Tag keys that start with 'aws:' are reserved for AWS use, and cannot be given: \
                 'aws:x'.",
            ),
        ];
        for (change, message) in cases {
            assert_eq!(accept(request(change), false).unwrap_err(), message);
        }
    }

    #[test]
    fn what_the_compiler_cannot_make_sense_of_is_refused_in_its_words() {
        let wrong = request(|r| r["InputConfig"]["DataInputConfig"] = json!("{'data': [1, 3"));
        let request = wrong;
        let order = order(&request, request.input_config.as_ref().unwrap());
        let expected = front::check(&order).unwrap_err().to_string();
        assert_eq!(accept(request, false).unwrap_err(), expected);
    }

    #[test]
    fn what_an_image_compiles_is_its_own_to_judge() {
        let vendors = || {
            request(|r| {
                r["OutputConfig"]["TargetDevice"] = json!("ml_inf1");
                r["OutputConfig"]["CompilerOptions"] = json!("\"--verbose 1 -O2\"");
                r["InputConfig"]["FrameworkVersion"] = json!("9.9");
            })
        };
        assert!(accept(vendors(), true).is_ok());
        let refusal = accept(vendors(), false).unwrap_err();
        assert!(!refusal.is_empty());
        let mut broken = vendors();
        broken.output_config.compiler_options = Some("a\0b".to_owned());
        assert_eq!(
            accept(broken, true).unwrap_err(),
            "CompilerOptions must not contain the character U+0000."
        );
        let unnamed = request(|r| {
            r["OutputConfig"]["TargetDevice"] = json!("ml_inf1");
            r["InputConfig"]["S3Uri"] = json!("s3://inputs/models/");
        });
        assert!(accept(unnamed, true).is_err());
    }
}
