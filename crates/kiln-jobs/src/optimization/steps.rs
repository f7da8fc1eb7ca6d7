//! What a job does, in order: one step for each of its configurations.

use std::collections::BTreeMap;

use kiln_agent::plan::StepPlan;
use kiln_data::channel::Source;
use kiln_model::S3Uri;
use kiln_model::api::{
    CreateOptimizationJobRequest, ModelSpeculativeDecodingConfig,
    ModelSpeculativeDecodingS3DataType, OptimizationConfig,
};
use kiln_optimize::Technique;

use super::place::parse;
use crate::plane::S3Input;

/// The variable that names texts or tokens to calibrate with.
const CALIBRATION: &str = "OPTION_CALIBRATION_DATA";

type Environment = BTreeMap<String, String>;

/// One configuration, whichever of its members was given.
pub(super) struct Step<'a> {
    pub(super) technique: Technique,
    pub(super) image: Option<&'a str>,
    overrides: Option<&'a Environment>,
    /// Where it says by a member of its own what it learns from.
    training: Option<&'a ModelSpeculativeDecodingConfig>,
}

impl<'a> Step<'a> {
    fn of(config: &'a OptimizationConfig) -> Self {
        let plain =
            |technique, image: &'a Option<String>, overrides: &'a Option<Environment>| Self {
                technique,
                image: image.as_deref().filter(|image| !image.is_empty()),
                overrides: overrides.as_ref(),
                training: None,
            };
        match config {
            OptimizationConfig::ModelQuantizationConfig(config) => plain(
                Technique::Quantization,
                &config.image,
                &config.override_environment,
            ),
            OptimizationConfig::ModelCompilationConfig(config) => plain(
                Technique::Compilation,
                &config.image,
                &config.override_environment,
            ),
            OptimizationConfig::ModelShardingConfig(config) => plain(
                Technique::Sharding,
                &config.image,
                &config.override_environment,
            ),
            OptimizationConfig::ModelSpeculativeDecodingConfig(config) => Self {
                technique: Technique::SpeculativeDecoding,
                image: None,
                overrides: None,
                training: Some(config),
            },
        }
    }

    /// Whether an image does it that somebody brought.
    pub(super) fn is_brought(&self) -> bool {
        self.image.is_some() || self.technique == Technique::SpeculativeDecoding
    }

    /// The job's variables with its own over them.
    fn environment(&self, job: Option<&Environment>) -> Environment {
        let mut all = job.cloned().unwrap_or_default();
        all.extend(self.overrides.cloned().unwrap_or_default());
        all
    }

    /// What it learns from: all below a prefix that ends in a slash, or what a manifest
    /// lists.
    fn data(&self, job: Option<&Environment>) -> Result<Option<S3Input>, String> {
        let Some(config) = self.training else {
            if !self.is_brought() && self.technique != Technique::Quantization {
                // Nobody would look at it.
                return Ok(None);
            }
            let environment = self.environment(job);
            let named = environment.get(CALIBRATION);
            return named.map(|text| calibration(text)).transpose();
        };
        let Some(source) = &config.training_data_source else {
            return Ok(None);
        };
        let uri = parse(&source.s3_uri)?;
        match source.s3_data_type {
            ModelSpeculativeDecodingS3DataType::S3Prefix => {
                Ok(Some(S3Input::Prefix(uri.child(""))))
            }
            ModelSpeculativeDecodingS3DataType::ManifestFile => manifest(uri).map(Some),
        }
    }
}

fn manifest(uri: S3Uri) -> Result<S3Input, String> {
    match uri.key() {
        key if key.is_empty() || key.ends_with('/') => Err(format!(
            "The S3Uri \"{uri}\" in TrainingDataSource does not name a manifest file."
        )),
        _ => Ok(S3Input::Object(uri)),
    }
}

/// The same for the plan.
fn source(data: S3Input) -> Source {
    let named = |uri: &S3Uri| (uri.bucket().to_owned(), uri.key().to_owned());
    match data {
        S3Input::Prefix(uri) => {
            let (bucket, prefix) = named(&uri);
            Source::Prefix { bucket, prefix }
        }
        S3Input::Object(uri) => {
            let (bucket, key) = named(&uri);
            Source::Manifest { bucket, key }
        }
    }
}

fn calibration(text: &str) -> Result<S3Input, String> {
    let uri = text.parse::<S3Uri>();
    let uri = uri.map_err(|_| {
        format!(
            "{CALIBRATION} is \"{text}\", which is no S3 URI. It must be that of a prefix of texts \
             or tokens to calibrate with, such as s3://bucket/texts/."
        )
    })?;
    Ok(S3Input::Prefix(uri.child("")))
}

/// The steps of a job.
pub(super) fn steps(request: &CreateOptimizationJobRequest) -> impl Iterator<Item = Step<'_>> {
    request.optimization_configs.iter().map(Step::of)
}

