//! The files that Kiln adds to an environment.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::EnvironmentError;
use super::catalogue::Framework;

macro_rules! sources {
    ($($path:literal),+ $(,)?) => {
        &[$(($path, include_str!(concat!("../../../environments/python/", $path)))),+]
    };
}

/// Python files by their paths under `site-packages`.
pub(super) const SOURCES: &[(&str, &str)] = sources![
    "kiln_environment.pth",
    "kiln_environment/__init__.py",
    "kiln_environment/launch.py",
    "kiln_environment/overlay.py",
    "kiln_environment/xgboost/__init__.py",
    "kiln_environment/xgboost/channels.py",
    "kiln_environment/xgboost/data.py",
    "kiln_environment/xgboost/failure.py",
    "kiln_environment/xgboost/hyperparameters.py",
    "kiln_environment/xgboost/metrics.py",
    "kiln_environment/xgboost/training.py",
];

/// The `train` command, which takes the Python beside it.
pub(super) fn train_command(framework: Framework) -> String {
    let algorithm = match framework {
        Framework::Xgboost => " xgboost",
        Framework::ScikitLearn | Framework::PyTorch => "",
    };
    format!("#!/bin/sh\nexec \"${{0%/*}}/python\" -m kiln_environment.launch{algorithm}\n")
}

/// Writes them into the environment `home`.
pub(super) fn install(
    home: &Path,
    packages: &Path,
    framework: Framework,
) -> Result<(), EnvironmentError> {
    for (path, text) in SOURCES {
        write(packages.join(path), text)?;
    }
    let train = home.join("bin/train");
    // The toolkit's own command has this name and may share its file with
    // other environments.
    fs::remove_file(&train).map_err(EnvironmentError::io("removing", &train))?;
    write(train.clone(), &train_command(framework))?;
    fs::set_permissions(&train, fs::Permissions::from_mode(0o755))
        .map_err(EnvironmentError::io("setting the mode of", train))
}

fn write(path: PathBuf, text: &str) -> Result<(), EnvironmentError> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).map_err(EnvironmentError::io("creating", directory))?;
    }
    fs::write(&path, text).map_err(EnvironmentError::io("writing", path))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::process::Command;

    use super::*;

    const ENVIRONMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/environments");

    #[test]
    fn every_source_file_is_installed() {
        let root = Path::new(ENVIRONMENTS).join("python");
        let mut there = BTreeSet::new();
        let mut waiting = vec![root.clone()];
        while let Some(directory) = waiting.pop() {
            for entry in fs::read_dir(directory).expect("a directory") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    waiting.push(path);
                } else if path.extension().is_some_and(|kind| kind != "pyc") {
                    let name = path.strip_prefix(&root).expect("below the root");
                    there.insert(name.to_string_lossy().into_owned());
                }
            }
        }
        let installed = SOURCES.iter().map(|(path, _)| (*path).to_owned()).collect();
        assert_eq!(there, installed);
    }

    #[test]
    fn the_python_tests_pass_on_what_is_installed() {
        let home = tempfile::tempdir().expect("a directory");
        let packages = home.path().join("packages");
        fs::create_dir(home.path().join("bin")).expect("a directory");
        fs::write(home.path().join("bin/train"), "theirs").expect("a file");
        install(home.path(), &packages, Framework::Xgboost).expect("installed");
        let train = fs::read_to_string(home.path().join("bin/train")).expect("a file");
        assert!(
            train.ends_with("kiln_environment.launch xgboost\n"),
            "{train}"
        );

        let output = Command::new("python3")
            .args(["-m", "unittest", "discover", "--start-directory"])
            .arg(Path::new(ENVIRONMENTS).join("tests"))
            .env("PYTHONPATH", &packages)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .output()
            .expect("python3");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}");
        assert!(!text.contains("Ran 0 tests"), "{text}");
    }
}
