//! The options that every operation has.

use crate::failure::Failure;
use crate::flags::{Flag, Parsed, Takes};
use crate::query::Query;

/// The forms of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    Json,
    Text,
    Table,
    Yaml,
    YamlStream,
}

/// When tables have colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Color {
    On,
    Off,
    Auto,
}

/// Whether missing parameters are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AutoPrompt {
    On,
    Off,
    /// As the environment or the profile says.
    Unsaid,
}

/// The global options of an invocation.
#[derive(Debug)]
pub(crate) struct Globals {
    pub(crate) debug: bool,
    pub(crate) endpoint_url: Option<String>,
    pub(crate) verify_ssl: bool,
    pub(crate) paginate: bool,
    pub(crate) output: Option<Output>,
    pub(crate) query: Option<Query>,
    pub(crate) profile: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) color: Color,
    pub(crate) sign: bool,
    pub(crate) ca_bundle: Option<String>,
    /// In seconds; none for no limit.
    pub(crate) read_timeout: Option<u64>,
    pub(crate) connect_timeout: Option<u64>,
    pub(crate) auto_prompt: AutoPrompt,
}

/// The seconds that the AWS CLI waits, for a connection and for an answer.
const TIMEOUT: u64 = 60;

/// What `--version` prints.
pub(crate) const VERSION: &str = concat!("kiln/", env!("CARGO_PKG_VERSION"));

/// The global options, as a parser knows them.
pub(crate) fn flags() -> Vec<Flag> {
    let outputs = Takes::Choice(&["json", "text", "table", "yaml", "yaml-stream"]);
    let formats = Takes::Choice(&["base64", "raw-in-base64-out"]);
    [
        ("--debug", Takes::Nothing),
        ("--endpoint-url", Takes::Word),
        ("--no-verify-ssl", Takes::Nothing),
        ("--no-paginate", Takes::Nothing),
        ("--output", outputs),
        ("--query", Takes::Word),
        ("--profile", Takes::Word),
        ("--region", Takes::Word),
        ("--version", Takes::Nothing),
        ("--color", Takes::Choice(&["on", "off", "auto"])),
        ("--no-sign-request", Takes::Nothing),
        ("--ca-bundle", Takes::Word),
        ("--cli-read-timeout", Takes::Word),
        ("--cli-connect-timeout", Takes::Word),
        ("--cli-binary-format", formats),
        ("--no-cli-pager", Takes::Nothing),
        ("--cli-auto-prompt", Takes::Nothing),
        ("--no-cli-auto-prompt", Takes::Nothing),
    ]
    .into_iter()
    .map(|(name, takes)| Flag::new(name, takes))
    .collect()
}

impl Globals {
    /// Reads the options that were given.
    pub(crate) fn read(parsed: &Parsed) -> Result<Self, Failure> {
        let given = |name: &str| parsed.words(name).is_some();
        let word = |name: &str| parsed.word(name).map(str::to_owned);
        let endpoint_url = word("--endpoint-url");
        Ok(Self {
            query: parsed.word("--query").map(query).transpose()?,
            endpoint_url: endpoint_url.map(endpoint).transpose()?,
            debug: given("--debug"),
            verify_ssl: !given("--no-verify-ssl"),
            paginate: !given("--no-paginate"),
            output: parsed.word("--output").and_then(Output::named),
            // An empty one is what a script's unset variable leaves.
            profile: word("--profile").filter(|name| !name.is_empty()),
            region: word("--region"),
            color: match parsed.word("--color") {
                Some("on") => Color::On,
                Some("off") => Color::Off,
                _ => Color::Auto,
            },
            sign: !given("--no-sign-request"),
            ca_bundle: word("--ca-bundle"),
            read_timeout: timeout("read", parsed.word("--cli-read-timeout"))?,
            connect_timeout: timeout("connect", parsed.word("--cli-connect-timeout"))?,
            auto_prompt: match (given("--cli-auto-prompt"), given("--no-cli-auto-prompt")) {
                (true, true) => return Err(both_ways()),
                (true, false) => AutoPrompt::On,
                (false, true) => AutoPrompt::Off,
                (false, false) => AutoPrompt::Unsaid,
            },
        })
    }
}

impl Output {
    /// The form with a name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "json" => Self::Json,
            "text" => Self::Text,
            "table" => Self::Table,
            "yaml" => Self::Yaml,
            "yaml-stream" => Self::YamlStream,
            _ => return None,
        })
    }
}

fn query(expression: &str) -> Result<Query, Failure> {
    Query::parse(expression)
        .map_err(|error| Failure::Parameter(format!("Bad value for --query {expression}: {error}")))
}

fn endpoint(url: String) -> Result<String, Failure> {
    let scheme = url.split_once(':').map(|(scheme, _)| scheme);
    let valid = |scheme: &str| {
        scheme.starts_with(|letter: char| letter.is_ascii_alphabetic())
            && scheme
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || "+-.".contains(letter))
    };
    if scheme.is_some_and(valid) {
        return Ok(url);
    }
    Err(Failure::Parameter(format!(
        "Bad value for --endpoint-url \"{url}\": scheme is missing.  Must be of the form \
         http://<hostname>/ or https://<hostname>/"
    )))
}

fn both_ways() -> Failure {
    Failure::Parameter(
        "Both --cli-auto-prompt and --no-cli-auto-prompt cannot be specified at the same time."
            .to_owned(),
    )
}

fn timeout(which: &str, word: Option<&str>) -> Result<Option<u64>, Failure> {
    let Some(word) = word else {
        return Ok(Some(TIMEOUT));
    };
    let seconds: i64 = word.trim().parse().map_err(|_| not_whole(word))?;
    let seconds = u64::try_from(seconds).map_err(|_| {
        Failure::General(format!(
            "Attempted to set {which} timeout to {seconds}, but the timeout cannot be set to a \
             value less than or equal to 0."
        ))
    })?;
    Ok((seconds > 0).then_some(seconds))
}

/// Python's words for text that is no whole number. To the AWS CLI they are no words
/// of its own about a parameter.
pub(crate) fn not_whole(word: &str) -> Failure {
    let word = crate::python::quoted(word);
    Failure::General(format!("invalid literal for int() with base 10: {word}"))
}
