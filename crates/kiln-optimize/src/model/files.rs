//! Which files of a directory are weights, which are carried over, and which are not.

use std::fs;
use std::path::{Path, PathBuf};

use super::index::Index;
use super::parts;
use crate::OptimizeError;

/// Deeper directories are taken for a mistake.
const DEEPEST: usize = 16;

/// What weights are saved in by pickling, which runs whatever is in them when it is loaded.
const PICKLES: [&str; 5] = ["bin", "pt", "pth", "ckpt", "pkl"];

/// A file that does not come along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The file, relative to the directory.
    pub path: PathBuf,
    /// Why, as the end of a sentence that begins with the file.
    pub why: &'static str,
}

/// The regular files of a directory by what their names say that they are.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) safetensors: Vec<String>,
    pub(super) index: Option<String>,
    pub(super) pickles: Vec<String>,
    pub(super) others: Vec<PathBuf>,
}

/// What becomes of the files.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) weights: Vec<String>,
    pub(super) carried: Vec<PathBuf>,
    pub(super) left_out: Vec<LeftOut>,
}

/// Walks the directory. Only what lies directly in it can be the model's weights: what is
/// below belongs to something else, and is carried over whatever it is.
pub(super) fn list(directory: &Path) -> Result<Listed, OptimizeError> {
    let root = directory
        .canonicalize()
        .map_err(OptimizeError::read(directory))?;
    let mut found = Vec::new();
    walk(&root, Path::new(""), DEEPEST, &mut found)?;
    found.sort();

    let mut listed = Listed::default();
    for path in found {
        let top = path.to_str().filter(|name| !name.contains('/'));
        match (top, extension(&path)) {
            (Some("config.json"), _) => {}
            (Some(name), _) if name.ends_with(".safetensors.index.json") => {
                if let Some(other) = listed.index.replace(name.to_owned()) {
                    return Err(OptimizeError::Model(format!(
                        "there are two indices of tensors, {other} and {name}; keep the one that is meant"
                    )));
                }
            }
            (Some(name), "safetensors") => listed.safetensors.push(name.to_owned()),
            (Some(name), kind) if PICKLES.contains(&kind) => listed.pickles.push(name.to_owned()),
            (Some(name), _) if is_index_of_pickles(name) => listed.pickles.push(name.to_owned()),
            _ => listed.others.push(path),
        }
    }
    Ok(listed)
}

fn is_index_of_pickles(name: &str) -> bool {
    PICKLES
        .iter()
        .any(|kind| name.ends_with(&format!(".{kind}.index.json")))
}

fn extension(path: &Path) -> &str {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.unwrap_or_default()
}

fn walk(
    root: &Path,
    below: &Path,
    depth: usize,
    found: &mut Vec<PathBuf>,
) -> Result<(), OptimizeError> {
    let directory = root.join(below);
    let entries = fs::read_dir(&directory).map_err(OptimizeError::read(&directory))?;
    for entry in entries {
        let entry = entry.map_err(OptimizeError::read(&directory))?;
        let path = below.join(entry.file_name());
        let kind = entry.file_type().map_err(OptimizeError::read(&directory))?;
        if kind.is_dir() {
            if depth == 0 {
                return Err(OptimizeError::Model(format!(
                    "{} is more than {DEEPEST} directories deep",
                    path.display()
                )));
            }
            walk(root, &path, depth - 1, found)?;
        } else {
            refuse_strange(root, &path)?;
            found.push(path);
        }
    }
    Ok(())
}

/// What is read has to be a regular file of the directory's own.
fn refuse_strange(root: &Path, path: &Path) -> Result<(), OptimizeError> {
    let named = root.join(path);
    let real = named.canonicalize().ok();
    let problem = match real {
        None => "is a symbolic link that leads nowhere",
        Some(real) if !real.starts_with(root) => {
            "is a symbolic link that leads out of the model's directory"
        }
        Some(real) if !real.is_file() => "is not a regular file",
        Some(_) => return Ok(()),
    };
    let path = path.display();
    Err(OptimizeError::Model(format!("{path} {problem}")))
}

