//! `manifest`: the files of an artifact, their digests, and what loads them.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use blake2::{Blake2b512, Digest};
use serde_json::{Map, Value, json};

use super::DlrError;

/// The manifest's own name.
pub const MANIFEST: &str = "manifest";

/// Read size.
const CHUNK: usize = 1 << 20;

/// Writes the manifest of these files of a folder, which may lie in folders of their own.
/// `loader` says what opens the model, with its version.
///
/// # Errors
/// When a file cannot be read, or the manifest not be written.
pub fn write_manifest(folder: &Path, files: &[PathBuf], loader: &str) -> Result<(), DlrError> {
    let mut manifest = Manifest::new(loader);
    for file in files.iter().filter(|file| *file != Path::new(MANIFEST)) {
        let added = File::open(folder.join(file)).and_then(|content| manifest.add(file, content));
        added.map_err(DlrError::io(format!("Reading {}", file.display())))?;
    }
    let writing = DlrError::io("Writing the manifest");
    std::fs::write(folder.join(MANIFEST), manifest.text()).map_err(writing)
}

/// A manifest in the making.
#[derive(Debug)]
pub struct Manifest<'a> {
    loader: &'a str,
    files: Map<String, Value>,
}

impl<'a> Manifest<'a> {
    /// One of no files yet. `loader` says what opens the model, with its version.
    #[must_use]
    pub fn new(loader: &'a str) -> Self {
        Self {
            loader,
            files: Map::new(),
        }
    }

    /// Adds a file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn add(&mut self, name: &Path, mut content: impl Read) -> io::Result<()> {
        let (mut hash, mut bytes) = (Blake2b512::new(), 0);
        let mut chunk = vec![0; CHUNK];
        loop {
            match content.read(&mut chunk)? {
                0 => break,
                read => {
                    hash.update(&chunk[..read]);
                    bytes += read;
                }
            }
        }
        let told = json!({"Bytes": bytes, "Blake2b": hex::encode(hash.finalize())});
        self.files.insert(name.display().to_string(), told);
        Ok(())
    }

    /// What is written.
    #[must_use]
    pub fn text(self) -> String {
        let manifest = json!({"Version": 1, "Loader": self.loader, "Files": self.files});
        format!("{manifest:#}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_named_with_its_digest() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("b"), "two").unwrap();
        std::fs::write(folder.path().join("a"), "").unwrap();
        std::fs::create_dir(folder.path().join("net.mlpackage")).unwrap();
        std::fs::write(folder.path().join("net.mlpackage/weights"), "w").unwrap();
        let files = ["a", "b", "manifest", "net.mlpackage/weights"].map(PathBuf::from);
        for _ in 0..2 {
            write_manifest(folder.path(), &files, "dlr 1.10.0").unwrap();
        }
        let manifest = std::fs::read_to_string(folder.path().join("manifest")).unwrap();
        let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
        let files = manifest["Files"].as_object().unwrap();
        assert_eq!(
            files.keys().collect::<Vec<_>>(),
            ["a", "b", "net.mlpackage/weights"]
        );
        assert_eq!(files["b"]["Bytes"], 3);
        assert!(
            files["a"]["Blake2b"]
                .as_str()
                .unwrap()
                .starts_with("786a02f742015903")
        );
    }
}
