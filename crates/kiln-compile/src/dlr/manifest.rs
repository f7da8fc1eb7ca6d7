//! `manifest`: the files of an artifact, their digests, and what loads them.

use std::path::{Path, PathBuf};

use blake2::{Blake2b512, Digest};
use serde_json::json;

use super::DlrError;

/// The manifest's own name.
const NAME: &str = "manifest";

/// Writes the manifest of these files of a folder, which may lie in folders of their own.
/// `loader` says what opens the model, with its version.
///
/// # Errors
/// When a file cannot be read, or the manifest not be written.
pub fn write_manifest(folder: &Path, files: &[PathBuf], loader: &str) -> Result<(), DlrError> {
    let mut described = serde_json::Map::new();
    for file in files.iter().filter(|file| *file != Path::new(NAME)) {
        let reading = DlrError::io(format!("Reading {}", file.display()));
        let bytes = std::fs::read(folder.join(file)).map_err(reading)?;
        let digest = hex::encode(Blake2b512::digest(&bytes));
        let told = json!({"Bytes": bytes.len(), "Blake2b": digest});
        described.insert(file.display().to_string(), told);
    }
    let manifest = json!({"Version": 1, "Loader": loader, "Files": described});
    let writing = DlrError::io("Writing the manifest");
    std::fs::write(folder.join(NAME), format!("{manifest:#}\n")).map_err(writing)
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