/// The data that steps learn from.
///
/// # Errors
/// When something that is to name it does not.
pub(super) fn data(request: &CreateOptimizationJobRequest) -> Result<Vec<S3Input>, String> {
    let environment = request.optimization_environment.as_ref();
    let all = steps(request).filter_map(|step| step.data(environment).transpose());
    all.collect()
}

/// The same steps for the plan; `trainer` is the image that trains EAGLE heads.
///
/// # Errors
/// As [`data`].
pub(super) fn plan(
    request: &CreateOptimizationJobRequest,
    trainer: Option<&str>,
) -> Result<Vec<StepPlan>, String> {
    let environment = request.optimization_environment.as_ref();
    let plan = |step: Step<'_>| {
        Ok(StepPlan {
            technique: step.technique,
            image: match step.technique {
                Technique::SpeculativeDecoding => trainer.map(str::to_owned),
                _ => step.image.map(str::to_owned),
            },
            environment: step.environment(environment),
            calibration: step.data(environment)?.map(source),
        })
    };
    steps(request).map(plan).collect()
}

/// The word for a technique in lists.
pub(super) fn word(technique: Technique) -> &'static str {
    match technique {
        Technique::Quantization => "Quantization",
        Technique::Compilation => "Compilation",
        Technique::Sharding => "Sharding",
        Technique::SpeculativeDecoding => "SpeculativeDecoding",
    }
}

/// The words for what a job does, in order.
pub(super) fn words(configs: &[OptimizationConfig]) -> Vec<String> {
    let words = configs
        .iter()
        .map(|config| word(Step::of(config).technique));
    words.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn request(environment: Value, configs: Value) -> CreateOptimizationJobRequest {
        serde_json::from_value(json!({
            "OptimizationJobName": "o",
            "RoleArn": "arn:aws:iam::123456789012:role/r",
            "ModelSource": {"S3": {"S3Uri": "s3://data/m"}},
            "DeploymentInstanceType": "ml.g5.xlarge",
            "OptimizationEnvironment": environment,
            "OptimizationConfigs": configs,
            "OutputConfig": {"S3OutputLocation": "s3://out/x"},
            "StoppingCondition": {},
        }))
        .unwrap()
    }

    fn learning_from(uri: &str, kind: &str) -> Value {
        json!([{"ModelSpeculativeDecodingConfig": {"Technique": "EAGLE", "TrainingDataSource":
            {"S3Uri": uri, "S3DataType": kind}}}])
    }

    #[test]
    fn a_steps_own_variables_count_more_than_the_jobs() {
        let request = request(
            json!({"OPTION_QUANTIZE": "awq", "A": "1"}),
            json!([
                {"ModelQuantizationConfig": {"OverrideEnvironment": {"OPTION_QUANTIZE": "fp8"}}},
                {"ModelShardingConfig": {"Image": "sharder"}},
            ]),
        );
        let steps = plan(&request, Some("trainer")).unwrap();
        assert_eq!(steps[0].environment["OPTION_QUANTIZE"], "fp8");
        assert_eq!(steps[0].environment["A"], "1");
        assert_eq!(steps[0].image, None);
        assert_eq!(steps[1].environment["OPTION_QUANTIZE"], "awq");
        assert_eq!(steps[1].image.as_deref(), Some("sharder"));
        let expected = ["Quantization", "Sharding"];
        assert_eq!(words(&request.optimization_configs), expected);
    }

    #[test]
    fn what_to_learn_from_is_a_prefix() {
        let with = |uri: &str| {
            let quantize = json!([{"ModelQuantizationConfig": {}}]);
            let request = request(json!({"OPTION_CALIBRATION_DATA": uri}), quantize);
            data(&request).map(|found| found[0].uri().to_string())
        };
        assert_eq!(with("s3://data/texts"), Ok("s3://data/texts/".to_owned()));
        let refusal = with("/local/texts").unwrap_err();
        assert!(refusal.starts_with("OPTION_CALIBRATION_DATA is \"/local/texts\""));
    }

    #[test]
    fn eagle_is_trained_by_the_configured_image() {
        let configs = |kind: &str| learning_from("s3://data/chats", kind);
        let asked = request(json!({}), configs("S3Prefix"));
        let step = plan(&asked, Some("trainer")).unwrap().remove(0);
        assert_eq!(step.technique, Technique::SpeculativeDecoding);
        assert_eq!(step.image.as_deref(), Some("trainer"));
        let (bucket, key) = ("data".to_owned(), "chats".to_owned());
        let prefix = Source::Prefix {
            bucket: bucket.clone(),
            prefix: "chats/".to_owned(),
        };
        assert_eq!(step.calibration, Some(prefix));
        let listed = plan(&request(json!({}), configs("ManifestFile")), None).unwrap();
        assert_eq!(
            listed[0].calibration,
            Some(Source::Manifest { bucket, key })
        );
        assert_eq!(plan(&asked, None).unwrap()[0].image, None);
        let directory = learning_from("s3://data/chats/", "ManifestFile");
        let refusal = data(&request(json!({}), directory)).unwrap_err();
        assert!(refusal.contains("does not name a manifest file"));
    }
}
