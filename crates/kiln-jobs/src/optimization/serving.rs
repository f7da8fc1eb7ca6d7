//! The image that serves what a job has made, as far as one is known.

use kiln_agent::report::Optimized;
use kiln_model::Region;
use kiln_optimize::Technique;

use super::order::Accepted;
use super::steps::steps;

/// The large model inference container that serves every format which Kiln writes.
const REPOSITORY: &str = "djl-inference";
const TAG: &str = "0.31.0-lmi13.0.0-cu124";

/// The account of AWS's deep learning containers in most regions.
const ACCOUNT: &str = "763104351884";
/// And in those that have another.
const ACCOUNTS: [(&str, &str); 18] = [
    ("af-south-1", "626614931356"),
    ("ap-east-1", "871362719292"),
    ("ap-northeast-3", "364406365360"),
    ("ap-south-2", "772153158452"),
    ("ap-southeast-3", "907027046896"),
    ("ap-southeast-4", "457447274322"),
    ("ap-southeast-5", "550225433462"),
    ("ap-southeast-7", "590183813437"),
    ("ca-west-1", "204538143572"),
    ("cn-north-1", "727897471807"),
    ("cn-northwest-1", "727897471807"),
    ("eu-central-2", "380420809688"),
    ("eu-south-1", "692866216735"),
    ("eu-south-2", "503227376785"),
    ("il-central-1", "780543022126"),
    ("me-central-1", "914824155844"),
    ("me-south-1", "217643126080"),
    ("mx-central-1", "637423239942"),
];
const GOVERNMENT: [(&str, &str); 2] = [
    ("us-gov-east-1", "446045086412"),
    ("us-gov-west-1", "442386744353"),
];

/// The image to recommend: the one that did the last step, if somebody brought it to do
/// just that; else the one that served the model before, if it is a large model inference
/// container; else the usual. What is for other programs has none.
pub(super) fn image(job: &Accepted, made: &Optimized, region: &Region) -> Option<String> {
    let last = steps(&job.request).last();
    let trained = last.is_some_and(|step| step.technique == Technique::SpeculativeDecoding);
    if let Some(image) = made.own_image.clone().filter(|_| !trained) {
        return Some(image);
    }
    let before = job.model.image.clone().filter(|image| is_lmi(image));
    let image = || before.unwrap_or_else(|| usual(region));
    made.is_hugging_face.then(image)
}

fn is_lmi(image: &str) -> bool {
    let name = image.rsplit('/').next().unwrap_or_default();
    name.strip_prefix(REPOSITORY)
        .is_some_and(|tag| tag.starts_with(':') && tag.contains("-lmi"))
}

fn usual(region: &Region) -> String {
    let name = region.to_string();
    let mut others = ACCOUNTS.iter().chain(&GOVERNMENT);
    let account = others.find(|(other, _)| *other == name);
    let account = account.map_or(ACCOUNT, |(_, account)| account);
    let domain = match region.partition() {
        "aws-cn" => "amazonaws.com.cn",
        _ => "amazonaws.com",
    };
    format!("{account}.dkr.ecr.{name}.{domain}/{REPOSITORY}:{TAG}")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::place;
    use super::*;

    fn recommended(
        config: Value,
        own_image: Option<&str>,
        is_hugging_face: bool,
        (served_by, region): (Option<&str>, &str),
    ) -> Option<String> {
        let request = json!({
            "OptimizationJobName": "o",
            "RoleArn": "arn:aws:iam::123456789012:role/r",
            "ModelSource": {"S3": {"S3Uri": "s3://data/m"}},
            "DeploymentInstanceType": "ml.g5.xlarge",
            "OptimizationConfigs": [config],
            "OutputConfig": {"S3OutputLocation": "s3://out/x"},
            "StoppingCondition": {},
        });
        let request: kiln_model::api::CreateOptimizationJobRequest =
            serde_json::from_value(request).unwrap();
        let mut model = place::of_source(&request.model_source).unwrap();
        model.image = served_by.map(str::to_owned);
        let made = Optimized {
            own_image: own_image.map(str::to_owned),
            is_hugging_face,
            ..Optimized::default()
        };
        let region = region.parse().unwrap();
        image(&Accepted { request, model }, &made, &region)
    }

    #[test]
    fn each_job_has_the_image_that_serves_it() {
        let quantized = json!({"ModelQuantizationConfig": {}});
        let trained = json!({"ModelSpeculativeDecodingConfig": {"Technique": "EAGLE"}});
        let usual = |start: &str| format!("{start}/djl-inference:0.31.0-lmi13.0.0-cu124");
        let here = usual("763104351884.dkr.ecr.us-east-1.amazonaws.com");
        let china = usual("727897471807.dkr.ecr.cn-north-1.amazonaws.com.cn");
        let lmi = "1.dkr.ecr.us-east-1.amazonaws.com/djl-inference:0.38.0-lmi29.0.0-cu130";
        let other = "1.dkr.ecr.us-east-1.amazonaws.com/sklearn:1";
        let (us, cn) = ("us-east-1", "cn-north-1");
        let cases = [
            (&quantized, None, true, (None, us), Some(here.as_str())),
            (&quantized, None, true, (None, cn), Some(&china)),
            (&quantized, None, true, (Some(lmi), us), Some(lmi)),
            (&quantized, None, true, (Some(other), us), Some(&here)),
            (&quantized, Some("x"), true, (Some(lmi), us), Some("x")),
            (&quantized, Some("x"), false, (None, us), Some("x")),
            (&quantized, None, false, (None, us), None),
            (&trained, Some("x"), true, (None, us), Some(&here)),
        ];
        for (config, own, hugging, before, expected) in cases {
            let found = recommended(config.clone(), own, hugging, before);
            assert_eq!(found.as_deref(), expected, "{config} {own:?} {before:?}");
        }
    }
}
