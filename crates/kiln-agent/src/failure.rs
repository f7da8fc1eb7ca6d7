//! Why an instance failed, in the cloud's words.

use std::io::Read;
use std::path::Path;

use crate::left;
use crate::runtime::{Exit, RuntimeError};
use crate::volume::Exceeded;
use kiln_data::DataError;

/// The API's limit on a failure reason, and how much of the failure file counts.
pub const LONGEST_REASON: usize = 1024;

/// The file in its output directory in which work says why it failed.
pub const FAILURE_FILE: &str = "failure";

const OUT_OF_MEMORY: &str = "ClientError: Please use an instance type with more memory, or \
    reduce the size of job data processed on an instance.";
const NO_IMAGE: &str = "ClientError: Cannot pull algorithm container. Either the image does not \
    exist or its permissions are incorrect.";
const INTERNAL: &str = "InternalServerError: We encountered an internal error.  Please try again.";

/// The reason for a container's end; `None` when it ended well. `message` is
/// what the work left in `/opt/ml/output/failure`.
#[must_use]
pub fn of_exit(exit: Exit, message: Option<&str>) -> Option<String> {
    let code = match exit {
        Exit::Code(0) => return None,
        Exit::Code(code) => code,
        Exit::Signal(signal) => 128 + signal,
        Exit::OutOfMemory => return Some(OUT_OF_MEMORY.to_owned()),
    };
    let ending = format!(", exit code: {code}");
    let beginning = "AlgorithmError: ";
    let room = LONGEST_REASON - ending.len() - beginning.len();
    let message: String = message.unwrap_or_default().chars().take(room).collect();
    Some(format!("{beginning}{message}{ending}"))
}

/// The reason when a container could not be run.
#[must_use]
pub fn of_runtime(error: &RuntimeError) -> String {
    let reason = match error {
        RuntimeError::Image(detail) => format!("{NO_IMAGE} ({detail})"),
        RuntimeError::Command { message, code } => {
            format!("AlgorithmError: {message}, exit code: {code}")
        }
        RuntimeError::Machine(_) | RuntimeError::Io { .. } => format!("{INTERNAL} ({error})"),
    };
    shortened(&reason)
}

/// The reason when a rule's image could not be had, or its container not be run.
#[must_use]
pub(crate) fn of_rule_image(error: &RuntimeError) -> String {
    match error {
        RuntimeError::Image(detail) => client(format_args!(
            "The rule was not evaluated, since its image is not available here: {detail}. \
             Register the image with `kiln images add`, or say in kiln.toml what stands for it"
        )),
        other => of_runtime(other),
    }
}

/// The reason when inputs could not be fetched.
#[must_use]
pub fn of_download(error: &DataError) -> String {
    let failed = "ClientError: Data download failed:";
    let reason = match error {
        DataError::NotFetched { .. } => format!("{failed}{error}"),
        DataError::Refused { code, message, .. } if error.is_the_request_s() => {
            format!("{failed}{message} ({code})")
        }
        DataError::NoFastFile(_) => format!("{failed}{error}"),
        other if other.is_the_request_s() => {
            format!("{failed}Failed to download data. {other}")
        }
        other => format!("{INTERNAL} ({other})"),
    };
    shortened(&reason)
}

/// The reason when a directory that is to be kept in step cannot be made. Its
/// path is the request's, and may clash with what the inputs have put there.
#[must_use]
pub(crate) fn of_kept_directory(path: &Path, error: &std::io::Error) -> String {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::AlreadyExists | ErrorKind::NotADirectory | ErrorKind::InvalidFilename => client(
            format_args!("{} cannot be a directory: {error}", path.display()),
        ),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => client(format_args!(
            "no space is left for {}. Please use a larger volume",
            path.display()
        )),
        _ => internal(error),
    }
}

/// The reason when a job has filled more than it may.
#[must_use]
pub(crate) fn of_volume(exceeded: &Exceeded) -> String {
    client(exceeded)
}

/// The reason when its inputs alone are more than it may fill.
#[must_use]
pub(crate) fn of_inputs(exceeded: &Exceeded) -> String {
    client(format_args!("Data download failed:{exceeded}"))
}

/// The reason when outputs could not be stored.
#[must_use]
pub fn of_upload(error: &DataError) -> String {
    let reason = match error {
        error if error.is_the_request_s() => {
            format!("ClientError: Artifact upload failed:{error}")
        }
        other => format!("{INTERNAL} ({other})"),
    };
    shortened(&reason)
}

/// The reason when the request asks for what is not there.
#[must_use]
pub fn client(detail: impl std::fmt::Display) -> String {
    shortened(&format!("ClientError: {detail}"))
}

/// The reason when the agent itself could not go on.
#[must_use]
pub fn internal(detail: &dyn std::fmt::Display) -> String {
    shortened(&format!("{INTERNAL} ({detail})"))
}

