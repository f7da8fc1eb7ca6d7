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
