//! `manifest`: the files of an artifact, their digests, and what loads them.

use std::path::Path;

use blake2::{Blake2b512, Digest};
use serde_json::json;

use super::DlrError;

/// The manifest's own name.
const NAME: &str = "manifest";

/// Writes the manifest of all files that lie in a folder. `loader` says what
/// opens the model, with its version.
pub fn write_manifest(folder: &Path, loader: &str) -> Result<(), DlrError> {
    let reading = || DlrError::io(format!("Reading {}", folder.display()));
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(reading())? {
        let entry = entry.map_err(reading())?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == NAME || !entry.path().is_file() {
            continue;
        }
        let bytes = std::fs::read(entry.path()).map_err(reading())?;
        let digest = hex::encode(Blake2b512::digest(&bytes));
        files.push((name, json!({"Bytes": bytes.len(), "Blake2b": digest})));
    }
    files.sort_by(|one, other| one.0.cmp(&other.0));
    let files: serde_json::Map<_, _> = files.into_iter().collect();
    let manifest = json!({"Version": 1, "Loader": loader, "Files": files});
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
        for _ in 0..2 {
            write_manifest(folder.path(), "dlr 1.10.0").unwrap();
        }
        let manifest = std::fs::read_to_string(folder.path().join("manifest")).unwrap();
        let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
        let files = manifest["Files"].as_object().unwrap();
        assert_eq!(files.keys().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(files["b"]["Bytes"], 3);
        assert!(
            files["a"]["Blake2b"]
                .as_str()
                .unwrap()
                .starts_with("786a02f742015903")
        );
    }
}
