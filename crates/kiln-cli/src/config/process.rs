//! `credential_process`: a program that prints keys.

use std::process::Command;

use super::Credentials;
use super::credentials::{parsed, printed, unretrieved};
use crate::failure::Failure;
use crate::python;
use crate::value::Value;

const PLACE: &str = "custom-process";

/// Runs the program that a profile names, with its arguments and without a shell.
pub(super) fn run(command: &str) -> Result<Credentials, Failure> {
    let words = shlex::split(command).unwrap_or_default();
    let Some((program, arguments)) = words.split_first() else {
        return Err(unretrieved(PLACE, "No closing quotation"));
    };
    let output = Command::new(program).args(arguments).output();
    let output = output.map_err(|error| unretrieved(PLACE, format!("{program}: {error}")))?;
    if !output.status.success() {
        return Err(unretrieved(PLACE, String::from_utf8_lossy(&output.stderr)));
    }
    read(&String::from_utf8_lossy(&output.stdout))
}

fn read(text: &str) -> Result<Credentials, Failure> {
    let value = parsed(text, PLACE)?;
    let version = value.member("Version");
    if version != Some(&Value::Integer(1)) {
        let version = version.map_or("<Version key not provided>".to_owned(), python::text);
        return Err(unretrieved(
            PLACE,
            format!(
                "Unsupported version '{version}' for credential process provider, supported \
                 versions: 1"
            ),
        ));
    }
    printed(&value, "SessionToken")
        .map_err(|name| unretrieved(PLACE, format!("Missing required key in response: '{name}'")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_prints_is_checked() {
        let found = read(r#"{"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "s"}"#).unwrap();
        assert_eq!((found.access_key.as_str(), found.token), ("a", None));
        for (text, expected) in [
            ("{}", "Unsupported version '<Version key not provided>'"),
            (r#"{"Version": 2}"#, "Unsupported version '2'"),
            (
                r#"{"Version": 1}"#,
                "Missing required key in response: 'AccessKeyId'",
            ),
            ("no", "custom-process: Expecting value"),
        ] {
            let said = read(text).unwrap_err().to_string();
            assert!(said.contains(expected), "{said}");
        }
    }

    #[test]
    fn a_program_is_run_without_a_shell() {
        let command =
            r#"printf '{"Version": 1, "AccessKeyId": "%s", "SecretAccessKey": "s"}' '$x;'"#;
        assert_eq!(run(command).unwrap().access_key, "$x;");
        let failed = run("false").unwrap_err().to_string();
        assert!(failed.ends_with("custom-process: "), "{failed}");
        assert!(run("'unclosed").is_err());
        assert!(run("").is_err());
    }
}
