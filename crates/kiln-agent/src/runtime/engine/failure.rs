//! What an engine's refusals mean, from the words that it uses.

use std::error::Error as _;

use bollard::errors::Error;

use super::RuntimeError;

/// The refusal in the engine's own words, or the whole chain of causes when the
/// engine was not reached.
pub(super) fn words(error: &Error) -> String {
    if let Error::DockerResponseServerError { message, .. } = error {
        return message.trim().to_owned();
    }
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}

/// The HTTP status of the engine's answer, when it did answer.
pub(super) fn status(error: &Error) -> Option<u16> {
    match error {
        Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// A failure that is neither the image's nor the command's.
pub(super) fn machine(doing: &str, error: &Error) -> RuntimeError {
    RuntimeError::Machine(format!("{doing}: {}", words(error)))
}

/// Creating a container fails with "not found" for its image, but also for a
/// network that has gone meanwhile.
pub(super) fn of_creation(image: &str, error: &Error) -> RuntimeError {
    let words = words(error);
    match status(error) {
        Some(404) if is_of_image(image, &words) => RuntimeError::Image(format!("{image}: {words}")),
        _ => of_start(error),
    }
}

/// Whether what was not found is the image.
fn is_of_image(image: &str, words: &str) -> bool {
    words.contains(image) || words.to_lowercase().contains("no such image")
}

/// Starting a container fails for its command or for anything else.
pub(super) fn of_start(error: &Error) -> RuntimeError {
    of_command(&words(error)).unwrap_or_else(|| machine("starting the container", error))
}

/// The command's own failure, freed of the names of the programs that passed it
/// on: `exec: "train": executable file not found in $PATH`.
fn of_command(message: &str) -> Option<RuntimeError> {
    if message.contains("error running hook") {
        return None;
    }
    let message = runc_words(message).or_else(|| crun_words(message))?;
    let lower = message.to_lowercase();
    let cannot_execute = ["permission denied", "is a directory", "exec format error"];
    let code = if cannot_execute.iter().any(|reason| lower.contains(reason)) {
        126
    } else {
        127
    };
    Some(RuntimeError::Command { message, code })
}

fn runc_words(message: &str) -> Option<String> {
    let said = &message[message.find("exec: \"")?..];
    let end = [": unknown", ": OCI "]
        .iter()
        .filter_map(|passed_on| said.find(passed_on))
        .min()
        .unwrap_or(said.len());
    Some(said[..end].to_owned())
}

fn crun_words(message: &str) -> Option<String> {
    if message.contains("open executable: Permission denied") {
        return Some("exec: permission denied".to_owned());
    }
    let (_, after) = message.split_once("executable file `")?;
    let (command, _) = after.split_once('`')?;
    Some(format!(
        "exec: \"{command}\": executable file not found in $PATH"
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RUNC: &str = "failed to create shim task: OCI runtime create failed: runc create \
        failed: unable to start container process: ";

    #[test]
    fn commands_that_cannot_start_are_told_apart() {
        let cases = [
            (
                format!("{RUNC}exec: \"train\": executable file not found in $PATH: unknown"),
                Some(("exec: \"train\": executable file not found in $PATH", 127)),
            ),
            (
                format!(
                    "{RUNC}error during container init: exec: \"/x\": stat /x: no such file or directory: unknown"
                ),
                Some(("exec: \"/x\": stat /x: no such file or directory", 127)),
            ),
            (
                format!("{RUNC}exec: \"/etc/passwd\": permission denied: unknown"),
                Some(("exec: \"/etc/passwd\": permission denied", 126)),
            ),
            (
                "runc: runc create failed: unable to start container process: exec: \"train\": \
                 executable file not found in $PATH: OCI runtime attempted to invoke a command \
                 that was not found"
                    .to_owned(),
                Some(("exec: \"train\": executable file not found in $PATH", 127)),
            ),
            (
                "crun: executable file `train` not found in $PATH: No such file or directory: \
                 OCI runtime attempted to invoke a command that was not found"
                    .to_owned(),
                Some(("exec: \"train\": executable file not found in $PATH", 127)),
            ),
            (
                "crun: open executable: Permission denied: OCI permission denied".to_owned(),
                Some(("exec: permission denied", 126)),
            ),
            (
                format!("{RUNC}error running hook #0: exec: \"gpu-hook\": not found: unknown"),
                None,
            ),
            (
                "invalid mount config for type \"bind\": bind source path does not exist: /x"
                    .to_owned(),
                None,
            ),
        ];
        for (message, expected) in cases {
            let found = of_command(&message).map(|error| match error {
                RuntimeError::Command { message, code } => (message, code),
                other => panic!("{other}"),
            });
            let expected = expected.map(|(text, code)| (text.to_owned(), code));
            assert_eq!(found, expected, "{message}");
        }
    }

    #[test]
    fn a_missing_image_is_the_images_failure() {
        let absent = |message: &str| Error::DockerResponseServerError {
            status_code: 404,
            message: message.to_owned(),
        };
        assert!(matches!(
            of_creation("none", &absent("No such image: none:latest")),
            RuntimeError::Image(text) if text == "none: No such image: none:latest"
        ));
        let network = absent("network kiln-i-1 not found");
        let other = of_creation("none", &network);
        assert!(matches!(other, RuntimeError::Machine(_)), "{other}");
    }

    proptest! {
        #[test]
        fn any_words_are_read(message in ".{0,80}(exec: \"|executable file `)?.{0,80}") {
            let _ = of_command(&message);
        }
    }
}
