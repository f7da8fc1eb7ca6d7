//! Environments: pinned Python environments, created when a job first needs them
//! and kept. Some stand in for AWS's framework images; others hold tools of
//! Kiln's own, such as its compilers.
//!
//! A container sees its environment read-only at the environment's own path.
//! Packages that a job installs go to a directory of the container's own.

mod catalogue;
mod creation;
mod error;
mod index;
mod locked;
mod python;
mod sources;
mod tool;

use std::path::{Path, PathBuf};

pub use catalogue::{Framework, Version, Wanted};
pub use error::EnvironmentError;

use crate::runtime::{ImageConfig, ResolvedImage, Root};
use crate::shelf::Shelf;
use catalogue::Environment;
use python::Python;

/// Where a container keeps the packages that its job installs. It lies in the
/// container's private `/opt`.
const OVERLAY: &str = "/opt/kiln";

/// Something to tell the person who waits for an environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress<'a> {
    /// The environment's name.
    pub environment: &'a str,
    /// What is being done.
    pub line: &'a str,
}

impl std::fmt::Display for Progress<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Kiln: {}: {}", self.environment, self.line)
    }
}

/// An environment that stands ready, for those who start its programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// Its own directory.
    pub home: PathBuf,
    /// The directory in it where its packages are.
    pub packages: PathBuf,
    /// The Python installation that it stands on, when that is no part of the
    /// system: who may see the environment must see it too.
    pub installation: Option<PathBuf>,
}

/// The environments of this machine.
#[derive(Debug)]
pub struct Environments {
    environments: Shelf,
    tools: Shelf,
    cache: PathBuf,
}

impl Environments {
    /// The environments kept under `cache`, which is made when it is needed.
    #[must_use]
    pub fn open(cache: &Path) -> Self {
        Self {
            environments: Shelf::new(cache.join("environments")),
            tools: Shelf::new(cache.join("tools")),
            cache: cache.to_owned(),
        }
    }

    /// The environment for `wanted`, created if it does not exist. This blocks,
    /// for minutes when much has to be downloaded, or while another process
    /// creates the same environment.
    ///
    /// # Errors
    /// When there is no such environment, no Python that carries it, or it
    /// cannot be created.
    pub fn prepare(
        &self,
        wanted: &Wanted,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<ResolvedImage, EnvironmentError> {
        let python = self.python()?;
        let environment = catalogue::choose(wanted, &python)?;
        let home = self.home(environment, &python, progress)?;
        let note = environment.note(wanted, &python);
        Ok(image(environment, home, &python, note))
    }

    /// The environment of this name, whatever it is for; created and waited for
    /// as [`Environments::prepare`] does it.
    ///
    /// # Errors
    /// When there is no such environment, no Python that carries it, or it
    /// cannot be created.
    pub fn prepare_named(
        &self,
        name: &str,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Prepared, EnvironmentError> {
        let python = self.python()?;
        let environment = catalogue::named(name, &python)?;
        let home = self.home(environment, &python, progress)?;
        Ok(Prepared {
            packages: creation::packages(&home, &python),
            home,
            installation: python.visible().map(Path::to_owned),
        })
    }

    fn python(&self) -> Result<Python, EnvironmentError> {
        std::fs::create_dir_all(&self.cache)
            .map_err(EnvironmentError::io("creating", &self.cache))?;
        Python::find(&self.cache.join("python.json"))
    }

    fn home(
        &self,
        environment: &Environment,
        python: &Python,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<PathBuf, EnvironmentError> {
        let mut listener = |line: &str| {
            progress(Progress {
                environment: environment.name,
                line,
            });
        };
        self.environments.get_or_make(
            &creation::directory_name(environment, python),
            &mut listener,
            |home, listener| creation::create(environment, python, &self.tools, home, listener),
        )
    }
}

/// The environment as an image.
fn image(
    environment: &Environment,
    home: PathBuf,
    python: &Python,
    note: Option<String>,
) -> ResolvedImage {
    let path = format!(
        "{OVERLAY}/bin:{}/bin:/usr/local/bin:/usr/bin:/bin",
        home.display()
    );
    let fixed = [
        ("PATH", path.as_str()),
        ("KILN_OVERLAY", OVERLAY),
        ("KILN_ENVIRONMENT", environment.name),
        ("LANG", "C.UTF-8"),
        ("PYTHONUNBUFFERED", "TRUE"),
        // Jobs share the processors, and a thread that spins at a barrier takes
        // them from the one it waits for.
        ("OMP_WAIT_POLICY", "PASSIVE"),
        ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
        ("PIP_ROOT_USER_ACTION", "ignore"),
    ];
    let mut env: Vec<_> = fixed
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let framework = environment.release().map(|release| release.framework);
    if framework == Some(Framework::PyTorch) {
        // AWS's image names it too: it knows the ways to start PyTorch on many hosts.
        let module = "sagemaker_pytorch_container.training:main";
        env.push(("SAGEMAKER_TRAINING_MODULE".to_owned(), module.to_owned()));
    }
    env.extend(note.map(|note| ("KILN_ENVIRONMENT_NOTE".to_owned(), note)));
    let mut visible = vec![home];
    visible.extend(python.visible().map(Path::to_owned));
    ResolvedImage {
        root: Root::System { visible },
        config: ImageConfig {
            env,
            ..ImageConfig::default()
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_shown_the_environment_and_its_python_and_nothing_else() {
        let python = Python {
            executable: "/opt/python/bin/python3.11".into(),
            prefix: "/opt/python".into(),
            minor: 11,
        };
        let wanted = Wanted::Named("xgboost-3.0".to_owned());
        let environment = catalogue::choose(&wanted, &python).expect("an environment");
        let image = image(environment, "/cache/x".into(), &python, None);
        let visible = vec!["/cache/x".into(), "/opt/python".into()];
        assert_eq!(image.root, Root::System { visible });
        let path = "/opt/kiln/bin:/cache/x/bin:/usr/local/bin:/usr/bin:/bin";
        assert!(
            image
                .config
                .env
                .contains(&("PATH".to_owned(), path.to_owned()))
        );
    }

    #[test]
    fn an_unknown_environment_is_refused_before_anything_is_made() {
        let cache = tempfile::tempdir().expect("a directory");
        let wanted = Wanted::Named("keras".to_owned());
        let refused = Environments::open(cache.path()).prepare(&wanted, &mut |_| ());
        assert!(matches!(refused, Err(EnvironmentError::Unknown(name)) if name == "keras"));
        assert!(!cache.path().join("environments").exists());
    }

    #[test]
    fn a_change_of_anything_in_it_makes_another_environment() {
        let python = |minor| Python {
            executable: "/usr/bin/python3".into(),
            prefix: "/usr".into(),
            minor,
        };
        let name = |wanted: &str, minor| {
            let python = python(minor);
            let wanted = Wanted::Named(wanted.to_owned());
            let environment = catalogue::choose(&wanted, &python).expect("an environment");
            creation::directory_name(environment, &python)
        };
        assert_eq!(name("xgboost-3.0", 11), name("xgboost-3.0", 11));
        assert_ne!(name("xgboost-3.0", 11), name("xgboost-3.0", 12));
        assert!(name("xgboost-3.0", 11).starts_with("xgboost-3.0-"));
    }
}
