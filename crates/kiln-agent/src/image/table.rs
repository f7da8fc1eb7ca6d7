//! What an image's name stands for: additions from the configuration first, then
//! the names under which AWS publishes its framework images.

use serde::{Deserialize, Serialize};

use super::environment::{Framework, Version, Wanted};

/// An addition to the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "WrittenEntry", into = "WrittenEntry")]
pub struct Entry {
    /// The image's name as requests spell it; `*` stands for any characters and
    /// `?` for one.
    pub pattern: String,
    /// What it stands for.
    pub target: Target,
}

/// An addition as configuration writes it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenEntry {
    pattern: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    engine: Option<String>,
}

/// An addition that says nothing, or too much, about what it stands for.
#[derive(Debug, thiserror::Error)]
#[error("an [[image]] entry needs exactly one of environment, image and engine beside its pattern")]
struct NotOneTarget;

impl TryFrom<WrittenEntry> for Entry {
    type Error = NotOneTarget;

    fn try_from(written: WrittenEntry) -> Result<Self, NotOneTarget> {
        let WrittenEntry {
            pattern,
            environment,
            image,
            engine,
        } = written;
        let target = match (environment, image, engine) {
            (Some(name), None, None) => Target::Environment(name),
            (None, Some(name), None) => Target::Image(name),
            (None, None, Some(name)) => Target::Engine(name),
            _ => return Err(NotOneTarget),
        };
        Ok(Self { pattern, target })
    }
}

impl From<Entry> for WrittenEntry {
    fn from(entry: Entry) -> Self {
        let mut written = Self {
            pattern: entry.pattern,
            environment: None,
            image: None,
            engine: None,
        };
        match entry.target {
            Target::Environment(name) => written.environment = Some(name),
            Target::Image(name) => written.image = Some(name),
            Target::Engine(name) => written.engine = Some(name),
        }
        written
    }
}

/// What runs when an image is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A framework environment by its name, such as `xgboost-3.0`.
    Environment(String),
    /// An image registered on this machine.
    Image(String),
    /// An image by the name that the container engine knows it by.
    Engine(String),
}

/// What was found for a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// A framework environment.
    Environment(Wanted),
    /// An image registered on this machine.
    Image(String),
    /// An image of the container engine.
    Engine(String),
}

/// What the first addition that matches an image's name says it stands for.
#[must_use]
pub fn configured(additions: &[Entry], uri: &str) -> Option<Meaning> {
    let entry = additions
        .iter()
        .find(|entry| matches(&entry.pattern, uri))?;
    Some(match &entry.target {
        Target::Environment(name) => Meaning::Environment(Wanted::Named(name.clone())),
        Target::Image(name) => Meaning::Image(name.clone()),
        Target::Engine(name) => Meaning::Engine(name.clone()),
    })
}

/// Whether `name` fits `pattern`, as a shell would say.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    // Where to resume when the characters behind the last `*` do not fit.
    let mut resume = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                resume = Some((p, n));
                p += 1;
            }
            Some(&wanted) if wanted == '?' || wanted == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match resume {
                Some((star, taken)) => {
                    resume = Some((star, taken + 1));
                    p = star + 1;
                    n = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&rest| rest == '*')
}

/// The framework and version of an AWS framework image, from any of the
/// accounts and regions that publish it.
#[must_use]
pub fn framework_image(uri: &str) -> Option<Wanted> {
    let (registry, image) = uri.split_once('/')?;
    if !is_ecr(registry) {
        return None;
    }
    let (repository, tag) = image.split_once(':')?;
    let framework = match repository {
        "sagemaker-scikit-learn" => Framework::ScikitLearn,
        "sagemaker-xgboost" | "xgboost" => Framework::Xgboost,
        "pytorch-training" | "sagemaker-pytorch" => Framework::PyTorch,
        _ => return None,
    };
    let (asked, version) = if repository == "xgboost" {
        // The first XGBoost image is tagged by its own revision, `1` or `latest`.
        ("0.72".to_owned(), Version::new(0, 72))
    } else {
        version(tag)?
    };
    Some(Wanted::Version {
        framework,
        version,
        asked,
    })
}

/// Whether a registry is `<account>.dkr.ecr.<region>.<suffix>`. The suffix
/// differs from partition to partition.
fn is_ecr(registry: &str) -> bool {
    let mut labels = registry.split('.');
    let account = labels.next().unwrap_or_default();
    account.len() == 12
        && account.bytes().all(|digit| digit.is_ascii_digit())
        && labels.next() == Some("dkr")
        && matches!(labels.next(), Some("ecr" | "ecr-fips"))
        && labels.clone().count() >= 3
        && labels.all(|label| !label.is_empty())
}

