//! What a job records for Debugger and the profiler, as its rules read it: local
//! directories that follow prefixes in S3.
//!
//! The prefixes only grow, so a file that is there stays. Each appears whole, by a
//! rename, and the container cannot write to any of them. The file that says that
//! the job has ended appears when everything else has: not before a listing that
//! was begun after it was seen.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::StreamExt;
use kiln_data::{DataError, Listed, Objects, local_path};
use tokio::io::AsyncWriteExt;

use crate::outputs::END_OF_JOB;
use crate::plan::RecordsPlan;
use crate::runtime::Mount;

/// Their name in the instance's directory.
const ROOT: &str = "records";
/// Files that are being fetched, beside the directories of those that have been.
const UNFINISHED: &str = "unfinished";
/// How long a look at a prefix rests before the next one.
const PAUSE: Duration = Duration::from_secs(1);
/// Objects fetched at a time.
const CONCURRENCY: usize = 8;

/// The directories.
pub(crate) struct Records {
    objects: Objects,
    all: Vec<Followed>,
}

struct Followed {
    plan: RecordsPlan,
    directory: PathBuf,
    unfinished: PathBuf,
    /// The entity tags of what is there, by key.
    there: HashMap<String, Option<String>>,
    /// Whether an earlier listing said that the job has ended.
    marked: bool,
}

impl Records {
    /// Makes the directories inside the instance's own.
    ///
    /// # Errors
    /// When one cannot be made.
    pub(crate) fn prepare(
        plans: &[RecordsPlan],
        objects: &Objects,
        instance: &Path,
    ) -> io::Result<Self> {
        let root = instance.join(ROOT);
        let unfinished = root.join(UNFINISHED);
        let mut all = Vec::new();
        for (number, plan) in plans.iter().enumerate() {
            let directory = root.join(number.to_string());
            std::fs::create_dir_all(&directory)?;
            std::fs::create_dir_all(&unfinished)?;
            all.push(Followed {
                plan: plan.clone(),
                directory,
                unfinished: unfinished.join(number.to_string()),
                there: HashMap::new(),
                marked: false,
            });
        }
        Ok(Self {
            objects: objects.clone(),
            all,
        })
    }

    /// What shows them to the container.
    pub(crate) fn mounts(&self) -> Vec<Mount> {
        let mount = |one: &Followed| Mount {
            source: one.directory.clone(),
            target: one.plan.path.clone(),
            read_only: true,
        };
        self.all.iter().map(mount).collect()
    }

    /// Follows the prefixes for as long as it is polled.
    pub(crate) async fn follow(&mut self) -> Infallible {
        if self.all.is_empty() {
            return std::future::pending().await;
        }
        loop {
            for one in &mut self.all {
                if let Err(error) = one.catch_up(&self.objects).await {
                    tracing::warn!(%error, "the records of the job are looked at again");
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

impl Followed {
    async fn catch_up(&mut self, objects: &Objects) -> Result<(), DataError> {
        let listed = self.list(objects).await?;
        let mark = format!("{}{END_OF_JOB}", self.prefix());
        let was_marked = self.marked;
        self.marked = listed.iter().any(|object| object.key == mark);
        let missing = missing(listed, &self.there);
        let (marks, files): (Vec<_>, Vec<_>) =
            missing.into_iter().partition(|object| object.key == mark);
        self.fetch_all(objects, files).await?;
        if was_marked {
            self.fetch_all(objects, marks).await?;
        }
        Ok(())
    }

    async fn list(&self, objects: &Objects) -> Result<Vec<Listed>, DataError> {
        let (bucket, prefix) = (&self.plan.bucket, self.prefix());
        let (mut all, mut token) = (Vec::new(), None);
        loop {
            let listed = objects.list_page(bucket, &prefix, token.as_deref());
            let (page, next) = listed.await?;
            all.extend(page);
            token = next;
            if token.is_none() {
                return Ok(all);
            }
        }
    }

    fn prefix(&self) -> String {
        format!("{}/", self.plan.prefix)
    }

    async fn fetch_all(&mut self, objects: &Objects, all: Vec<Listed>) -> Result<(), DataError> {
        let this = &*self;
        let fetch = |(number, object): (usize, Listed)| async move {
            this.fetch(objects, number, &object).await?;
            Ok((object.key, object.etag))
        };
        let fetched: Vec<Result<_, DataError>> = futures::stream::iter(all.into_iter().enumerate())
            .map(fetch)
            .buffer_unordered(CONCURRENCY)
            .collect()
            .await;
        let mut first_error = Ok(());
        for one in fetched {
            match one {
                Ok((key, etag)) => drop(self.there.insert(key, etag)),
                Err(error) => first_error = first_error.and(Err(error)),
            }
        }
        first_error
    }

    /// Fetches one object. What has no path stays where it is.
    async fn fetch(
        &self,
        objects: &Objects,
        number: usize,
        object: &Listed,
    ) -> Result<(), DataError> {
        let Ok(Some(path)) = local_path(&self.prefix(), &object.key) else {
            return Ok(());
        };
        let bucket = &self.plan.bucket;
        let named = |error: DataError| error.fetching(bucket, &object.key);
        let writing = |source| DataError::Io {
            doing: format!("writing s3://{bucket}/{}", object.key),
            source,
        };
        let mut body = objects.read(bucket, &object.key).await.map_err(named)?;
        let unfinished = self.unfinished.with_extension(number.to_string());
        let mut file = tokio::fs::File::create(&unfinished)
            .await
            .map_err(writing)?;
        while let Some(chunk) = body.chunk().await.map_err(named)? {
            file.write_all(&chunk).await.map_err(writing)?;
        }
        file.flush().await.map_err(writing)?;
        put_in_place(&unfinished, &self.directory.join(path)).map_err(writing)
    }
}

/// What of a listing is not there, or not as it is now.
fn missing(listed: Vec<Listed>, there: &HashMap<String, Option<String>>) -> Vec<Listed> {
    let is_missing = |object: &Listed| there.get(&object.key) != Some(&object.etag);
    listed.into_iter().filter(is_missing).collect()
}

fn put_in_place(file: &Path, place: &Path) -> io::Result<()> {
    if let Some(parent) = place.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::rename(file, place)
}

#[cfg(test)]
#[path = "records_tests.rs"]
mod tests;
