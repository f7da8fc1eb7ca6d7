//! The contract of images that work on models in place of Kiln, which optimize or compile
//! them: what their containers find, and how they say why they failed. It is the one that
//! AWS's own images for large models keep, which know it as that of SageMaker Neo.

pub(crate) mod words;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use kiln_data::upload::look_at;
use serde::Deserialize;

use crate::failure::LONGEST_REASON;
use crate::left;
use crate::plan::Keys;
use crate::runtime::Mount;

/// The variable that tells a compiler its options, as JSON.
pub(crate) const COMPILER_OPTIONS: &str = "COMPILER_OPTIONS";

const INPUT: &str = "/opt/ml/model/input";
const COMPILED: &str = "/opt/ml/model/compiled";
const ERRORS: &str = "/opt/ml/compilation/errors";
const ERROR_FILE: &str = "errors.json";
const CACHE: &str = "/opt/ml/compilation/cache";

/// The longest account of a failure that is read.
const LONGEST_ACCOUNT: u64 = 64 << 10;

/// The host's side of the directories that the contract names.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// The model's files.
    pub(crate) given: PathBuf,
    /// What the container makes of them.
    pub(crate) made: PathBuf,
    /// Where it leaves why it failed.
    pub(crate) errors: PathBuf,
    /// Where it may write besides.
    pub(crate) cache: PathBuf,
}

