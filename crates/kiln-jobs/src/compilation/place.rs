//! Where a job's model comes from, and where its artifact goes.

use kiln_model::S3Uri;
use kiln_model::api::{CreateCompilationJobRequest, OutputConfig};

/// The model's archive.
///
/// # Errors
/// When the request names no object.
pub(super) fn input(request: &CreateCompilationJobRequest) -> Result<S3Uri, String> {
    let config = request.input_config.as_ref();
    let config = config.ok_or_else(|| "InputConfig is required.".to_owned())?;
    let uri = parse(&config.s3_uri)?;
    match uri.key() {
        key if key.is_empty() || key.ends_with('/') => Err(format!(
            "The S3Uri \"{uri}\" in InputConfig does not name an object. It must be the S3 URI of \
             one gzip-compressed tar archive (.tar.gz)."
        )),
        _ => Ok(uri),
    }
}

/// Where the artifact goes: `<S3OutputLocation>/model-<target>.tar.gz`.
///
/// # Errors
/// When the request names no place in S3.
pub(super) fn artifact(output: &OutputConfig) -> Result<S3Uri, String> {
    let place = parse(&output.s3_output_location)?;
    Ok(place.child(&format!("model-{}.tar.gz", target(output))))
}

/// `ml_c5`, or `LINUX_X86_64` and, where there is one, `_NVIDIA`.
pub(super) fn target(output: &OutputConfig) -> String {
    let platform = output.target_platform.iter().flat_map(|platform| {
        let words = [platform.os.to_string(), platform.arch.to_string()];
        let accelerator = platform.accelerator.map(|name| name.to_string());
        words.into_iter().chain(accelerator)
    });
    let device = output.target_device.map(|device| device.to_string());
    let words: Vec<String> = device.into_iter().chain(platform).collect();
    words.join("_")
}

fn parse(uri: &str) -> Result<S3Uri, String> {
    uri.parse()
        .map_err(|_| format!("The S3 URI \"{uri}\" is not valid. Give s3://bucket/prefix."))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn an_artifact_is_named_after_its_target() {
        let platform = |platform: Value| json!({"TargetPlatform": platform});
        let linux = json!({"Os": "LINUX", "Arch": "X86_64"});
        let nvidia = json!({"Os": "LINUX", "Arch": "ARM64", "Accelerator": "NVIDIA"});
        let cases = [
            (
                "s3://bucket/out",
                json!({"TargetDevice": "ml_c5"}),
                "s3://bucket/out/model-ml_c5.tar.gz",
            ),
            (
                "s3://bucket/out/",
                json!({"TargetDevice": "rasp3b"}),
                "s3://bucket/out/model-rasp3b.tar.gz",
            ),
            (
                "s3://bucket",
                platform(linux),
                "s3://bucket/model-LINUX_X86_64.tar.gz",
            ),
            (
                "s3://bucket/a/b",
                platform(nvidia),
                "s3://bucket/a/b/model-LINUX_ARM64_NVIDIA.tar.gz",
            ),
        ];
        for (location, mut output, expected) in cases {
            output["S3OutputLocation"] = json!(location);
            let output = serde_json::from_value(output).unwrap();
            assert_eq!(artifact(&output).unwrap().to_string(), expected);
        }
    }
}
