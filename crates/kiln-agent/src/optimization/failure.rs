//! Why an optimization failed.

use crate::failure::{client, internal, of_exit};
use crate::runtime::Exit;
use crate::solo::{Told, of_own};
use crate::volume::Size;

/// The reason for the end of a step of Kiln's own; `None` when it ended well. `message`
/// is what it left, and `memory` what it could have.
pub(super) fn of_own_step(exit: Exit, message: Option<String>, memory: u64) -> Option<String> {
    let out_of_memory = || {
        client(format_args!(
            "The model could not be optimized within {} of memory. Please use a smaller model, \
             or a machine with more memory",
            Size(memory)
        ))
    };
    let silent = |ending: &str| internal(&format!("the optimizer ended with {ending}"));
    of_own(exit, message, out_of_memory, silent)
}

/// The reason for the end of an image's container; `None` when it ended well.
pub(super) fn of_image(exit: Exit, told: Told) -> Option<String> {
    match (exit, told.error) {
        (Exit::Code(0), _) => None,
        (Exit::Code(_) | Exit::Signal(_), Some(error)) => Some(error),
        (exit, _) => of_exit(exit, told.words.as_deref()),
    }
}

/// The reason when there is nothing where inputs should be.
pub(super) fn of_empty(what: &str, uri: &str) -> String {
    client(format_args!("No object of the {what} was found at {uri}"))
}

/// The reason when the disk has too little left for the inputs.
pub(super) fn of_room(needed: u64, left: u64) -> String {
    client(format_args!(
        "The job's inputs are {}, and the disk of this machine has {} left for them. Please \
         ensure that there is enough disk space",
        Size(needed),
        Size(left)
    ))
}

/// The reason when what is to be stored says to be larger than the disk is.
pub(super) fn of_holes(bytes: u64) -> String {
    client(format_args!(
        "What the image has made would be {}, more than the disk holds",
        Size(bytes)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_of_our_own_ends_with_what_it_says() {
        let said = "ClientError: model.safetensors ends before its last tensor";
        let cases = [
            (Exit::Code(0), Some("x"), None),
            (Exit::Code(1), Some(said), Some(said)),
            (
                Exit::Signal(11),
                Some(" \n"),
                Some(
                    "InternalServerError: We encountered an internal error.  Please try again. \
                     (the optimizer ended with signal 11)",
                ),
            ),
            (
                Exit::OutOfMemory,
                Some(said),
                Some(
                    "ClientError: The model could not be optimized within 8 GB of memory. Please \
                     use a smaller model, or a machine with more memory",
                ),
            ),
        ];
        for (exit, message, expected) in cases {
            let reason = of_own_step(exit, message.map(str::to_owned), 8 << 30);
            assert_eq!(reason.as_deref(), expected, "{exit:?}");
        }
    }

    #[test]
    fn an_image_s_end_is_its_error_or_its_exit_code_with_its_last_words() {
        let cases = [
            (Exit::Code(0), Some("e"), None, None),
            (
                Exit::Code(1),
                Some("Fatal('x')"),
                Some("w"),
                Some("Fatal('x')"),
            ),
            (
                Exit::Code(3),
                None,
                Some("KeyError: 'y'"),
                Some("AlgorithmError: KeyError: 'y', exit code: 3"),
            ),
            (
                Exit::Signal(9),
                None,
                None,
                Some("AlgorithmError: , exit code: 137"),
            ),
        ];
        for (exit, error, words, expected) in cases {
            let told = Told {
                error: error.map(str::to_owned),
                words: words.map(str::to_owned),
            };
            let reason = of_image(exit, told);
            assert_eq!(reason.as_deref(), expected, "{exit:?}");
        }
        let told = Told {
            error: Some("e".to_owned()),
            words: None,
        };
        let oom = of_image(Exit::OutOfMemory, told).unwrap();
        assert!(oom.contains("more memory"), "{oom}");
    }
}
