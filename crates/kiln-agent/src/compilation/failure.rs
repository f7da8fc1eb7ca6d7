//! Why a compilation failed, in the cloud's words for compilations.

use std::time::Duration;

use kiln_data::DataError;

use crate::failure::{LONGEST_REASON, is_internal};
use crate::plan::ObjectPlan;
use crate::report::Outcome;
use crate::runtime::Exit;
use crate::solo::{End, Told, of_own};
use crate::volume::Size;

const INTERNAL: &str =
    "ServerError: There was an internal server error during the compilation job.";

/// The reason for a container's end; `None` when it ended well. `message` is what it
/// left in `/opt/ml/output/failure`, and `memory` what it could have.
pub(super) fn of_exit(exit: Exit, message: Option<String>, memory: u64) -> Option<String> {
    let silent = |ending: &str| internal(&format!("the compiler ended with {ending}"));
    of_own(exit, message, || of_memory(memory), silent)
}

/// The reason for the end of the container of an image that compiled in place of Kiln for
/// this target; `None` when it ended well. `memory` is what it could have.
pub(super) fn of_image(exit: Exit, target: &str, told: Told, memory: u64) -> Option<String> {
    let ending = match End::of(exit) {
        End::Well => return None,
        End::OutOfMemory => return Some(of_memory(memory)),
        End::Badly(ending) => ending,
    };
    let words = told
        .words
        .unwrap_or_else(|| "the image does not say why".to_owned());
    let reason = format!(
        "ClientError: CompilationError: Unable to compile model for {target}: ({ending}) {words}"
    );
    Some(told.error.unwrap_or_else(|| shortened(&reason)))
}

/// The reason when an image has left more than an artifact can hold.
pub(super) fn of_size(bytes: u64, most: u64) -> String {
    shortened(&format!(
        "ClientError: CompilationError: What the image has left would be {}, and an artifact can \
         hold {}",
        Size(bytes),
        Size(most)
    ))
}

/// The outcome when what comes before the work was cut short, for which the job's own time
/// limit does not count.
pub(super) fn of_preparation(cut: Outcome, limit: Duration) -> Outcome {
    match cut {
        Outcome::MaxRuntimeExceeded => Outcome::Failed(internal(&format!(
            "the model and the compiler's tools were not there within {} minutes",
            limit.as_secs() / 60
        ))),
        cut => cut,
    }
}

fn of_memory(bytes: u64) -> String {
    let gibibytes = bytes as f64 / f64::from(1 << 30);
    format!(
        "ClientError: CompilationError: The model could not be compiled within {gibibytes:.1} GiB \
         of memory. Please use a smaller model, or a machine with more memory."
    )
}

/// The reason when the archive could not be fetched. `region` is the job's.
pub(super) fn of_download(error: DataError, from: &ObjectPlan, region: &str) -> String {
    let ObjectPlan { bucket, key } = from;
    if let DataError::Refused {
        status, message, ..
    } = &error
    {
        if *status == 404 {
            return input(format_args!(
                "S3 object does not exist. Bucket: {bucket}, Key: {key}"
            ));
        }
        if let Some(found) = other_region(message) {
            return input(format_args!(
                "Bucket {bucket} is in region {found} which is different from AWS Sagemaker \
                 service region {region}"
            ));
        }
    }
    let error = error.fetching(bucket, key);
    if error.is_the_request_s() {
        return input(error);
    }
    internal(&error.to_string())
}

/// The region that S3 wants a request to be signed for, when it was signed for
/// another: `…; the region 'us-east-1' is wrong; expecting 'eu-west-1'`.
fn other_region(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("expecting '")?;
    rest.split_once('\'').map(|(region, _)| region)
}

/// The reason when the artifact could not be stored.
pub(super) fn of_upload(error: &DataError) -> String {
    if error.is_the_request_s() {
        return shortened(&format!("ClientError: OutputConfiguration: {error}"));
    }
    internal(&error.to_string())
}

/// The outcome, where it failed for what is neither the job's nor the model's fault,
/// in the words for compilations.
pub(super) fn in_its_words(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Failed(reason) if is_internal(&reason) => {
            let detail = reason.split_once('(').map_or("", |(_, detail)| detail);
            Outcome::Failed(internal(detail.strip_suffix(')').unwrap_or(detail)))
        }
        other => other,
    }
}

fn input(detail: impl std::fmt::Display) -> String {
    shortened(&format!("ClientError: InputConfiguration: {detail}"))
}

fn internal(detail: &str) -> String {
    shortened(&format!("{INTERNAL} ({detail})"))
}

