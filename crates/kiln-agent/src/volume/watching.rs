//! The thread that watches a job's volume and the disk that it is on.
//!
//! A few times each second it asks what the disk has left, and what the quota
//! says where there is one. In between it goes on adding up the job's files, for
//! a small part of the time. With a quota it does so rarely: only who undoes the
//! quota on his own files is found that way.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use tokio::sync::watch::Sender;

use super::exceeded::Exceeded;
use super::quota::Quota;
use super::reserve::{Left, Reserve, patience};
use super::tree::{Filled, Usage, Walk};

const TICK: Duration = Duration::from_millis(250);
/// What a walk may take of each tick: a twentieth of one processor.
const SHARE: u32 = 20;
const SLICE: Duration = Duration::from_millis(12);
/// The pause between two walks, without a quota and with one.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_WITH_QUOTA: Duration = Duration::from_secs(30);
/// A walk that is waited for ends after this, with what it has found.
const LONGEST: Duration = Duration::from_secs(5);
/// Stands for bytes that no walk has counted yet.
const NOT_FOUND: u64 = u64::MAX;

/// What is watched.
pub(super) struct Ground {
    filled: Filled,
    limit: u64,
    quota: Option<Quota>,
    reserve: Reserve,
    /// What the last walk has found, in bytes.
    found: AtomicU64,
}

impl Ground {
    pub(super) fn new(filled: Filled, limit: u64, quota: Option<Quota>) -> io::Result<Self> {
        Ok(Self {
            reserve: Reserve::of_disk(&filled.instance)?,
            found: AtomicU64::new(NOT_FOUND),
            filled,
            limit,
            quota,
        })
    }

    #[cfg(test)]
    pub(super) fn is_enforced(&self) -> bool {
        self.quota.is_some()
    }

    /// Whether the volume is full now.
    pub(super) fn full(&self) -> Option<Exceeded> {
        let usage = measure(&self.filled, Instant::now() + LONGEST);
        let bytes = usage.bytes();
        let enforced = self.quota.as_ref();
        let full = bytes > self.limit || enforced.is_some_and(|quota| quota.is_full(bytes));
        full.then(|| self.overflown(usage))
    }

    fn overflown(&self, usage: Usage) -> Exceeded {
        Exceeded::Volume {
            limit: self.limit,
            usage,
        }
    }
}

/// Tells how much of a volume is filled, as the walks find it.
pub(crate) struct Filling(Arc<Ground>);

impl Filling {
    pub(super) fn new(ground: &Arc<Ground>) -> Self {
        Self(ground.clone())
    }

    /// The filled part of the volume, in percent. Before the first walk has ended,
    /// as much as is found in a moment.
    pub(crate) fn percent(&self) -> Option<f64> {
        let Ground { filled, limit, .. } = &*self.0;
        if *limit == u64::MAX {
            return None;
        }
        let found = match self.0.found.load(Ordering::Relaxed) {
            NOT_FOUND => measure(filled, Instant::now() + SLICE).bytes(),
            found => found,
        };
        Some(100.0 * found as f64 / (*limit).max(1) as f64)
    }
}

/// What the thread knows.
pub(super) struct Watching {
    ground: Arc<Ground>,
    walk: Walk,
    /// When the next step of the walk is due.
    due: Instant,
    /// Until when the quota is not asked, after it has said too much.
    doubted: Instant,
    /// Whether the walk before this one found too much. A tree that is changed
    /// meanwhile can be counted twice, hardly two times in succession.
    suspected: bool,
    /// Until when the job may stay while the disk has too little left.
    tolerated: Option<Instant>,
}

impl Watching {
    pub(super) fn new(ground: Arc<Ground>) -> Self {
        Self {
            walk: Walk::new(&ground.filled, ground.limit),
            due: Instant::now(),
            doubted: Instant::now(),
            suspected: false,
            tolerated: None,
            ground,
        }
    }

    /// Watches until there is something to tell, or the other side has gone.
    pub(super) fn watch(mut self, tell: &Sender<Option<Exceeded>>, ended: &Receiver<Infallible>) {
        while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(TICK) {
            if let Some(exceeded) = self.look() {
                tell.send_replace(Some(exceeded));
                return;
            }
        }
    }

    fn look(&mut self) -> Option<Exceeded> {
        let enforced = self.look_at_quota(Instant::now());
        let walked = enforced.or_else(|| self.look_at_files(Instant::now()));
        walked.or_else(|| self.look_at_disk(Instant::now()))
    }

    fn look_at_quota(&mut self, now: Instant) -> Option<Exceeded> {
        let quota = self.ground.quota.as_ref()?;
        if now < self.doubted || !quota.is_used_up() {
            return None;
        }
        let full = self.ground.full();
        self.doubted = now + now.elapsed() * SHARE;
        full
    }