/// Decides which files the tensors are in. An index is believed; without one it is
/// `model.safetensors`, or else all there are but those that other programs keep beside
/// them.
pub(super) fn choose(listed: Listed, index: Option<&Index>) -> Result<Chosen, OptimizeError> {
    let weights = match (index, &listed.index) {
        (Some(index), Some(name)) => indexed(&listed, index, name)?,
        _ => unindexed(&listed)?,
    };
    let mut left_out = Vec::new();
    for path in listed.safetensors {
        if !weights.contains(&path) {
            left_out.push(LeftOut {
                path: path.into(),
                why: "is not among the model's weights",
            });
        }
    }
    left_out.extend(listed.pickles.into_iter().map(|path| LeftOut {
        path: path.into(),
        why: "is a pickle, and the model has safetensors",
    }));
    Ok(Chosen {
        weights,
        carried: listed.others,
        left_out,
    })
}

/// What the names of files in vLLM's `sharded_state` begin with.
const SHARD: &str = "model-rank-";

fn indexed(listed: &Listed, index: &Index, name: &str) -> Result<Vec<String>, OptimizeError> {
    let files = index.files();
    for file in &files {
        if !listed.safetensors.iter().any(|found| found == file) {
            return Err(OptimizeError::Model(format!(
                "{name} names {file}, which is not there"
            )));
        }
    }
    let single = "model.safetensors";
    if !files.contains(single) && listed.safetensors.iter().any(|found| found == single) {
        return Err(OptimizeError::Model(format!(
            "there are both {single} and {name}, which does not name it; keep the one that is meant"
        )));
    }
    Ok(files.into_iter().map(str::to_owned).collect())
}

fn unindexed(listed: &Listed) -> Result<Vec<String>, OptimizeError> {
    let single = "model.safetensors";
    if listed.safetensors.iter().any(|name| name == single) {
        return Ok(vec![single.to_owned()]);
    }
    let own = |name: &&String| !name.starts_with("consolidated") && !name.starts_with("adapter");
    let mut weights: Vec<String> = listed.safetensors.iter().filter(own).cloned().collect();
    if weights.is_empty() {
        weights.clone_from(&listed.safetensors);
    }
    if weights.is_empty() {
        return Err(OptimizeError::Model(none_at_all(&listed.pickles)));
    }
    if let Some(shard) = weights.iter().find(|name| name.starts_with(SHARD)) {
        return Err(OptimizeError::Model(format!(
            "{shard} is a part of a model that was cut for accelerators; give the model as it was \
             before"
        )));
    }
    parts::refuse_missing(&weights)?;
    Ok(weights)
}

