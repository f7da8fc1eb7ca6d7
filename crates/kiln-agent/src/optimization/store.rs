//! Stores what the last step has made: every file by itself, directly below the output
//! prefix, one after another.
//!
//! S3 cannot show many objects at once, so what makes a directory a model comes last:
//! whoever finds `config.json` finds all the rest. What was stored is written down, and
//! taken back where the job ends otherwise than well.

use std::fs::File;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kiln_data::upload::{self, look_at};
use kiln_data::{DataError, Objects};
use nix::sys::statvfs::statvfs;
use tokio::time::{Instant, timeout};

use super::failure;
use crate::failure::of_upload;
use crate::left;
use crate::plan::PrefixPlan;
use crate::report::{Outcome, Report};
use crate::surroundings::Surroundings;
use crate::volume::Size;
use crate::work::{cut, internal};

/// Files that are stored after all others, in this order.
const LAST: [&str; 2] = ["serving.properties", "config.json"];
/// The keys of what was stored, in the instance's directory.
const JOURNAL: &str = "stored.keys";
/// How long it is tried to take an object back.
const TAKEN_BACK_WITHIN: Duration = Duration::from_secs(60);
/// Of what is larger it is said when it is stored.
const WORTH_SAYING: u64 = 64 << 20;

/// What was stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) files: u64,
    pub(super) bytes: u64,
    pub(super) is_hugging_face: bool,
}

/// Stores the files of a directory.
pub(super) async fn store(
    around: &Surroundings,
    directory: PathBuf,
    to: &PrefixPlan,
    deadline: Instant,
) -> Result<Stored, Outcome> {
    let looked = tokio::task::spawn_blocking({
        let directory = directory.clone();
        move || look_at(&directory)
    });
    let tree = looked.await.map_err(internal)?.map_err(failed)?;
    for link in &tree.links {
        let line = format!("Kiln: {} is a link, and is not stored", link.display());
        around.spool.append([Report::Log(line)]).map_err(internal)?;
    }
    let sizes = tree.files.iter().map(|(_, bytes)| *bytes);
    let all = sizes.fold(0, u64::saturating_add);
    expect_whole(&directory, all)?;
    let is_hugging_face = is_hugging_face(&tree.files);
    let mut stored = Stored::default();
    for (path, bytes) in in_order(tree.files) {
        let key = upload::key(&to.prefix, &path).map_err(failed)?;
        let file = left::open(&directory, &path).map_err(internal)?;
        let called_off = cut(&around.orders, deadline);
        let target = (to.bucket.as_str(), key.as_str());
        let settled = upload::file(&around.objects, file, target, called_off).await;
        if let ControlFlow::Break(cut) = settled.map_err(failed)? {
            return Err(cut);
        }
        note(&around.directory, &key).map_err(internal)?;
        stored.files += 1;
        stored.bytes += bytes;
        if bytes >= WORTH_SAYING {
            let percent = stored.bytes * 100 / all.max(1);
            let line = format!(
                "Kiln: stored {}, {} ({percent} %)",
                path.display(),
                Size(bytes)
            );
            around.spool.append([Report::Log(line)]).map_err(internal)?;
        }
    }
    Ok(Stored {
        is_hugging_face,
        ..stored
    })
}

/// Removes what was stored from the store, as far as that can be reached.
pub(super) async fn take_back(objects: &Objects, bucket: &str, instance: &Path) {
    let Ok(journal) = std::fs::read_to_string(instance.join(JOURNAL)) else {
        return;
    };
    let keys = journal
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    for key in keys.collect::<Vec<String>>() {
        match timeout(TAKEN_BACK_WITHIN, objects.delete(bucket, &key)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(key, %error, "an object is left"),
            Err(_) => tracing::warn!(key, "an object is left: the store does not answer"),
        }
    }
}

/// Writes down that an object was stored.
fn note(instance: &Path, key: &str) -> io::Result<()> {
    let mut line = serde_json::to_vec(key)?;
    line.push(b'\n');
    let mut journal = File::options();
    let mut journal = journal
        .create(true)
        .append(true)
        .open(instance.join(JOURNAL))?;
    journal.write_all(&line)
}

/// The files in the order in which they are stored.
fn in_order(mut files: Vec<(PathBuf, u64)>) -> Vec<(PathBuf, u64)> {
    let place = |path: &Path| LAST.iter().position(|last| path == Path::new(last));
    files.sort_by_key(|(path, _)| place(path).map_or(0, |place| place + 1));
    files
}

fn is_hugging_face(files: &[(PathBuf, u64)]) -> bool {
    let at_top = |path: &Path| path.components().count() == 1;
    let is_gguf = |path: &Path| path.extension().is_some_and(|kind| kind == "gguf");
    let mut paths = files.iter().map(|(path, _)| path.as_path());
    let has_config = paths.clone().any(|path| path == Path::new("config.json"));
    has_config && !paths.any(|path| at_top(path) && is_gguf(path))
}

/// A file need not take the room on its disk that it says it does.
fn expect_whole(directory: &Path, bytes: u64) -> Result<(), Outcome> {
    let disk = statvfs(directory).map_err(internal)?;
    if bytes > disk.blocks() * disk.fragment_size() {
        return Err(Outcome::Failed(failure::of_holes(bytes)));
    }
    Ok(())
}

fn failed(error: DataError) -> Outcome {
    Outcome::Failed(of_upload(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(names: &[&str]) -> Vec<(PathBuf, u64)> {
        names.iter().map(|name| (name.into(), 1)).collect()
    }

    #[test]
    fn what_makes_a_directory_a_model_comes_last() {
        let found = in_order(files(&[
            "code/config.json",
            "config.json",
            "model.safetensors",
            "serving.properties",
            "tokenizer.json",
        ]));
        let expected = [
            "code/config.json",
            "model.safetensors",
            "tokenizer.json",
            "serving.properties",
            "config.json",
        ];
        assert_eq!(found, files(&expected));
    }

    #[test]
    fn a_model_has_a_configuration_and_is_no_gguf() {
        let cases = [
            (&["config.json", "model.safetensors"][..], true),
            (&["config.json", "model-q8_0.gguf"], false),
            (&["config.json", "other/x.gguf"], true),
            (&["deep/config.json"], false),
            (&[], false),
        ];
        for (names, expected) in cases {
            assert_eq!(is_hugging_face(&files(names)), expected, "{names:?}");
        }
    }

    #[test]
    fn files_with_holes_are_no_larger_than_the_disk() {
        let place = tempfile::tempdir().unwrap();
        assert_eq!(expect_whole(place.path(), 1 << 20), Ok(()));
        assert!(expect_whole(place.path(), 1 << 60).is_err());
    }
}