    fn look_at_files(&mut self, now: Instant) -> Option<Exceeded> {
        let ground = &self.ground;
        if ground.limit == u64::MAX || now < self.due {
            return None;
        }
        let complete = self.walk.advance(now + SLICE);
        let found = self.walk.usage().clone();
        let too_much = found.bytes() > ground.limit;
        if !complete && !too_much {
            return None;
        }
        if too_much && self.suspected {
            return Some(ground.overflown(found));
        }
        self.suspected = too_much;
        ground.found.store(found.bytes(), Ordering::Relaxed);
        self.walk = Walk::new(&ground.filled, ground.limit);
        self.due = match (&ground.quota, too_much) {
            (_, true) => now,
            (None, false) => now + PAUSE,
            (Some(_), false) => now + PAUSE_WITH_QUOTA,
        };
        None
    }

    fn look_at_disk(&mut self, now: Instant) -> Option<Exceeded> {
        let left = Left::on_disk(&self.ground.filled.instance).ok()?;
        if !self.ground.reserve.is_touched(left) {
            self.tolerated = None;
            return None;
        }
        let until = *self
            .tolerated
            .get_or_insert_with(|| now + tolerance(&self.ground.filled));
        (now >= until).then(|| Exceeded::Disk {
            left: left.bytes,
            usage: measure(&self.ground.filled, Instant::now() + LONGEST),
        })
    }
}

/// How long this instance may stay, seen beside the others of this machine.
fn tolerance(filled: &Filled) -> Duration {
    let until = Instant::now() + LONGEST;
    let own = measure(filled, until).bytes();
    let instance = filled.instance.as_path();
    let all = instance
        .parent()
        .and_then(|all| std::fs::read_dir(all).ok());
    let paths = all
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    let others: Vec<u64> = paths
        .filter(|path| path != instance)
        .map(|path| measure(&Filled::new(&path, None), until).bytes())
        .collect();
    patience(own, &others)
}

fn measure(filled: &Filled, until: Instant) -> Usage {
    let mut walk = Walk::new(filled, u64::MAX);
    walk.advance(until);
    walk.usage().clone()
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    /// An instance among others, on a disk that has nothing left for it.
    fn crowded(all: &Path, name: &str, bytes: usize) -> PathBuf {
        let instance = all.join(name);
        std::fs::create_dir_all(instance.join("ml/model")).unwrap();
        std::fs::write(instance.join("ml/model/weights"), vec![1; bytes]).unwrap();
        instance
    }

    #[test]
    fn when_the_disk_runs_full_the_job_that_holds_the_most_goes_first() {
        let all = tempfile::tempdir().unwrap();
        let small = crowded(all.path(), "small", 1 << 20);
        let large = crowded(all.path(), "large", 2 << 20);
        let watching = |instance: &Path| {
            let mut ground = Ground::new(Filled::new(instance, None), u64::MAX, None).unwrap();
            ground.reserve = Reserve::whole();
            Watching::new(Arc::new(ground))
        };
        assert!(matches!(
            watching(&large).look(),
            Some(Exceeded::Disk { .. })
        ));
        let mut waiting = watching(&small);
        assert_eq!(waiting.look(), None);
        let later = Instant::now() + Duration::from_secs(60);
        assert!(matches!(
            waiting.look_at_disk(later),
            Some(Exceeded::Disk { .. })
        ));
    }

    #[test]
    fn the_filled_part_is_known_before_and_after_the_first_walk() {
        let all = tempfile::tempdir().unwrap();
        let instance = crowded(all.path(), "i", 1 << 20);
        let ground = |limit| {
            let filled = Filled::new(&instance, None);
            Arc::new(Ground::new(filled, limit, None).unwrap())
        };
        assert_eq!(Filling::new(&ground(u64::MAX)).percent(), None);
        let ground = ground(4 << 20);
        let filling = Filling::new(&ground);
        let before = filling.percent().unwrap();
        assert!((25.0..30.0).contains(&before), "{before}");
        let mut watching = Watching::new(ground.clone());
        while ground.found.load(Ordering::Relaxed) == NOT_FOUND {
            assert_eq!(watching.look_at_files(Instant::now()), None);
        }
        assert_eq!(filling.percent(), Some(before));
    }

    #[test]
    fn a_single_walk_that_finds_too_much_is_not_believed() {
        let all = tempfile::tempdir().unwrap();
        let instance = crowded(all.path(), "i", 2 << 20);
        let ground = Ground::new(Filled::new(&instance, None), 1 << 20, None).unwrap();
        let mut watching = Watching::new(Arc::new(ground));
        assert_eq!(watching.look_at_files(Instant::now()), None);
        std::fs::remove_file(instance.join("ml/model/weights")).unwrap();
        assert_eq!(watching.look_at_files(Instant::now()), None);
        std::fs::write(instance.join("ml/model/weights"), vec![1; 2 << 20]).unwrap();
        let later = Instant::now() + PAUSE;
        assert_eq!(watching.look_at_files(later), None);
        assert!(watching.look_at_files(later).is_some());
    }
}