fn shortened(reason: &str) -> String {
    reason.chars().take(LONGEST_REASON).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, code: &str, message: &str) -> DataError {
        DataError::Refused {
            status,
            code: code.to_owned(),
            message: message.to_owned(),
        }
    }

    #[test]
    fn an_end_reads_as_in_the_cloud() {
        let said = "ClientError: InputConfiguration: No h5 file provided in /model";
        let oom = "ClientError: CompilationError: The model could not be compiled within 8.0 GiB \
                   of memory. Please use a smaller model, or a machine with more memory.";
        let cases = [
            (Exit::Code(0), Some("x"), None),
            (Exit::Code(1), Some(said), Some(said)),
            (
                Exit::Code(1),
                Some(" \n"),
                Some(
                    "ServerError: There was an internal server error during the compilation job. \
                     (the compiler ended with exit code 1)",
                ),
            ),
            (Exit::OutOfMemory, Some(said), Some(oom)),
        ];
        for (exit, message, expected) in cases {
            let reason = of_exit(exit, message.map(str::to_owned), 8 << 30);
            assert_eq!(reason.as_deref(), expected, "{exit:?}");
        }
    }

    #[test]
    fn an_image_s_end_is_its_error_or_its_last_words() {
        let beginning = "ClientError: CompilationError: Unable to compile model for ml_inf1: ";
        let silent = format!("{beginning}(signal 9) the image does not say why");
        let said = format!("{beginning}(exit code 3) KeyError: 'y'");
        let cases = [
            (Exit::Code(0), Some("e"), Some("w"), None),
            (
                Exit::Code(1),
                Some("no such op"),
                Some("w"),
                Some("no such op"),
            ),
            (
                Exit::Code(3),
                None,
                Some("KeyError: 'y'"),
                Some(said.as_str()),
            ),
            (Exit::Signal(9), None, None, Some(silent.as_str())),
        ];
        for (exit, error, words, expected) in cases {
            let told = Told {
                error: error.map(str::to_owned),
                words: words.map(str::to_owned),
            };
            let reason = of_image(exit, "ml_inf1", told, 8 << 30);
            assert_eq!(reason.as_deref(), expected, "{exit:?}");
        }
        let oom = of_image(Exit::OutOfMemory, "ml_inf1", Told::default(), 8 << 30).unwrap();
        assert!(oom.contains("within 8.0 GiB"), "{oom}");
    }

    #[test]
    fn what_is_not_ready_in_time_fails_and_what_is_stopped_is_stopped() {
        let limit = Duration::from_secs(3600);
        let late = "ServerError: There was an internal server error during the compilation job. \
                    (the model and the compiler's tools were not there within 60 minutes)";
        assert_eq!(
            of_preparation(Outcome::MaxRuntimeExceeded, limit),
            Outcome::Failed(late.to_owned())
        );
        assert_eq!(of_preparation(Outcome::Stopped, limit), Outcome::Stopped);
    }

    #[test]
    fn what_cannot_be_fetched_reads_as_in_the_cloud() {
        let from = ObjectPlan {
            bucket: "b".to_owned(),
            key: "k".to_owned(),
        };
        let missing =
            "ClientError: InputConfiguration: S3 object does not exist. Bucket: b, Key: k";
        let cases = [
            (refused(404, "NoSuchKey", "It is not there."), missing),
            (refused(404, "NoSuchBucket", "Neither is it."), missing),
            (
                refused(
                    400,
                    "AuthorizationHeaderMalformed",
                    "The region 'us-east-1' is wrong; expecting 'eu-west-1'",
                ),
                "ClientError: InputConfiguration: Bucket b is in region eu-west-1 which is \
                 different from AWS Sagemaker service region us-east-1",
            ),
            (
                refused(403, "AccessDenied", "Access Denied"),
                "ClientError: InputConfiguration: Unable to download object s3://b/k \
                 (AccessDenied: Access Denied)",
            ),
            (
                refused(503, "SlowDown", "Less."),
                "ServerError: There was an internal server error during the compilation job. (the \
                 object store did not answer: SlowDown: Less. (reading s3://b/k))",
            ),
        ];
        for (error, expected) in cases {
            assert_eq!(of_download(error, &from, "us-east-1"), expected);
        }
    }

    #[test]
    fn an_internal_error_is_one_of_the_compilation_s() {
        let internal = crate::failure::internal(&"no disk (sda)");
        assert_eq!(
            in_its_words(Outcome::Failed(internal)),
            Outcome::Failed(
                "ServerError: There was an internal server error during the compilation job. (no \
                 disk (sda))"
                    .to_owned()
            )
        );
        for other in [Outcome::Stopped, Outcome::Failed("ClientError: x".into())] {
            assert_eq!(in_its_words(other.clone()), other);
        }
    }
}