/// The container's variables: the contract's, those of its own over them, and, where it
/// has a way to the control plane, what the code in it needs to reach the data.
pub(crate) fn environment(
    own: &BTreeMap<String, String>,
    region: &str,
    access: Option<(&Keys, &str)>,
) -> Vec<(String, String)> {
    let error_file = format!("{ERRORS}/{ERROR_FILE}");
    let fixed = [
        ("SM_NEO_EXECUTION_CONTEXT", "1"),
        ("SM_NEO_INPUT_MODEL_DIR", INPUT),
        ("SM_NEO_COMPILED_MODEL_DIR", COMPILED),
        ("SM_NEO_COMPILATION_ERROR_FILE", &error_file),
        ("SM_NEO_CACHE_DIR", CACHE),
        ("SM_NEO_HF_CACHE_DIR", CACHE),
        (COMPILER_OPTIONS, "{}"),
        ("AWS_REGION", region),
        ("AWS_DEFAULT_REGION", region),
    ];
    let given = fixed
        .into_iter()
        .filter(|(name, _)| !own.contains_key(*name))
        .chain(
            own.iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
        );
    let keys = access.map(|(keys, endpoint)| {
        [
            ("AWS_ACCESS_KEY_ID", keys.access_key.as_str()),
            ("AWS_SECRET_ACCESS_KEY", &keys.secret_key),
            ("AWS_SESSION_TOKEN", &keys.session_token),
            ("AWS_ENDPOINT_URL", endpoint),
            ("S3_ENDPOINT_URL", endpoint),
        ]
    });
    given
        .chain(keys.into_iter().flatten())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// The directories that the container sees. The model stays as it is for whoever goes
/// on after a crash.
pub(crate) fn mounts(places: Places) -> Vec<Mount> {
    let mount = |source, target: &str, read_only| Mount {
        source,
        target: target.into(),
        read_only,
    };
    vec![
        mount(places.given, INPUT, true),
        mount(places.made, COMPILED, false),
        mount(places.errors, ERRORS, false),
        mount(places.cache, CACHE, false),
    ]
}

/// The reason when a container ended well and left no file in the directory for what it
/// makes.
pub(crate) fn of_nothing(image: &str, made: &Path) -> Option<String> {
    let reason = || {
        let reason = format!(
            "ClientError: The container of {image} ended with exit code 0 and left no file in \
             {COMPILED}"
        );
        reason.chars().take(LONGEST_REASON).collect()
    };
    let is_empty = look_at(made).is_ok_and(|made| made.files.is_empty());
    is_empty.then(reason)
}

#[derive(Deserialize)]
struct Account {
    error: String,
}

/// What the container says why it failed, on one line, if it has said anything.
pub(crate) fn read_error(errors: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    left::open(errors, ERROR_FILE)
        .ok()?
        .take(LONGEST_ACCOUNT)
        .read_to_end(&mut bytes)
        .ok()?;
    let text = match serde_json::from_slice::<Account>(&bytes) {
        Ok(account) => account.error,
        Err(_) => String::from_utf8_lossy(&bytes).into_owned(),
    };
    let line = on_one_line(&text);
    (!line.is_empty()).then_some(line)
}

/// A text without what does not belong in a reason, and no longer than one may be.
pub(crate) fn on_one_line(text: &str) -> String {
    let words = text.split(|letter: char| letter.is_whitespace() || letter.is_control());
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    words.join(" ").chars().take(LONGEST_REASON).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::sample;

    fn variables(own: &[(&str, &str)], endpoint: Option<&str>) -> BTreeMap<String, String> {
        let own = own.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        let keys = sample::optimization().keys;
        let access = endpoint.map(|endpoint| (&keys, endpoint));
        let all = environment(&own.collect(), "eu-west-1", access);
        let count = all.len();
        let all: BTreeMap<_, _> = all.into_iter().collect();
        assert_eq!(all.len(), count, "a name is there twice");
        all
    }

    #[test]
    fn a_container_finds_the_contract_and_its_own_over_it() {
        let own = [
            ("OPTION_QUANTIZE", "fp8"),
            ("COMPILER_OPTIONS", "{\"a\": 1}"),
        ];
        let all = variables(&own, Some("http://10.0.0.1:1"));
        for (name, value) in [
            ("SM_NEO_EXECUTION_CONTEXT", "1"),
            ("SM_NEO_INPUT_MODEL_DIR", "/opt/ml/model/input"),
            ("SM_NEO_COMPILED_MODEL_DIR", "/opt/ml/model/compiled"),
            (
                "SM_NEO_COMPILATION_ERROR_FILE",
                "/opt/ml/compilation/errors/errors.json",
            ),
            ("SM_NEO_CACHE_DIR", "/opt/ml/compilation/cache"),
            ("SM_NEO_HF_CACHE_DIR", "/opt/ml/compilation/cache"),
            ("COMPILER_OPTIONS", "{\"a\": 1}"),
            ("OPTION_QUANTIZE", "fp8"),
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ACCESS_KEY_ID", "AKIA"),
            ("AWS_ENDPOINT_URL", "http://10.0.0.1:1"),
        ] {
            assert_eq!(all.get(name).map(String::as_str), Some(value), "{name}");
        }
    }

    #[test]
    fn without_a_way_to_the_store_there_are_no_keys() {
        let all = variables(&[], None);
        assert!(!all.keys().any(|name| name.contains("SECRET")));
    }

    #[test]
    fn an_error_is_read_from_json_or_as_it_stands() {
        let cases = [
            (
                r#"{"error": "Fatal('no\n such')"}"#,
                Some("Fatal('no such')"),
            ),
            ("Traceback\n\x1b[31mred", Some("Traceback [31mred")),
            (r#"{"error": " \n"}"#, None),
            (r#"{"other": 1}"#, Some(r#"{"other": 1}"#)),
            ("", None),
        ];
        for (text, expected) in cases {
            let place = tempfile::tempdir().unwrap();
            assert_eq!(read_error(place.path()), None);
            std::fs::write(place.path().join(ERROR_FILE), text).unwrap();
            assert_eq!(read_error(place.path()).as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn an_error_is_no_longer_than_a_reason_and_no_link_leads_to_one() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join(ERROR_FILE);
        std::fs::write(&path, format!("{{\"error\": \"{}\"}}", "é".repeat(3000))).unwrap();
        assert_eq!(
            read_error(place.path()).unwrap().chars().count(),
            LONGEST_REASON
        );
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
        assert_eq!(read_error(place.path()), None);
    }

    #[test]
    fn a_container_that_made_nothing_has_failed() {
        let place = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc/passwd", place.path().join("link")).unwrap();
        let expected = "ClientError: The container of i:1 ended with exit code 0 and left no file \
                        in /opt/ml/model/compiled";
        let reason = of_nothing("i:1", place.path());
        assert_eq!(reason.as_deref(), Some(expected));
        std::fs::write(place.path().join("file"), "").unwrap();
        assert_eq!(of_nothing("i:1", place.path()), None);
    }
}
