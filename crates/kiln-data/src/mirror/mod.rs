//! A local directory and a prefix in S3 that follows it: checkpoints, and what
//! the work writes for those who watch it.
//!
//! ```text
//! restore ──▶ run: scan ─▶ decide ─▶ store, delete ─▶ pause ─┐ ──▶ flush
//!                   ▲───────────────────────────────────────┘
//! ```
//!
//! One value owns the mirror's life; what to do is decided by `ledger` alone.
//! Any of the three may be dropped where it stands: what was not noted as done
//! is done again. The directory belongs to the work, so nothing in it is
//! followed, and what changes while it is read is read again.

mod ledger;
mod local;
mod markers;
mod restore;
mod scan;

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures::{FutureExt, StreamExt};

pub use self::local::Local;

use self::ledger::{Actions, Haste, Ledger, Upload};
use self::markers::Uploading;
use self::restore::Restore;
use crate::upload::{self, Uploader};
use crate::{DataError, Objects, tree};

/// Files stored, and objects deleted, at a time.
const CONCURRENCY: usize = 8;
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A scan may take this part of the time: the processors are the work's.
const SHARE: u32 = 20;
/// Rounds that the last pass makes of it while something cannot be stored.
const LAST_ROUNDS: u32 = 3;

/// What a mirror does besides storing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rules {
    /// Deletes the object of a file that vanishes, if it was stored or restored
    /// here.
    pub propagate_deletes: bool,
    /// Marks files that are being stored, and those that have been.
    pub markers: bool,
}

/// A directory, and the prefix that follows it.
#[derive(Debug)]
pub struct Mirror {
    ledger: Ledger,
    store: Store,
    rules: Rules,
}

/// The two sides.
#[derive(Debug)]
struct Store {
    objects: Objects,
    uploader: Uploader,
    local: Local,
    bucket: String,
    /// Empty, or ending with a slash.
    prefix: String,
    markers: bool,
}

impl Mirror {
    /// A mirror that has not done anything yet. The prefix is a directory's:
    /// `a/b` has nothing to do with `a/bc`.
    #[must_use]
    pub fn new(objects: Objects, local: Local, bucket: &str, prefix: &str, rules: Rules) -> Self {
        let slash = match prefix.is_empty() || prefix.ends_with('/') {
            true => "",
            false => "/",
        };
        Self {
            ledger: Ledger::default(),
            store: Store {
                uploader: Uploader::new(&objects),
                objects,
                local,
                bucket: bucket.to_owned(),
                prefix: format!("{prefix}{slash}"),
                markers: rules.markers,
            },
            rules,
        }
    }

    /// Brings everything under the prefix into the directory, which exists.
    /// Answers the number of files; none is no error.
    ///
    /// # Errors
    /// When an object cannot be fetched or its key cannot be a path; the message
    /// names the object.
    pub async fn restore(&mut self) -> Result<u64, DataError> {
        let mut files = 0;
        let root = self.store.local.open().and_then(|root| {
            let gone = || std::io::ErrorKind::NotFound.into();
            root.ok_or_else(gone)
        });
        let doing = format!("opening {}", self.store.local.path().display());
        let root = &root.map_err(DataError::io(doing))?;
        let ledger = &mut self.ledger;
        let restore = Restore {
            objects: &self.store.objects,
            bucket: &self.store.bucket,
            prefix: &self.store.prefix,
            root,
        };
        let note = |(path, stamp)| {
            ledger.restored(path, stamp);
            files += 1;
        };
        restore.run(note).await?;
        Ok(files)
    }

