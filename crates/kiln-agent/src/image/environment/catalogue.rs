//! The environments there are, and which of them serves a request.

use std::ops::RangeInclusive;

use super::EnvironmentError;
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
    pub framework: Framework,
    pub version: Version,
    /// The framework's exact release.
    pub release: &'static str,
    /// The minor versions of Python 3 that all its packages have builds for.
    pub pythons: RangeInclusive<u32>,
    /// Every package with its version, as `uv pip compile` wrote them.
    pub lock: &'static str,
}

macro_rules! lock {
    ($name:literal) => {
        include_str!(concat!("../../../environments/locks/", $name, ".lock"))
    };
}

/// All environments, each framework's from old to new.
static ALL: [Environment; 6] = [
    Environment {
        name: "scikit-learn-1.2",
        framework: Framework::ScikitLearn,
        version: Version::new(1, 2),
        release: "1.2.1",
        pythons: 10..=11,
        lock: lock!("scikit-learn-1.2"),
    },
    Environment {
        name: "scikit-learn-1.4",
        framework: Framework::ScikitLearn,
        version: Version::new(1, 4),
        release: "1.4.2",
        pythons: 10..=12,
        lock: lock!("scikit-learn-1.4"),
    },
    Environment {
        name: "scikit-learn-1.7",
        framework: Framework::ScikitLearn,
        version: Version::new(1, 7),
        release: "1.7.2",
        pythons: 10..=13,
        lock: lock!("scikit-learn-1.7"),
    },
    Environment {
        name: "xgboost-1.7",
        framework: Framework::Xgboost,
        version: Version::new(1, 7),
        release: "1.7.6",
        pythons: 10..=11,
        lock: lock!("xgboost-1.7"),
    },
    Environment {
        name: "xgboost-3.0",
        framework: Framework::Xgboost,
        version: Version::new(3, 0),
        release: "3.0.5",
        pythons: 10..=13,
        lock: lock!("xgboost-3.0"),
    },
    Environment {
        name: "pytorch-2.8",
        framework: Framework::PyTorch,
        version: Version::new(2, 8),
        release: "2.8.0",
        pythons: 10..=13,
        lock: lock!("pytorch-2.8"),
    },
];

/// The environment that serves `wanted` on this Python: the very version; or
/// the next newer one, which knows how to run older code; or the newest.
pub(super) fn choose(
    wanted: &Wanted,
    python: &Python,
) -> Result<&'static Environment, EnvironmentError> {
    let found = match wanted {
        Wanted::Named(name) => {
            let named = ALL.iter().find(|environment| environment.name == name);
            named
                .ok_or_else(|| EnvironmentError::Unknown(name.clone()))
                .map(|environment| environment.runs_on(python).then_some(environment))?
        }
        Wanted::Version {
            framework, version, ..
        } => {
            let usable = || {
                ALL.iter().filter(|environment| {
                    environment.framework == *framework && environment.runs_on(python)
                })
            };
            usable()
                .find(|environment| environment.version >= *version)
                .or_else(|| usable().next_back())
        }
    };
    found.ok_or_else(|| EnvironmentError::Python {
        wanted: wanted.describe(),
        python: python.version(),
    })
}

impl Environment {
    fn runs_on(&self, python: &Python) -> bool {
        self.pythons.contains(&python.minor)
    }

    /// What the job's log should begin with: that the version is not the one
    /// asked for, when it is not.
    pub fn note(&self, wanted: &Wanted, python: &Python) -> Option<String> {
        match wanted {
            Wanted::Version { version, .. } if *version != self.version => Some(format!(
                "Kiln: the image asks for {}; this environment has {} {} on Python {}.",
                wanted.describe(),
                self.framework.title(),
                self.release,
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
    fn every_lock_pins_the_framework_and_the_toolkit() {
        for environment in &ALL {
            let package = match environment.framework {
                Framework::ScikitLearn => "scikit-learn",
                Framework::Xgboost if environment.name == "xgboost-3.0" => "xgboost-cpu",
                Framework::Xgboost => "xgboost",
                Framework::PyTorch => "torch",
            };
            let pinned = |name: &str, version: &str| {
                environment
                    .lock
                    .lines()
                    .any(|line| line == format!("{name}=={version}"))
            };
            assert!(pinned(package, environment.release), "{}", environment.name);
            assert!(
                pinned("sagemaker-training", "5.1.4"),
                "{}",
                environment.name
            );
            let packages = environment
                .lock
                .lines()
                .filter(|line| !line.starts_with('#'));
            assert!(packages.clone().count() > 30);
            assert!(
                packages.clone().all(|line| line.contains("==")),
                "{}",
                environment.name
            );
        }
    }
}
