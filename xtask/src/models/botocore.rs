//! Finds an installed botocore and reads SageMaker's model out of it.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::read::GzDecoder;

use super::service::{ServiceModel, Source};
use super::{ModelsError, file_error};

const SERVICE: &str = "sagemaker/2017-07-24/service-2.json";

/// The directory of the botocore that python3 imports.
pub fn installed() -> Result<PathBuf, ModelsError> {
    let output = Command::new("python3")
        .args(["-c", "import botocore; print(botocore.__path__[0])"])
        .output()
        .map_err(|error| ModelsError::NoBotocore(error.to_string()))?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        let reason = message.lines().last().unwrap_or("it said nothing");
        return Err(ModelsError::NoBotocore(reason.to_owned()));
    }
    let path = String::from_utf8_lossy(&output.stdout);
    Ok(PathBuf::from(path.trim()))
}

/// SageMaker's model, with the version of the botocore that it comes from.
pub fn service_model(package: &Path) -> Result<ServiceModel, ModelsError> {
    let path = package.join("data").join(SERVICE);
    let bytes = read_plain_or_gzip(&path)?;
    let mut model: ServiceModel =
        serde_json::from_slice(&bytes).map_err(|source| ModelsError::Json { path, source })?;
    model.source = Source {
        botocore: version(package)?,
        file: SERVICE.to_owned(),
    };
    Ok(model)
}

/// Newer releases of botocore carry their models compressed.
fn read_plain_or_gzip(path: &Path) -> Result<Vec<u8>, ModelsError> {
    if path.exists() {
        return fs::read(path).map_err(file_error(path));
    }
    let packed = path.with_extension("json.gz");
    let mut bytes = Vec::new();
    File::open(&packed)
        .and_then(|file| GzDecoder::new(file).read_to_end(&mut bytes))
        .map_err(file_error(&packed))?;
    Ok(bytes)
}

fn version(package: &Path) -> Result<String, ModelsError> {
    let path = package.join("__init__.py");
    let source = fs::read_to_string(&path).map_err(file_error(&path))?;
    stated_version(&source).ok_or(ModelsError::NoVersion(path))
}

/// The value of `__version__ = '…'`.
fn stated_version(source: &str) -> Option<String> {
    source.lines().find_map(|line| {
        let value = line.strip_prefix("__version__")?.trim_start();
        let value = value.strip_prefix('=')?.trim();
        Some(value.trim_matches(['\'', '"']).to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_the_package() {
        let source = "import os\n\n__version__ = '1.43.11'\n";
        assert_eq!(stated_version(source).as_deref(), Some("1.43.11"));
        assert_eq!(stated_version("import os\n"), None);
    }
}