    /// Follows the directory until the future is dropped.
    pub async fn run(&mut self) -> std::convert::Infallible {
        loop {
            let begun = Instant::now();
            let scanned = self.scan().await;
            let took = begun.elapsed();
            match scanned {
                Ok(Some((scan, _))) => {
                    for error in self.round(&scan, Haste::Steady).await {
                        tracing::warn!(%error, "the mirror tries again");
                    }
                }
                // The work may be about to make it again.
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "the mirror cannot look"),
            }
            tokio::time::sleep(pause(took)).await;
        }
    }

    /// Makes the prefix what the directory is, after the work has ended. If the
    /// work has removed the directory itself, what was stored of it stays.
    ///
    /// # Errors
    /// When something could not be read, stored or deleted.
    pub async fn flush(&mut self) -> Result<(), DataError> {
        let mut rounds = 0;
        loop {
            rounds += 1;
            let failures = match self.scan().await {
                Ok(Some((scan, failed))) => {
                    let mut failures = self.round(&scan, Haste::Last).await;
                    failures.extend(failed);
                    failures
                }
                Ok(None) => {
                    tracing::warn!(local = ?self.store.local, "a directory is gone at the end");
                    return Ok(());
                }
                Err(error) => vec![error],
            };
            match failures.into_iter().next() {
                None => return Ok(()),
                Some(error) if rounds == LAST_ROUNDS => return Err(error),
                Some(_) => tokio::time::sleep(SHORTEST_PAUSE).await,
            }
        }
    }

    /// What is in the directory, and what of it could not be seen; `None` when
    /// the work has removed it.
    async fn scan(&self) -> Result<Option<(ledger::Scan, Vec<DataError>)>, DataError> {
        let local = self.store.local.clone();
        let reading = |path: &Path| format!("reading {}", path.display());
        let scanned = tokio::task::spawn_blocking(move || {
            let root = local.open()?;
            root.map(scan::scan).transpose()
        });
        let scanned = scanned.await.map_err(|error| upload::died(&error))?;
        let opening = DataError::io(reading(&self.store.local.path()));
        let scanned = scanned.map_err(opening)?;
        let Some((scan, unreadable)) = scanned else {
            return Ok(None);
        };
        let failed = unreadable
            .into_iter()
            .map(|failed| DataError::in_the_works(reading(&failed.path))(failed.error))
            .collect();
        Ok(Some((scan, failed)))
    }

    /// Does what a scan asks for, and answers what could not be done.
    async fn round(&mut self, scan: &ledger::Scan, haste: Haste) -> Vec<DataError> {
        let deletes = self.rules.propagate_deletes;
        let actions = self.ledger.take(scan, haste, deletes);
        let Actions {
            upload,
            delete,
            gone,
        } = actions;
        for path in gone.iter().filter(|_| self.rules.markers) {
            self.store.clear_markers(path);
        }
        let mut failures = self.upload(upload).await;
        // No old checkpoint goes before the new one is there.
        if failures.is_empty() {
            failures.extend(self.delete(delete).await);
        }
        failures
    }

    async fn upload(&mut self, uploads: Vec<Upload>) -> Vec<DataError> {
        let Self { ledger, store, .. } = self;
        let store = &*store;
        uploads.iter().for_each(|upload| ledger.begun(&upload.path));
        let mut outcomes = futures::stream::iter(uploads)
            .map(|upload| {
                let stored = async move {
                    let stored = store.upload(&upload).await;
                    (upload, stored)
                };
                stored.boxed()
            })
            .buffer_unordered(CONCURRENCY);
        let mut failures = Vec::new();
        let mut outage = Outage::default();
        while let Some((mut upload, stored)) = outcomes.next().await {
            let away = outage.is_sure_after(&stored);
            match stored {
                Ok(Outcome::Stored { unchanged }) => {
                    upload.settled &= unchanged;
                    ledger.stored(&upload);
                }
                Ok(Outcome::Gone) => {}
                Err(error) => {
                    ledger.failed(&upload.path);
                    failures.push(error);
                }
            }
            if away {
                break;
            }
        }
        failures
    }

    async fn delete(&mut self, paths: Vec<PathBuf>) -> Vec<DataError> {
        let Self { ledger, store, .. } = self;
        let store = &*store;
        let mut outcomes = futures::stream::iter(paths)
            .map(|path| {
                let deleted = async move {
                    let deleted = store.delete(&path).await;
                    (path, deleted)
                };
                deleted.boxed()
            })
            .buffer_unordered(CONCURRENCY);
        let mut failures = Vec::new();
        let mut outage = Outage::default();
        while let Some((path, deleted)) = outcomes.next().await {
            let away = outage.is_sure_after(&deleted);
            match deleted {
                Ok(()) => ledger.deleted(&path),
                Err(error) => failures.push(error),
            }
            if away {
                break;
            }
        }
        failures
    }
}

