//! The environments there are, and which of them serves a request.

use std::ops::RangeInclusive;

use super::EnvironmentError;
use super::locked::ALL;
use super::python::Python;

/// A framework that AWS publishes images of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framework {
    /// scikit-learn.
    ScikitLearn,
    /// XGBoost, with its built-in algorithm.
    Xgboost,
    /// PyTorch.
    PyTorch,
}

impl Framework {
    /// As its makers write it.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::ScikitLearn => "scikit-learn",
            Self::Xgboost => "XGBoost",
            Self::PyTorch => "PyTorch",
        }
    }

    /// The Python module to import.
    pub(super) fn module(self) -> &'static str {
        match self {
            Self::ScikitLearn => "sklearn",
            Self::Xgboost => "xgboost",
            Self::PyTorch => "torch",
        }
    }
}

/// A framework's major and minor version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    major: u32,
    minor: u32,
}

impl Version {
    /// Version `major.minor`.
    #[must_use]
    pub const fn new(major: u32, minor: u32) -> Self {
        Self { major, minor }
    }
}

/// What a job asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// A framework in the version that an AWS image has.
    Version {
        /// The framework.
        framework: Framework,
        /// Its version.
        version: Version,
        /// The version as the image's tag has it.
        asked: String,
    },
    /// An environment by its name.
    Named(String),
}

impl Wanted {
    /// The framework and version as a person would say them.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Version {
                framework, asked, ..
            } => format!("{} {asked}", framework.title()),
            Self::Named(name) => name.clone(),
        }
    }
}

/// One pinned environment.
#[derive(Debug)]
pub(super) struct Environment {
    pub name: &'static str,
    pub purpose: Purpose,
    /// The minor versions of Python 3 that all its packages have builds for.
    pub pythons: RangeInclusive<u32>,
    /// Every package with its version, as `uv pip compile` wrote them.
    pub lock: &'static str,
}

/// What an environment is for.
#[derive(Debug)]
pub(super) enum Purpose {
    /// It stands in for a framework's images: its jobs are run by the toolkit.
    Image(Release),
    /// It serves Kiln itself, which starts what is in it.
    Tool {
        /// What must be possible to import.
        modules: &'static [&'static str],
    },
}

/// The framework of an environment.
#[derive(Debug)]
pub(super) struct Release {
    pub framework: Framework,
    pub version: Version,
    /// The exact release.
    pub name: &'static str,
}

/// The environment of this name on this Python, whatever it is for.
pub(super) fn named(name: &str, python: &Python) -> Result<&'static Environment, EnvironmentError> {
    let found = ALL.iter().find(|environment| environment.name == name);
    let found = found.ok_or_else(|| EnvironmentError::Unknown(name.to_owned()))?;
    found.if_it_runs(python)
}

/// The environment that serves `wanted` on this Python: the very version; or
/// the next newer one, which knows how to run older code; or the newest.
pub(super) fn choose(
    wanted: &Wanted,
    python: &Python,
) -> Result<&'static Environment, EnvironmentError> {
    match wanted {
        Wanted::Named(name) => match named(name, python) {
            Ok(Environment {
                purpose: Purpose::Tool { .. },
                ..
            }) => Err(EnvironmentError::Unknown(name.clone())),
            found => found,
        },
        Wanted::Version {
            framework, version, ..
        } => {
            let usable = || {
                ALL.iter().filter_map(|environment| {
                    let release = environment.release()?;
                    let serves = release.framework == *framework && environment.runs_on(python);
                    serves.then_some((environment, release))
                })
            };
            let found = usable()
                .find(|(_, release)| release.version >= *version)
                .or_else(|| usable().next_back());
            let found = found.map(|(environment, _)| environment);
            found.ok_or_else(|| no_python(&wanted.describe(), python))
        }
    }
}

fn no_python(wanted: &str, python: &Python) -> EnvironmentError {
    EnvironmentError::Python {
        wanted: wanted.to_owned(),
        python: python.version(),
    }
}

impl Environment {
    fn runs_on(&self, python: &Python) -> bool {
        self.pythons.contains(&python.minor)
    }

    fn if_it_runs(&self, python: &Python) -> Result<&Self, EnvironmentError> {
        let runs = self.runs_on(python).then_some(self);
        runs.ok_or_else(|| no_python(self.name, python))
    }

