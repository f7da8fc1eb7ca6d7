//! The C sources of the loader, as files for a compiler, with the flags that they need.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::NeuralError;

/// IREE's runtime, as `build.rs` packed it.
const RUNTIME: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/iree-runtime.tar.gz"));

/// The files of IREE's runtime that are compiled, below its root.
const LISTED: &str = include_str!("../../../native/iree/sources.txt");

/// Our own sources and headers.
const OWN: [(&str, &str); 8] = [
    ("model.h", include_str!("../../../native/model.h")),
    (
        "neural_model.c",
        include_str!("../../../native/neural_model.c"),
    ),
    (
        "neural_proactor.c",
        include_str!("../../../native/neural_proactor.c"),
    ),
    (
        "neural_runtime.c",
        include_str!("../../../native/neural_runtime.c"),
    ),
    (
        "neural_runtime.h",
        include_str!("../../../native/neural_runtime.h"),
    ),
    (
        "neural_signature.c",
        include_str!("../../../native/neural_signature.c"),
    ),
    (
        "neural_signature.h",
        include_str!("../../../native/neural_signature.h"),
    ),
    ("LICENSE-NOTE", NOTE),
];

const NOTE: &str = "The files below iree/ are IREE's and FlatCC's, under the licences there.\n";

/// What IREE's own build defines. Its allocator is the C library's, and a failure is told
/// by its place and its message, without a stack.
const DEFINES: [&str; 4] = [
    "NDEBUG",
    "_GNU_SOURCE",
    "IREE_ALLOCATOR_SYSTEM_CTL=iree_allocator_libc_ctl",
    "IREE_STATUS_FEATURES=2",
];

/// Files for a C compiler, and how they are compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sources {
    /// The files to compile.
    pub files: Vec<PathBuf>,
    /// Where headers are found, the first first.
    pub includes: Vec<PathBuf>,
    /// What is defined, without `-D`.
    pub defines: Vec<String>,
    /// Libraries that are linked, without `-l`.
    pub libraries: Vec<String>,
}

/// Writes the sources into a folder. Of what `dlr.c` needs only `model.h` is there.
pub fn unpack(folder: &Path) -> Result<Sources, NeuralError> {
    tar::Archive::new(flate2::read::GzDecoder::new(RUNTIME))
        .unpack(folder)
        .map_err(NeuralError::file(folder))?;
    for (name, text) in OWN {
        let path = folder.join(name);
        fs::write(&path, text).map_err(NeuralError::file(path))?;
    }
    let iree = folder.join("iree");
    let own = OWN.map(|(name, _)| name);
    let own = own.iter().filter(|name| name.ends_with(".c"));
    Ok(Sources {
        files: LISTED
            .lines()
            .map(|path| iree.join(path))
            .chain(own.map(|name| folder.join(name)))
            .collect(),
        includes: vec![
            folder.to_owned(),
            folder.join("generated"),
            iree.join("runtime/src"),
            iree.join("third_party/flatcc/include"),
        ],
        defines: DEFINES.map(str::to_owned).to_vec(),
        libraries: vec!["m".to_owned(), "pthread".to_owned()],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_files_that_are_compiled_are_there() {
        let folder = tempfile::tempdir().unwrap();
        let sources = unpack(folder.path()).unwrap();
        assert!(sources.files.len() > 100);
        for file in &sources.files {
            assert!(file.is_file(), "{}", file.display());
        }
        for include in &sources.includes {
            assert!(include.is_dir(), "{}", include.display());
        }
    }
}