/// How many things in a row failed because the store is away. A hundred thousand
/// files must not all wait for it until its patience ends.
#[derive(Debug, Default)]
struct Outage(usize);

impl Outage {
    /// Whether, after this outcome too, nothing else would fare better.
    fn is_sure_after<T>(&mut self, outcome: &Result<T, DataError>) -> bool {
        self.0 = match outcome {
            Err(error) if error.is_outage() => self.0 + 1,
            _ => 0,
        };
        self.0 >= CONCURRENCY
    }
}

/// How the storing of a file ended.
enum Outcome {
    Stored {
        /// Whether the file was still what the scan had found.
        unchanged: bool,
    },
    /// The file is no longer there.
    Gone,
}

impl Store {
    async fn upload(&self, upload: &Upload) -> Result<Outcome, DataError> {
        let key = upload::key(&self.prefix, &upload.path)?;
        let reading = || DataError::in_the_works(format!("reading {}", upload.path.display()));
        let Some(directory) = self.directory_of(&upload.path).map_err(reading())? else {
            return Ok(Outcome::Gone);
        };
        let Some(name) = upload.path.file_name() else {
            return Ok(Outcome::Gone);
        };
        let opened = tree::open_named(&directory, name).map_err(reading())?;
        let Some((file, stat)) = opened else {
            return Ok(Outcome::Gone);
        };
        let marks = self
            .markers
            .then(|| Uploading::begin(directory, name.to_owned()));
        let size = stat.st_size.unsigned_abs();
        self.uploader
            .store(file, size, (&self.bucket, &key))
            .await?;
        if let Some(marks) = marks {
            marks.done();
        }
        Ok(Outcome::Stored {
            unchanged: scan::stamp(&stat) == upload.stamp,
        })
    }

    async fn delete(&self, path: &Path) -> Result<(), DataError> {
        let key = upload::key(&self.prefix, path)?;
        self.objects.delete(&self.bucket, &key).await
    }

    fn clear_markers(&self, path: &Path) {
        if let (Ok(Some(directory)), Some(name)) = (self.directory_of(path), path.file_name()) {
            markers::clear(&directory, &name.to_owned());
        }
    }

    /// The directory that holds a file; `None` when it is gone.
    fn directory_of(&self, path: &Path) -> std::io::Result<Option<OwnedFd>> {
        let parent = path.parent().unwrap_or(Path::new(""));
        self.local.open_inside(parent)
    }
}

/// How long to wait after a scan that took so long.
fn pause(took: Duration) -> Duration {
    (took * SHARE).clamp(SHORTEST_PAUSE, LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_store_that_fails_everything_is_away() {
        let mut outage = Outage::default();
        let away = || Err::<(), _>(DataError::Unreachable(String::new()));
        let full = || Err::<(), _>(DataError::Full(String::new()));
        for _ in 0..3 {
            assert!((1..CONCURRENCY).all(|_| !outage.is_sure_after(&away())));
            assert!(!outage.is_sure_after(&Ok(())));
            assert!((1..CONCURRENCY).all(|_| !outage.is_sure_after(&away())));
            assert!(!outage.is_sure_after(&full()));
        }
        assert!((1..CONCURRENCY).all(|_| !outage.is_sure_after(&away())));
        assert!(outage.is_sure_after(&away()));
    }

    #[test]
    fn slow_scans_are_rare() {
        for (took, expected) in [(0, 1000), (10, 1000), (500, 10_000), (60_000, 60_000)] {
            let pause = pause(Duration::from_millis(took));
            assert_eq!(pause, Duration::from_millis(expected), "{took}");
        }
    }
}