fn none_at_all(pickles: &[String]) -> String {
    match pickles.first() {
        Some(pickle) => format!(
            "{pickle} is a pickle, which can run any code when it is loaded, and is not loaded; convert it to safetensors"
        ),
        None => "there is no *.safetensors directly under the model's prefix".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::fs::symlink;

    use super::*;

    /// Files, what an index names if there is one, and what comes of them.
    type Case = (
        &'static [&'static str],
        Option<&'static [&'static str]>,
        &'static str,
    );

    fn listed(names: &[&str]) -> Listed {
        let home = tempfile::tempdir().unwrap();
        for name in names {
            let path = home.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        list(home.path()).unwrap()
    }

    fn index(files: &[&str]) -> Index {
        let numbered = files.iter().enumerate();
        let weight_map = numbered.map(|(at, file)| (at.to_string(), (*file).to_owned()));
        Index {
            weight_map: weight_map.collect::<BTreeMap<_, _>>(),
        }
    }

    fn weights(names: &[&str], indexed: Option<&[&str]>) -> Result<String, String> {
        let index = indexed.map(index);
        let chosen = choose(listed(names), index.as_ref());
        chosen
            .map(|chosen| chosen.weights.join(" "))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn weights_are_found() {
        let cases: [Case; 6] = [
            (&["model.safetensors"], None, "model.safetensors"),
            (
                &["model.safetensors", "model-00001-of-00002.safetensors"],
                None,
                "model.safetensors",
            ),
            (&["weird.safetensors"], None, "weird.safetensors"),
            (
                &["b.safetensors", "a.safetensors", "consolidated.safetensors"],
                None,
                "a.safetensors b.safetensors",
            ),
            (
                &["consolidated.safetensors"],
                None,
                "consolidated.safetensors",
            ),
            (
                &[
                    "model.safetensors.index.json",
                    "x.safetensors",
                    "y.safetensors",
                ],
                Some(&["x.safetensors"]),
                "x.safetensors",
            ),
        ];
        for (names, indexed, expected) in cases {
            assert_eq!(
                weights(names, indexed).as_deref(),
                Ok(expected),
                "{names:?}"
            );
        }
    }

    #[test]
    fn what_is_missing_is_said() {
        let cases: [Case; 6] = [
            (
                &[
                    "model-rank-0-part-0.safetensors",
                    "model-rank-1-part-0.safetensors",
                ],
                None,
                "model-rank-0-part-0.safetensors is a part of a model that was cut for accelerators; give the model as it was before",
            ),
            (
                &["config.json", "sub/model.safetensors"],
                None,
                "there is no *.safetensors directly under the model's prefix",
            ),
            (
                &["pytorch_model.bin"],
                None,
                "pytorch_model.bin is a pickle, which can run any code when it is loaded, and is not loaded; convert it to safetensors",
            ),
            (
                &["model-00001-of-00002.safetensors"],
                None,
                "there is model-00001-of-00002.safetensors, but not model-00002-of-00002.safetensors",
            ),
            (
                &["model.safetensors.index.json", "x.safetensors"],
                Some(&["x.safetensors", "z.safetensors"]),
                "model.safetensors.index.json names z.safetensors, which is not there",
            ),
            (
                &[
                    "model.safetensors.index.json",
                    "x.safetensors",
                    "model.safetensors",
                ],
                Some(&["x.safetensors"]),
                "there are both model.safetensors and model.safetensors.index.json, which does not name it; keep the one that is meant",
            ),
        ];
        for (names, indexed, expected) in cases {
            let said = weights(names, indexed).unwrap_err();
            assert_eq!(said, format!("ClientError: {expected}"), "{names:?}");
        }
    }

    #[test]
    fn everything_else_is_carried_but_pickles_beside_the_weights() {
        let chosen = choose(
            listed(&[
                "config.json",
                "model.safetensors",
                "pytorch_model.bin",
                "pytorch_model.bin.index.json",
                "tokenizer.json",
                "2_Dense/model.safetensors",
                "2_Dense/config.json",
            ]),
            None,
        )
        .unwrap();
        let carried = [
            "2_Dense/config.json",
            "2_Dense/model.safetensors",
            "tokenizer.json",
        ];
        assert_eq!(chosen.carried, carried.map(PathBuf::from));
        let left: Vec<&Path> = chosen
            .left_out
            .iter()
            .map(|left| left.path.as_path())
            .collect();
        assert_eq!(
            left,
            ["pytorch_model.bin", "pytorch_model.bin.index.json"].map(Path::new)
        );
    }

    #[test]
    fn links_stay_inside() {
        let home = tempfile::tempdir().unwrap();
        let model = home.path().join("model");
        fs::create_dir_all(model.join("blobs")).unwrap();
        fs::write(model.join("blobs/1"), "").unwrap();
        fs::write(home.path().join("secret"), "").unwrap();
        symlink("blobs/1", model.join("model.safetensors")).unwrap();
        assert_eq!(list(&model).unwrap().safetensors, ["model.safetensors"]);

        let cases = [
            (
                "../secret",
                "is a symbolic link that leads out of the model's directory",
            ),
            ("nowhere", "is a symbolic link that leads nowhere"),
            ("blobs", "is not a regular file"),
        ];
        for (target, expected) in cases {
            let link = model.join("tokenizer.json");
            symlink(target, &link).unwrap();
            let said = list(&model).unwrap_err().to_string();
            assert_eq!(said, format!("ClientError: tokenizer.json {expected}"));
            fs::remove_file(link).unwrap();
        }
    }
}
