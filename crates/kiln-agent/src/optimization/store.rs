//! Stores what the last step has made: every file by itself, directly below the output
//! prefix, several at a time.
//!
//! S3 cannot show many objects at once, so what makes a directory a model comes last:
//! whoever finds `config.json` finds all the rest. What is stored is written down before,
//! and taken back where the job ends otherwise than well.

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use futures::StreamExt;
use kiln_data::DataError;
use kiln_data::upload::{self, Uploader, look_at};
use nix::sys::statvfs::statvfs;
use tokio::sync::watch;

use super::failure;
use super::journal::Journal;
use crate::failure::of_upload;
use crate::left;
use crate::plan::PrefixPlan;
use crate::report::{Outcome, Report};
use crate::surroundings::Surroundings;
use crate::volume::Size;
use crate::work::internal;

/// Files that are stored after all others, in this order.
const LAST: [&str; 2] = ["serving.properties", "config.json"];
/// How many files are stored at a time.
const AT_A_TIME: usize = 4;
/// Of what is larger it is said when it is stored.
const WORTH_SAYING: u64 = 64 << 20;

/// Files by their paths, with their sizes.
type Files = Vec<(PathBuf, u64)>;

/// What was stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) files: u64,
    pub(super) bytes: u64,
    pub(super) is_hugging_face: bool,
}

/// Stores the files of a directory, unless something cuts that short: then what was under way
/// is settled when this returns.
pub(super) async fn store(
    around: &Surroundings,
    directory: PathBuf,
    to: &PrefixPlan,
    cut: impl Future<Output = Outcome>,
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
    let bytes = sizes.fold(0, u64::saturating_add);
    expect_whole(&directory, bytes)?;
    let stored = Stored {
        files: tree.files.len() as u64,
        bytes,
        is_hugging_face: is_hugging_face(&tree.files),
    };
    let journal = Journal::open(&around.directory).map_err(internal)?;
    journal.forget_unfinished(&around.objects, &to.bucket).await;
    let storing = Storing {
        around,
        directory,
        to,
        all: bytes,
        uploader: Uploader::new(&around.objects),
        journal,
        called_off: watch::Sender::new(None),
        bytes: AtomicU64::new(0),
    };
    let working = storing.all(tree.files);
    tokio::pin!(working);
    tokio::select! {
        biased;
        settled = &mut working => settled?,
        why = cut => {
            storing.call_off(&why);
            working.await?;
        }
    }
    Ok(stored)
}

/// What it takes to store files.
struct Storing<'a> {
    around: &'a Surroundings,
    directory: PathBuf,
    to: &'a PrefixPlan,
    /// The bytes of all files.
    all: u64,
    uploader: Uploader,
    journal: Journal,
    /// Why no more is to be stored, once that is so.
    called_off: watch::Sender<Option<Outcome>>,
    /// How much is stored.
    bytes: AtomicU64,
}

impl Storing<'_> {
    /// Stores the files, several at a time, and one by one those that come last.
    async fn all(&self, files: Files) -> Result<(), Outcome> {
        let (first, last) = in_order(files);
        let storing = first.into_iter().map(|(path, bytes)| self.one(path, bytes));
        let mut storing = futures::stream::iter(storing).buffer_unordered(AT_A_TIME);
        // What is under way is settled before the first failure is told.
        let mut outcome = Ok(());
        while let Some(stored) = storing.next().await {
            if let Err(why) = &stored {
                self.call_off(why);
            }
            outcome = outcome.and(stored);
        }
        outcome?;
        for (path, bytes) in last {
            self.one(path, bytes).await?;
        }
        Ok(())
    }

    async fn one(&self, path: PathBuf, bytes: u64) -> Result<(), Outcome> {
        if let Some(why) = self.called_off.borrow().clone() {
            return Err(why);
        }
        let key = upload::key(&self.to.prefix, &path).map_err(failed)?;
        if !self.journal.has_stored(&key) {
            let file = left::open(&self.directory, &path).map_err(internal)?;
            let target = (self.to.bucket.as_str(), key.as_str());
            let called_off = until_called_off(self.called_off.subscribe());
            let storing = self
                .uploader
                .store_unless(file, target, &self.journal, called_off);
            if let ControlFlow::Break(why) = storing.await.map_err(failed)? {
                return Err(why);
            }
        }
        self.tell(&path, bytes).map_err(internal)
    }

    /// Says that a file is stored, if that took a while.
    fn tell(&self, path: &Path, bytes: u64) -> io::Result<()> {
        let stored = bytes + self.bytes.fetch_add(bytes, Ordering::Relaxed);
        if bytes < WORTH_SAYING {
            return Ok(());
        }
        let line = format!(
            "Kiln: stored {}, {} ({} %)",
            path.display(),
            Size(bytes),
            stored.saturating_mul(100) / self.all.max(1)
        );
        self.around.spool.append([Report::Log(line)])
    }

    fn call_off(&self, why: &Outcome) {
        self.called_off.send_if_modified(|known| {
            let is_first = known.is_none();
            known.get_or_insert_with(|| why.clone());
            is_first
        });
    }
}

/// Waits until no more is to be stored, and says why.
async fn until_called_off(mut called_off: watch::Receiver<Option<Outcome>>) -> Outcome {
    let why = called_off.wait_for(Option::is_some).await;
    match why.ok().and_then(|why| why.clone()) {
        Some(why) => why,
        None => std::future::pending().await,
    }
}

/// The files that are stored in any order, and those that come last, in theirs.
fn in_order(files: Files) -> (Files, Files) {
    let place = |path: &Path| LAST.iter().position(|last| path == Path::new(last));
    let (mut last, first): (Files, Files) = files
        .into_iter()
        .partition(|(path, _)| place(path).is_some());
    last.sort_by_key(|(path, _)| place(path));
    (first, last)
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
        let (first, last) = in_order(files(&[
            "code/config.json",
            "config.json",
            "model.safetensors",
            "serving.properties",
            "tokenizer.json",
        ]));
        let expected = ["code/config.json", "model.safetensors", "tokenizer.json"];
        assert_eq!(first, files(&expected));
        assert_eq!(last, files(&LAST));
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
