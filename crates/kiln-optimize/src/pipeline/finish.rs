//! All of a result but the weights: the index, `config.json`, `serving.properties`, and
//! what is carried over from the model.

use std::fs;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use crate::OptimizeError;
use crate::model::Model;
use crate::options::Properties;

/// The index of weights in several files.
pub const INDEX: &str = "model.safetensors.index.json";
/// Bytes of `serving.properties` that are looked at.
const LONGEST_PROPERTIES: u64 = 1 << 20;
/// The file that loaders take without an index.
const ONLY: &str = "model.safetensors";

/// Writes the index, unless the only file is found without it. `places` are names of
/// tensors with their files, told anew each time: there may be very many.
pub fn write_index<'a, I>(
    directory: &Path,
    total_size: u64,
    places: impl Fn() -> I,
) -> Result<(), OptimizeError>
where
    I: Iterator<Item = (String, &'a str)>,
{
    if places().all(|(_, file)| file == ONLY) {
        return Ok(());
    }
    let index = Index {
        metadata: json!({ "total_size": total_size }),
        weight_map: WeightMap(places),
    };
    write_json(&directory.join(INDEX), &index)
}

/// The index.
#[derive(Serialize)]
struct Index<M> {
    metadata: Value,
    weight_map: M,
}

/// The names of tensors with their files.
struct WeightMap<F>(F);

impl<'a, F, I> Serialize for WeightMap<F>
where
    F: Fn() -> I,
    I: Iterator<Item = (String, &'a str)>,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map((self.0)())
    }
}

/// Writes `config.json`.
pub fn write_config(directory: &Path, config: Map<String, Value>) -> Result<(), OptimizeError> {
    write_json(&directory.join("config.json"), &Value::Object(config))
}

/// Writes `serving.properties`, if it says anything.
pub fn write_properties(directory: &Path, properties: &Properties) -> Result<(), OptimizeError> {
    if properties.is_empty() {
        return Ok(());
    }
    write(&directory.join(Properties::FILE), properties.to_string())
}

/// The model's own `serving.properties`; one that it does not have says nothing.
pub fn read_properties(model: &Path) -> Result<Properties, OptimizeError> {
    let path = model.join(Properties::FILE);
    let read = || -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        fs::File::open(&path)?
            .take(LONGEST_PROPERTIES)
            .read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    match read() {
        Ok(bytes) => Ok(Properties::read(&String::from_utf8_lossy(&bytes))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Properties::default()),
        Err(error) => Err(OptimizeError::read(path)(error)),
    }
}

/// Copies the files that the result has as they are, and replaces none that was made.
pub fn carry(model: &Model, directory: &Path) -> Result<(), OptimizeError> {
    for name in carried(model) {
        let (from, to) = (model.directory().join(name), directory.join(name));
        if to.exists() {
            continue;
        }
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).map_err(OptimizeError::written(parent))?;
        }
        fs::copy(&from, &to).map_err(OptimizeError::written(to))?;
    }
    Ok(())
}

/// Bytes of the files that are carried over.
pub fn carried_bytes(model: &Model) -> Result<u64, OptimizeError> {
    let mut total = 0;
    for name in carried(model) {
        let path = model.directory().join(name);
        total += fs::metadata(&path)
            .map_err(OptimizeError::read(path))?
            .len();
    }
    Ok(total)
}

/// What is written anew is not carried over.
fn carried(model: &Model) -> impl Iterator<Item = &PathBuf> {
    let anew = [
        Properties::FILE,
        crate::report::REPORT,
        crate::report::REPORT_PAGE,
    ];
    let carried = model.carried().iter();
    carried.filter(move |name| !anew.iter().any(|anew| name.as_path() == Path::new(anew)))
}

/// Writes a document as people read it, and never holds all of it.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<(), OptimizeError> {
    let write = || {
        let mut file = BufWriter::new(fs::File::create(path)?);
        serde_json::to_writer_pretty(&mut file, value)?;
        file.write_all(b"\n")?;
        file.flush()
    };
    write().map_err(OptimizeError::written(path))
}

/// Writes a text.
pub fn write(path: &Path, text: String) -> Result<(), OptimizeError> {
    fs::write(path, text).map_err(OptimizeError::written(path))
}
