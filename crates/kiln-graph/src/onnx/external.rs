//! Elements that are not in the model's file but in another beside it. The model
//! names that file, so its word is taken for nothing: only plain files within the
//! model's own folder are read.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Component, Path, PathBuf};

use bytes::Bytes;
use memmap2::Mmap;

use super::OnnxError;
use crate::proto::TensorProto;

/// The folder of a model, and its files that were mapped so far.
pub(super) struct Folder {
    at: Option<PathBuf>,
    mapped: BTreeMap<String, Bytes>,
}

impl Folder {
    /// For a model that has no folder: there is nothing beside it.
    pub(super) fn none() -> Self {
        Self {
            at: None,
            mapped: BTreeMap::new(),
        }
    }

    pub(super) fn at(folder: &Path) -> Self {
        Self {
            at: Some(folder.to_owned()),
            mapped: BTreeMap::new(),
        }
    }

    /// The elements of a tensor that has them in another file.
    pub(super) fn elements(&mut self, tensor: &TensorProto) -> Result<Bytes, OnnxError> {
        let location = entry(tensor, "location").unwrap_or_default();
        let failed = |reason: String| OnnxError::External {
            name: tensor.name.clone(),
            location: location.to_owned(),
            reason,
        };
        let file = self.file(location).map_err(failed)?;
        let offset = number(tensor, "offset").map_err(failed)?.unwrap_or(0);
        let length = number(tensor, "length").map_err(failed)?;
        let end = match length {
            Some(length) => offset.checked_add(length),
            None => Some(file.len()),
        };
        match end.filter(|end| offset <= *end && *end <= file.len()) {
            Some(end) => Ok(file.slice(offset..end)),
            None => Err(failed(format!("has only {} bytes", file.len()))),
        }
    }

    fn file(&mut self, location: &str) -> Result<Bytes, String> {
        let folder = self.at.as_deref().ok_or("is not part of the model")?;
        if let Some(bytes) = self.mapped.get(location) {
            return Ok(bytes.clone());
        }
        let bytes = map_within(folder, location)?;
        self.mapped.insert(location.to_owned(), bytes.clone());
        Ok(bytes)
    }
}

/// Maps a file. It must not change while the bytes live.
pub(super) fn map(path: &Path) -> io::Result<Bytes> {
    let file = File::open(path)?;
    if file.metadata()?.len() == 0 {
        return Ok(Bytes::new());
    }
    // SAFETY: the model was unpacked into a folder of its own, where nobody
    // else writes; `open` tells its callers so.
    let map = unsafe { Mmap::map(&file)? };
    Ok(Bytes::from_owner(map))
}

/// Maps a file within a folder, as a path names it that cannot be trusted.
fn map_within(folder: &Path, location: &str) -> Result<Bytes, String> {
    let mut path = folder.to_owned();
    for component in Path::new(location).components() {
        let Component::Normal(name) = component else {
            return Err("leads out of the model's folder".to_owned());
        };
        path.push(name);
        let found = path
            .symlink_metadata()
            .map_err(|_| "is not part of the model")?;
        if found.is_symlink() {
            return Err("is a link".to_owned());
        }
    }
    if !path.is_file() {
        return Err("is not a file".to_owned());
    }
    map(&path).map_err(|error| format!("cannot be read: {error}"))
}

fn entry<'t>(tensor: &'t TensorProto, key: &str) -> Option<&'t str> {
    let mut entries = tensor.external_data.iter();
    entries
        .find(|entry| entry.key == key)
        .map(|entry| entry.value.as_str())
}

fn number(tensor: &TensorProto, key: &str) -> Result<Option<usize>, String> {
    let Some(text) = entry(tensor, key) else {
        return Ok(None);
    };
    let number = text.trim().parse();
    number
        .map(Some)
        .map_err(|_| format!("it reads from the {key} '{text}'"))
}