/// The version in a tag such as `1.2-1-cpu-py3` or `2.8.0-gpu-py312-cu129-ubuntu22.04-sagemaker`:
/// as the tag has it, the image's revision included, and as numbers.
fn version(tag: &str) -> Option<(String, Version)> {
    let mut parts = tag.split('-');
    let release = parts.next()?;
    let mut numbers = release.split('.').map(str::parse);
    let version = Version::new(numbers.next()?.ok()?, numbers.next()?.ok()?);
    if numbers.any(|number| number.is_err()) {
        return None;
    }
    let revision = parts
        .next()
        .filter(|part| part.bytes().all(|digit| digit.is_ascii_digit()) && !part.is_empty());
    let asked = match revision {
        Some(revision) => format!("{release}-{revision}"),
        None => release.to_owned(),
    };
    Some((asked, version))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The additions first, then the framework images, as jobs have it.
    fn look_up(additions: &[Entry], uri: &str) -> Option<Meaning> {
        configured(additions, uri).or_else(|| framework_image(uri).map(Meaning::Environment))
    }

    fn wanted(framework: Framework, major: u32, minor: u32, asked: &str) -> Option<Meaning> {
        Some(Meaning::Environment(Wanted::Version {
            framework,
            version: Version::new(major, minor),
            asked: asked.to_owned(),
        }))
    }

    #[test]
    fn the_names_that_the_sdk_produces_are_known() {
        use Framework::{PyTorch, ScikitLearn, Xgboost};
        let cases = [
            (
                "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3",
                wanted(ScikitLearn, 1, 2, "1.2-1"),
            ),
            (
                "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-scikit-learn:0.20.0-cpu-py3",
                wanted(ScikitLearn, 0, 20, "0.20.0"),
            ),
            (
                "450853457545.dkr.ecr.cn-north-1.amazonaws.com.cn/sagemaker-xgboost:1.7-1",
                wanted(Xgboost, 1, 7, "1.7-1"),
            ),
            (
                "246618743249.dkr.ecr.us-west-2.amazonaws.com/sagemaker-xgboost:3.0-5",
                wanted(Xgboost, 3, 0, "3.0-5"),
            ),
            (
                "811284229777.dkr.ecr.us-east-1.amazonaws.com/xgboost:1",
                wanted(Xgboost, 0, 72, "0.72"),
            ),
            (
                "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2.8.0-cpu-py312-ubuntu22.04-sagemaker",
                wanted(PyTorch, 2, 8, "2.8.0"),
            ),
            (
                "520713654638.dkr.ecr.us-west-2.amazonaws.com/sagemaker-pytorch:1.1.0-gpu-py3",
                wanted(PyTorch, 1, 1, "1.1.0"),
            ),
            (
                "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-inference:2.8.0-cpu-py312",
                None,
            ),
            (
                "123456789012.dkr.ecr.us-east-1.amazonaws.com/my:latest",
                None,
            ),
            (
                "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn",
                None,
            ),
            (
                "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:latest",
                None,
            ),
            ("docker.io/sagemaker-xgboost:1.7-1", None),
            ("sagemaker-xgboost:1.7-1", None),
            ("python:3.11", None),
            ("", None),
        ];
        for (uri, expected) in cases {
            assert_eq!(look_up(&[], uri), expected, "{uri}");
        }
    }

    fn entry(pattern: &str, target: Target) -> Entry {
        Entry {
            pattern: pattern.to_owned(),
            target,
        }
    }

    #[test]
    fn additions_win_over_the_built_in_names_and_the_first_match_wins() {
        let additions = [
            entry(
                "*/sagemaker-xgboost:1.7-*",
                Target::Image("ours".to_owned()),
            ),
            entry(
                "*/sagemaker-xgboost:*",
                Target::Environment("xgboost-3.0".to_owned()),
            ),
            entry("busybox", Target::Engine("busybox:stable".to_owned())),
        ];
        let registry = "683313688378.dkr.ecr.us-east-1.amazonaws.com";
        let cases = [
            (
                format!("{registry}/sagemaker-xgboost:1.7-1"),
                Some(Meaning::Image("ours".to_owned())),
            ),
            (
                format!("{registry}/sagemaker-xgboost:1.5-1"),
                Some(Meaning::Environment(Wanted::Named(
                    "xgboost-3.0".to_owned(),
                ))),
            ),
            (
                "busybox".to_owned(),
                Some(Meaning::Engine("busybox:stable".to_owned())),
            ),
            ("busybox:1".to_owned(), None),
        ];
        for (uri, expected) in cases {
            assert_eq!(look_up(&additions, &uri), expected, "{uri}");
        }
    }

    #[test]
    fn patterns_match_as_in_a_shell() {
        let cases = [
            ("a", "a", true),
            ("a", "b", false),
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abcb", false),
            ("*ab*ab", "abcabab", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("", "a", false),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn an_entry_is_one_flat_record() {
        let text = r#"{"pattern":"a*","environment":"xgboost-3.0"}"#;
        let read: Entry = serde_json::from_str(text).expect("an entry");
        assert_eq!(
            read,
            entry("a*", Target::Environment("xgboost-3.0".to_owned()))
        );
        assert_eq!(serde_json::to_string(&read).expect("text"), text);
    }

    proptest! {
        #[test]
        fn any_text_is_looked_up_without_panic(uri in ".*", pattern in "[a*?]{0,8}") {
            let _ = framework_image(&uri);
            let _ = matches(&pattern, &uri);
        }

        #[test]
        fn any_account_and_region_will_do(
            account in "[0-9]{12}",
            region in "[a-z]{2}-[a-z]{4,9}-[1-9]",
            china in any::<bool>(),
            (major, minor, revision) in (0u32..9, 0u32..99, 1u32..9),
        ) {
            let suffix = if china { "amazonaws.com.cn" } else { "amazonaws.com" };
            let asked = format!("{major}.{minor}-{revision}");
            let uri = format!("{account}.dkr.ecr.{region}.{suffix}/sagemaker-xgboost:{asked}");
            prop_assert_eq!(look_up(&[], &uri), wanted(Framework::Xgboost, major, minor, &asked));
        }

        #[test]
        fn a_star_takes_anything(start in "[a-z/:.]{0,6}", middle in ".{0,12}", end in "[a-z/:.]{0,6}") {
            let pattern = format!("{start}*{end}");
            let name = format!("{start}{middle}{end}");
            prop_assert!(matches(&pattern, &name));
        }
    }
}