    /// Its framework, if it stands in for that one's images.
    pub fn release(&self) -> Option<&Release> {
        match &self.purpose {
            Purpose::Image(release) => Some(release),
            Purpose::Tool { .. } => None,
        }
    }

    /// What must be possible to import.
    pub fn modules(&self) -> Vec<&'static str> {
        match &self.purpose {
            Purpose::Image(release) => vec!["sagemaker_training", release.framework.module()],
            Purpose::Tool { modules } => modules.to_vec(),
        }
    }

    /// What the job's log should begin with: that the version is not the one
    /// asked for, when it is not.
    pub fn note(&self, wanted: &Wanted, python: &Python) -> Option<String> {
        let release = self.release()?;
        match wanted {
            Wanted::Version { version, .. } if *version != release.version => Some(format!(
                "Kiln: the image asks for {}; this environment has {} {} on Python {}.",
                wanted.describe(),
                release.framework.title(),
                release.name,
                python.version(),
            )),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn python(minor: u32) -> Python {
        Python {
            executable: "/usr/bin/python3".into(),
            prefix: "/usr".into(),
            minor,
        }
    }

    fn asked(framework: Framework, major: u32, minor: u32) -> Wanted {
        Wanted::Version {
            framework,
            version: Version::new(major, minor),
            asked: format!("{major}.{minor}-1"),
        }
    }

    #[test]
    fn each_version_goes_to_the_nearest_environment_that_the_python_can_carry() {
        use Framework::{PyTorch, ScikitLearn, Xgboost};
        let cases = [
            (asked(ScikitLearn, 1, 2), 11, Some("scikit-learn-1.2")),
            (asked(ScikitLearn, 1, 4), 11, Some("scikit-learn-1.4")),
            (asked(ScikitLearn, 0, 20), 11, Some("scikit-learn-1.2")),
            (asked(ScikitLearn, 1, 2), 12, Some("scikit-learn-1.4")),
            (asked(ScikitLearn, 1, 2), 13, Some("scikit-learn-1.7")),
            (asked(ScikitLearn, 2, 0), 11, Some("scikit-learn-1.7")),
            (asked(Xgboost, 1, 7), 11, Some("xgboost-1.7")),
            (asked(Xgboost, 1, 7), 13, Some("xgboost-3.0")),
            (asked(Xgboost, 3, 0), 11, Some("xgboost-3.0")),
            (asked(PyTorch, 1, 5), 11, Some("pytorch-2.8")),
            (asked(PyTorch, 2, 9), 11, Some("pytorch-2.8")),
            (asked(PyTorch, 2, 8), 14, None),
            (
                Wanted::Named("xgboost-1.7".to_owned()),
                11,
                Some("xgboost-1.7"),
            ),
            (Wanted::Named("xgboost-1.7".to_owned()), 13, None),
            (Wanted::Named("keras".to_owned()), 11, None),
            (Wanted::Named("compiler".to_owned()), 11, None),
        ];
        for (wanted, minor, expected) in cases {
            let chosen = choose(&wanted, &python(minor)).ok();
            assert_eq!(
                chosen.map(|found| found.name),
                expected,
                "{wanted:?} on 3.{minor}"
            );
        }
    }

    #[test]
    fn the_log_says_when_the_version_is_another() {
        let python = python(11);
        let same = asked(Framework::Xgboost, 3, 0);
        let other = asked(Framework::Xgboost, 1, 5);
        let note = |wanted| {
            choose(wanted, &python)
                .expect("an environment")
                .note(wanted, &python)
        };
        assert_eq!(note(&same), None);
        assert_eq!(
            note(&other).as_deref(),
            Some(
                "Kiln: the image asks for XGBoost 1.5-1; this environment has XGBoost 1.7.6 on Python 3.11."
            )
        );
    }

    #[test]
    fn an_environment_of_any_purpose_has_a_name() {
        let found = |name, minor| named(name, &python(minor)).map(|found| found.name);
        assert_eq!(found("compiler", 11).unwrap(), "compiler");
        assert_eq!(found("xgboost-3.0", 11).unwrap(), "xgboost-3.0");
        let unknown = found("keras", 11).unwrap_err();
        assert_eq!(
            unknown.to_string(),
            "there is no environment called \"keras\""
        );
        let too_new = found("compiler", 99).unwrap_err();
        assert!(
            matches!(&too_new, EnvironmentError::Python { wanted, .. } if wanted == "compiler")
        );
    }
}