/// Whether a reason says that the platform failed, and not the job: such a
/// failure may be worth another try. The class of a failure stands before the
/// colon, and no job's own words do.
#[must_use]
pub fn is_internal(reason: &str) -> bool {
    reason.split(':').next() == INTERNAL.split(':').next()
}

fn shortened(reason: &str) -> String {
    reason.chars().take(LONGEST_REASON).collect()
}

/// Reads the failure file under the job's output directory.
#[must_use]
pub fn read_message(output: &Path) -> Option<String> {
    read(output, FAILURE_FILE)
}

/// Reads the message that a processing container leaves when it ends, under the
/// output directory.
#[must_use]
pub(crate) fn read_exit_message(output: &Path) -> Option<String> {
    read(output, "message")
}

/// Reads what the work has to say for itself.
fn read(output: &Path, name: &str) -> Option<String> {
    let file = left::open(output, name).ok()?;
    let mut bytes = Vec::new();
    // A character takes four bytes at most.
    file.take(4 * LONGEST_REASON as u64)
        .read_to_end(&mut bytes)
        .ok()?;
    Some(shortened(&String::from_utf8_lossy(&bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exits_read_as_the_cloud_s() {
        let cases = [
            (Exit::Code(0), None, None),
            (Exit::Code(1), None, Some("AlgorithmError: , exit code: 1")),
            (
                Exit::Code(2),
                Some("bad data"),
                Some("AlgorithmError: bad data, exit code: 2"),
            ),
            (
                Exit::Signal(9),
                None,
                Some("AlgorithmError: , exit code: 137"),
            ),
            (Exit::OutOfMemory, Some("x"), Some(OUT_OF_MEMORY)),
        ];
        for (exit, message, expected) in cases {
            assert_eq!(of_exit(exit, message).as_deref(), expected, "{exit:?}");
        }
    }

    fn class(reason: &str) -> &str {
        reason.split(':').next().unwrap()
    }

    #[test]
    fn only_what_another_attempt_may_mend_is_an_internal_error() {
        let io = |kind: std::io::ErrorKind| std::io::Error::from(kind);
        let data = |source: std::io::Error| DataError::Io {
            doing: "reading".to_owned(),
            source,
        };
        let machine = RuntimeError::Machine("no room".to_owned());
        let command = RuntimeError::Command {
            message: "not found".to_owned(),
            code: 127,
        };
        let broken = io(std::io::ErrorKind::BrokenPipe);
        let refused = |status| DataError::Refused {
            status,
            code: "Code".to_owned(),
            message: "InternalServerError: so it says".to_owned(),
        };
        let obstructed = DataError::Obstructed {
            doing: "making a pipe".to_owned(),
            source: io(std::io::ErrorKind::AlreadyExists),
        };
        let kept = |kind| of_kept_directory(Path::new("/opt/ml/x"), &io(kind));
        let (internal_error, client_error) = ("InternalServerError", "ClientError");
        let cases = [
            (internal(&"x"), internal_error),
            (of_runtime(&machine), internal_error),
            (of_runtime(&command), "AlgorithmError"),
            (
                of_runtime(&RuntimeError::Image("x".to_owned())),
                client_error,
            ),
            (of_download(&data(broken)), internal_error),
            (of_download(&refused(503)), internal_error),
            (of_download(&refused(403)), client_error),
            (of_download(&obstructed), client_error),
            (of_upload(&refused(503)), internal_error),
            (of_upload(&refused(403)), client_error),
            (of_upload(&obstructed), client_error),
            (kept(std::io::ErrorKind::NotADirectory), client_error),
            (kept(std::io::ErrorKind::QuotaExceeded), client_error),
            (kept(std::io::ErrorKind::PermissionDenied), internal_error),
            (
                of_exit(Exit::Code(1), Some("InternalServerError: x")).unwrap(),
                "AlgorithmError",
            ),
            (of_exit(Exit::OutOfMemory, None).unwrap(), client_error),
        ];
        for (reason, expected) in cases {
            assert_eq!(class(&reason), expected, "{reason}");
        }
    }

    #[test]
    fn a_long_message_keeps_the_exit_code() {
        let reason = of_exit(Exit::Code(3), Some(&"é".repeat(2000))).unwrap();
        assert_eq!(reason.chars().count(), LONGEST_REASON);
        assert!(reason.ends_with(", exit code: 3"));
    }

    #[test]
    fn the_failure_file_is_read_but_no_link_is_followed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("failure");
        assert_eq!(read_message(directory.path()), None);
        std::fs::write(&path, "x".repeat(2000)).unwrap();
        assert_eq!(
            read_message(directory.path()).unwrap().len(),
            LONGEST_REASON
        );
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
        assert_eq!(read_message(directory.path()), None);
        std::fs::remove_file(&path).unwrap();
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(read_message(directory.path()), None);
    }
}
