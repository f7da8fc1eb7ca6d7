//! The volume: what a job may fill of this machine's disk, and what happens when
//! it fills more.
//!
//! Where the file system can, a project quota holds the job to its size: its
//! writes fail, as they would on a full disk in the cloud. Everywhere, its files
//! are added up again and again, and the disk is looked at, so that neither a
//! volume that overflows nor a disk that runs full does harm to anyone else.

mod exceeded;
mod quota;
mod reserve;
mod tree;
mod watching;

use std::convert::Infallible;
use std::io;
use std::path::Path;
use std::sync::{Arc, mpsc};

use tokio::sync::watch;

pub(crate) use exceeded::{Exceeded, Size};
use quota::Quota;
use tree::Filled;
pub(crate) use watching::Filling;
use watching::{Ground, Watching};

use crate::opt_ml;
use crate::plan::SCRATCH;

/// The directories of an instance that a quota holds. Whatever else there is of it,
/// and the directory that a warm pool keeps, which is not empty when the job comes,
/// only counts.
const HELD: [&str; 2] = [opt_ml::ROOT, SCRATCH];

/// What a job may fill of this machine's disk, for as long as this is kept.
pub(crate) struct Volume {
    ground: Arc<Ground>,
    seen: watch::Receiver<Option<Exceeded>>,
    /// The thread that watches ends when this is dropped.
    _watched: mpsc::Sender<Infallible>,
}

impl Volume {
    /// Allows `bytes` for the job whose instance has this directory, and perhaps the
    /// cache of a warm pool, and watches from now on. To be called before anything
    /// is in its directories.
    ///
    /// # Errors
    /// When the directories cannot be made, or the thread not be started.
    pub(crate) fn claim(instance: &Path, cache: Option<&Path>, bytes: u64) -> io::Result<Self> {
        let held = HELD.map(|name| instance.join(name));
        for directory in &held {
            std::fs::create_dir_all(directory)?;
        }
        let quota = Quota::claim(instance, &held, bytes).unwrap_or_else(|error| {
            tracing::debug!(%error, "no quota for the volume, which is only watched");
            None
        });
        let ground = Arc::new(Ground::new(Filled::new(instance, cache), bytes, quota)?);
        let (tell, seen) = watch::channel(None);
        let (watched, ended) = mpsc::channel();
        let watching = Watching::new(ground.clone());
        std::thread::Builder::new()
            .name("volume".to_owned())
            .spawn(move || watching.watch(&tell, &ended))?;
        Ok(Self {
            ground,
            seen,
            _watched: watched,
        })
    }

    /// Returns when there is more than allowed, or too little left for others.
    pub(crate) async fn exceeded(&self) -> Exceeded {
        self.seen(|_| true).await
    }

    /// Returns when the disk is found to have too little left for others.
    pub(crate) async fn disk_exceeded(&self) -> Exceeded {
        self.seen(|exceeded| matches!(exceeded, Exceeded::Disk { .. }))
            .await
    }

    async fn seen(&self, is_meant: impl Fn(&Exceeded) -> bool) -> Exceeded {
        let mut seen = self.seen.clone();
        let found = seen.wait_for(|seen| seen.as_ref().is_some_and(&is_meant));
        match found.await.as_deref() {
            Ok(Some(exceeded)) => exceeded.clone(),
            // The thread has ended without a word.
            _ => std::future::pending().await,
        }
    }

    /// Whether the disk was found to have too little left for others.
    pub(crate) fn used_up_disk(&self) -> bool {
        matches!(*self.seen.borrow(), Some(Exceeded::Disk { .. }))
    }

    /// Tells how much of the volume is filled, for as long as that is asked.
    pub(crate) fn filling(&self) -> Filling {
        Filling::new(&self.ground)
    }

    /// Whether the volume is full at this moment. What fails for it may be over
    /// before the watch has come by.
    pub(crate) async fn full(&self) -> Option<Exceeded> {
        let ground = self.ground.clone();
        let looked = tokio::task::spawn_blocking(move || ground.full()).await;
        looked.ok().flatten()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn write(instance: &Path, name: &str, bytes: usize) {
        let path = instance.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, vec![1; bytes]).unwrap();
    }

    #[tokio::test]
    async fn more_than_allowed_is_noticed_wherever_it_is() {
        for name in [
            "ml/model/weights",
            "sandbox/upper/tmp/scratch",
            "records/0/step",
            "reports.spool",
            "../cache/weights",
        ] {
            let all = tempfile::tempdir().unwrap();
            let (instance, cache) = (all.path().join("i"), all.path().join("cache"));
            std::fs::create_dir(&instance).unwrap();
            let volume = Volume::claim(&instance, Some(&cache), 4 << 20).unwrap();
            write(&instance, name, 3 << 20);
            assert_eq!(volume.full().await, None);
            let early = timeout(Duration::from_secs(2), volume.exceeded()).await;
            assert!(early.is_err(), "{early:?}");
            write(&instance, "ml/output/data/more", 2 << 20);
            let exceeded = timeout(PATIENCE, volume.exceeded()).await.unwrap();
            assert!(matches!(exceeded, Exceeded::Volume { .. }), "{exceeded:?}");
            assert_eq!(volume.full().await, Some(exceeded));
        }
    }

    #[tokio::test]
    async fn without_a_size_there_is_no_limit() {
        let instance = tempfile::tempdir().unwrap();
        let volume = Volume::claim(instance.path(), None, u64::MAX).unwrap();
        write(instance.path(), "ml/model/weights", 8 << 20);
        let exceeded = timeout(Duration::from_secs(2), volume.exceeded()).await;
        assert!(exceeded.is_err(), "{exceeded:?}");
    }

    #[tokio::test]
    async fn the_watch_ends_with_the_volume() {
        let instance = tempfile::tempdir().unwrap();
        let volume = Volume::claim(instance.path(), None, 1 << 20).unwrap();
        let mut seen = volume.seen.clone();
        drop(volume);
        let ended = timeout(PATIENCE, seen.wait_for(Option::is_some)).await;
        assert!(ended.unwrap().is_err());
    }
}
