//! Creates an environment: uv first, then the packages of its lock, then
//! Kiln's own files where jobs run in it, and at last a look whether it works.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ring::digest;

use super::catalogue::{Environment, Purpose};
use super::python::Python;
use super::{EnvironmentError, index, sources, tool};
use crate::removal::remove_tree;
use crate::shelf::{Listener, Shelf};

/// The release of uv that creates environments.
const UV: &str = "0.13.8";

/// Where uv keeps what it does not clear away itself, in the environment.
const TEMPORARY: &str = "tmp";

/// Counts changes to this file that make environments differ.
const RECIPE: &str = "1";

/// Names the environment's directory after everything that goes into it, so
/// that a change of any of it makes a new one.
pub(super) fn directory_name(environment: &Environment, python: &Python) -> String {
    let mut hash = digest::Context::new(&digest::SHA256);
    let interpreter = python.executable.to_string_lossy();
    let (train, files) = match &environment.purpose {
        Purpose::Image(release) => (sources::train_command(release.framework), sources::SOURCES),
        Purpose::Tool { .. } => Default::default(),
    };
    let version = python.version();
    let parts = [RECIPE, UV, &interpreter, &version, environment.lock, &train];
    let files = files.iter().flat_map(|(path, text)| [*path, *text]);
    for part in parts.into_iter().chain(files) {
        hash.update(&(part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    let digest = hex::encode(&hash.finish().as_ref()[..6]);
    format!("{}-{digest}", environment.name)
}

/// Where an environment's packages are.
pub(super) fn packages(home: &Path, python: &Python) -> PathBuf {
    home.join(format!("lib/python{}/site-packages", python.version()))
}

/// Fills the empty directory `home` with the environment.
pub(super) fn create(
    environment: &Environment,
    python: &Python,
    tools: &Shelf,
    home: &Path,
    listener: Listener,
) -> Result<(), EnvironmentError> {
    listener(&format!(
        "Creating the environment {} on Python {} (once)",
        environment.name,
        python.version()
    ));
    let uv = Uv::install(python, tools, listener)?;
    uv.make_empty(home, python, listener)?;
    uv.install_packages(home, environment, listener)?;
    let temporary = home.join(TEMPORARY);
    remove_tree(&temporary).map_err(EnvironmentError::io("removing", &temporary))?;
    if let Purpose::Image(release) = &environment.purpose {
        let packages = packages(home, python);
        sources::install(home, &packages, release.framework)?;
        compile(home, &packages.join("kiln_environment"), listener)?;
    }
    check(home, environment, listener)
}

/// The tool that resolves nothing and installs fast.
struct Uv {
    executable: PathBuf,
    /// The user's index settings.
    settings: Vec<(&'static str, String)>,
}

impl Uv {
    /// Installs uv with pip unless it is there.
    fn install(
        python: &Python,
        tools: &Shelf,
        listener: Listener,
    ) -> Result<Self, EnvironmentError> {
        let home = tools.get_or_make(&format!("uv-{UV}"), listener, |home, listener| {
            listener(&format!("Installing uv {UV}"));
            let mut pip = pip(python);
            pip.args([
                "install",
                "--quiet",
                "--no-deps",
                "--no-warn-script-location",
            ])
            .arg("--target")
            .arg(home)
            .arg(format!("uv=={UV}"));
            tool::run(pip, "installing uv", listener)
        })?;
        Ok(Self {
            executable: home.join("bin/uv"),
            settings: index::settings(&pip_config(python), |name| std::env::var_os(name).is_some()),
        })
    }

    /// An empty environment whose scripts find their Python wherever it is moved.
    fn make_empty(
        &self,
        home: &Path,
        python: &Python,
        listener: Listener,
    ) -> Result<(), EnvironmentError> {
        let mut command = self.command(home);
        command
            .args([
                "venv",
                "--quiet",
                "--relocatable",
                "--allow-existing",
                "--python",
            ])
            .arg(&python.executable)
            .arg(home);
        tool::run(command, "creating the environment", listener)
    }

    fn install_packages(
        &self,
        home: &Path,
        environment: &Environment,
        listener: Listener,
    ) -> Result<(), EnvironmentError> {
        let temporary = home.join(TEMPORARY);
        fs::create_dir(&temporary).map_err(EnvironmentError::io("creating", &temporary))?;
        let lock = home.join("requirements.lock");
        fs::write(&lock, environment.lock).map_err(EnvironmentError::io("writing", &lock))?;
        let mut command = self.command(home);
        command
            .args(["pip", "sync", "--compile-bytecode", "--python"])
            .arg(home.join("bin/python"))
            .arg(&lock)
            .env("TMPDIR", &temporary);
        // After the summary uv lists every package; the lock does that as well.
        let mut brief = |line: &str| {
            if !line.starts_with(" + ") {
                listener(line);
            }
        };
        tool::run(command, "installing the packages", &mut brief)
    }

    /// uv in a directory where it finds no project's configuration.
    fn command(&self, home: &Path) -> Command {
        let mut command = Command::new(&self.executable);
        command
            .current_dir(home)
            .env_remove("VIRTUAL_ENV")
            .env("NO_COLOR", "1")
            .env("UV_PYTHON_DOWNLOADS", "never")
            .envs(self.settings.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// The pip of the machine's Python.
fn pip(python: &Python) -> Command {
    let mut command = Command::new(&python.executable);
    command
        .args(["-m", "pip"])
        .env("PIP_DISABLE_PIP_VERSION_CHECK", "1")
        .env("PIP_ROOT_USER_ACTION", "ignore");
    command
}

/// The user's settings; none when pip cannot say.
fn pip_config(python: &Python) -> String {
    let output = pip(python).args(["config", "list"]).output();
    output.map_or_else(
        |_| String::new(),
        |output| String::from_utf8_lossy(&output.stdout).into_owned(),
    )
}

/// Compiles Kiln's own files; nobody can write beside them later.
fn compile(home: &Path, package: &Path, listener: Listener) -> Result<(), EnvironmentError> {
    let mut command = Command::new(home.join("bin/python"));
    command.args(["-m", "compileall", "-q"]).arg(package);
    tool::run(command, "compiling the environment's own files", listener)
}

/// Imports what will be imported, so that a package which does not work on this
/// machine is found now and not by a job.
fn check(
    home: &Path,
    environment: &Environment,
    listener: Listener,
) -> Result<(), EnvironmentError> {
    let mut command = Command::new(home.join("bin/python"));
    command.args([
        "-c",
        &format!("import {}", environment.modules().join(", ")),
    ]);
    tool::run(command, "importing what was installed", listener)
}
