//! Packs the sources of IREE's runtime for the program to carry.
//!
//! The crate `eerie-sys` brings the whole of IREE. What a loader of neural networks
//! needs of it is what `native/iree/sources.txt` lists and the headers that those files
//! include. They go into one archive with the headers that IREE's own build would
//! generate (`native/iree/generated`), and `parts` compiles them for a target.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

const CRATE: &str = "eerie-sys";

/// Where IREE's build looks for headers, below its root.
const INCLUDED_FROM: [&str; 2] = ["runtime/src", "third_party/flatcc/include"];

const LICENCES: [&str; 3] = [
    "LICENSE",
    "third_party/flatcc/LICENSE",
    "third_party/flatcc/NOTICE",
];

#[derive(Debug, thiserror::Error)]
enum PackError {
    #[error("{0} is not among this workspace's packages")]
    NoCrate(&'static str),
    #[error("cargo does not say where packages are: {0}")]
    Cargo(String),
    #[error("{path} cannot be read: {source}", path = .path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("the archive cannot be written: {0}")]
    Write(#[from] io::Error),
}

fn main() -> Result<(), PackError> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=native/iree");
    let iree = find_crate()?.join("iree");
    let mut files = needed(&iree, &listed()?)?;
    for licence in LICENCES {
        files.insert(licence.to_owned(), read(&iree.join(licence))?);
    }
    let target = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default());
    pack(&files, &target.join("iree-runtime.tar.gz"))?;
    Ok(())
}

/// The folder of the crate's sources, wherever cargo keeps them.
fn find_crate() -> Result<PathBuf, PackError> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let host = std::env::var("HOST").unwrap_or_default();
    let output = Command::new(cargo)
        .args(["metadata", "--format-version=1", "--locked"])
        .arg(format!("--filter-platform={host}"))
        .output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(PackError::Cargo(said));
    }
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| PackError::Cargo(error.to_string()))?;
    metadata["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|package| package["name"] == CRATE)
        .and_then(|package| Path::new(package["manifest_path"].as_str()?).parent())
        .map(Path::to_owned)
        .ok_or(PackError::NoCrate(CRATE))
}

/// The files that are compiled, by their paths below IREE's root.
fn listed() -> Result<Vec<String>, PackError> {
    let list = read(Path::new("native/iree/sources.txt"))?;
    Ok(String::from_utf8_lossy(&list)
        .lines()
        .map(str::to_owned)
        .collect())
}

/// These files and all that they include of IREE, by their paths below its root.
fn needed(iree: &Path, listed: &[String]) -> Result<BTreeMap<String, Vec<u8>>, PackError> {
    let mut found = BTreeMap::new();
    let mut left = listed.to_vec();
    while let Some(path) = left.pop() {
        if found.contains_key(&path) {
            continue;
        }
        let text = read(&iree.join(&path))?;
        for name in includes(&String::from_utf8_lossy(&text)) {
            left.extend(resolve(iree, &path, name));
        }
        found.insert(path, text);
    }
    Ok(found)
}

/// The names that a file includes, with quotes or with brackets.
fn includes(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let rest = line.trim_start().strip_prefix('#')?.trim_start();
        let name = rest.strip_prefix("include")?.trim_start();
        let end = match name.chars().next()? {
            '"' => '"',
            '<' => '>',
            _ => return None,
        };
        name[1..].split(end).next()
    })
}

/// The included file, or nothing where it is not IREE's: a system's or a generated one.
fn resolve(iree: &Path, includer: &str, name: &str) -> Option<String> {
    let beside = Path::new(includer).parent().and_then(Path::to_str);
    beside
        .into_iter()
        .chain(INCLUDED_FROM)
        .map(|folder| format!("{folder}/{name}"))
        .find(|path| iree.join(path).is_file())
}

fn read(path: &Path) -> Result<Vec<u8>, PackError> {
    fs::read(path).map_err(|source| PackError::Read {
        path: path.to_owned(),
        source,
    })
}

/// One archive of IREE's files below `iree/` and the generated ones below `generated/`.
fn pack(files: &BTreeMap<String, Vec<u8>>, target: &Path) -> Result<(), PackError> {
    let compressed = flate2::write::GzEncoder::new(
        io::BufWriter::new(fs::File::create(target)?),
        flate2::Compression::best(),
    );
    let mut archive = tar::Builder::new(compressed);
    archive.mode(tar::HeaderMode::Deterministic);
    for (path, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, format!("iree/{path}"), bytes.as_slice())?;
    }
    archive.append_dir_all("generated", "native/iree/generated")?;
    archive.into_inner()?.finish()?;
    Ok(())
}
