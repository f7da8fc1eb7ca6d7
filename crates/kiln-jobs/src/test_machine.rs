//! A control plane for tests, on a machine that only counts its room.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use kiln_agent::plan::{FastFile, Plan};
use kiln_agent::runtime::embedded::Tolerance;
use kiln_agent::runtime::{ControlAddress, Limits};
use kiln_engine::{Claim, Engine, EngineError, Fit, Leftovers, NoCapacity, Presence, Share, Size};
use kiln_store::Store;
use tokio::sync::Semaphore;

use crate::plane::{self, Kind, Plane};
use crate::{Buckets, BucketsError, Identity, SessionKeys, Settings};

/// What every host of the machine gets.
pub(crate) const SHARE: Share = Share {
    limits: Limits {
        memory_bytes: 1,
        cpus: 1.0,
        processes: 1,
        shm_bytes: 1,
    },
    gpus: 0,
};
/// How long anything here may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// A machine whose agents live for ever, or cannot be started.
pub(crate) struct Machine {
    most: usize,
    agents_live: AtomicBool,
    /// Whether agents that are gone had begun.
    begun: AtomicBool,
    /// One for each agent that is to be gone.
    losses: Semaphore,
    /// The instances that have room.
    pub(crate) room: Mutex<HashSet<String>>,
    /// The plans of the agents that were started.
    pub(crate) placed: Mutex<Vec<Plan>>,
}

impl Machine {
    /// A machine with room for so many hosts.
    pub(crate) fn with_room_for(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            agents_live: AtomicBool::new(true),
            begun: AtomicBool::new(false),
            losses: Semaphore::new(0),
            room: Mutex::default(),
            placed: Mutex::default(),
        })
    }

    /// An agent is gone in the middle of its work.
    pub(crate) fn lose_an_agent(&self) {
        self.begun.store(true, Ordering::SeqCst);
        self.losses.add_permits(1);
    }

    /// From now on no agent can be started, and those that were are gone.
    pub(crate) fn break_down(&self) {
        self.agents_live.store(false, Ordering::SeqCst);
    }
}

#[async_trait]
impl Engine for Machine {
    fn fit(&self, types: &[&str]) -> Result<Fit, NoCapacity> {
        Ok(Fit {
            shares: vec![SHARE; types.len()],
            remark: None,
        })
    }

    fn up_to(&self, _: &Size) -> Share {
        SHARE
    }

    fn admit(&self, instances: &[(String, Share)]) -> Option<Vec<Claim>> {
        let mut room = self.room.lock().unwrap();
        if self.most.saturating_sub(room.len()) < instances.len() {
            return None;
        }
        room.extend(instances.iter().map(|(name, _)| name.clone()));
        let claim = Claim {
            limits: SHARE.limits,
            gpus: Vec::new(),
        };
        Some(vec![claim; instances.len()])
    }

    fn fits_without(&self, _: &[(String, Share)], _: &[String]) -> bool {
        false
    }

    fn adopt(&self, instance: &str, _: &Claim) {
        self.room.lock().unwrap().insert(instance.to_owned());
    }

    fn release(&self, instance: &str) {
        self.room.lock().unwrap().remove(instance);
    }

    async fn place(&self, plan: &Plan) -> Result<(), EngineError> {
        if !self.agents_live.load(Ordering::SeqCst) {
            return Err(EngineError::Io {
                doing: "starting the agent",
                source: std::io::ErrorKind::StorageFull.into(),
            });
        }
        self.placed.lock().unwrap().push(plan.clone());
        Ok(())
    }

    fn presence(&self, _: &str) -> Presence {
        match self.begun.load(Ordering::SeqCst) {
            true => Presence::Gone,
            false => Presence::Absent,
        }
    }

    async fn departed(&self, _: &str) {
        if self.agents_live.load(Ordering::SeqCst) {
            // It is never closed.
            let lost = self.losses.acquire().await;
            lost.unwrap().forget();
        }
    }

    fn leftovers(&self, _: &str, _: u64) -> Result<Leftovers, EngineError> {
        Ok(Leftovers::none())
    }

    fn strays(&self, _: &HashSet<String>) -> Result<Vec<String>, EngineError> {
        Ok(Vec::new())
    }

    async fn clear(&self, _: &str) -> Result<(), EngineError> {
        Ok(())
    }
}

/// Buckets that hold whatever is looked for.
struct Full;

#[async_trait]
impl Buckets for Full {
    async fn exists(&self, _: &str) -> Result<bool, BucketsError> {
        Ok(true)
    }

    async fn first_key(&self, _: &str, prefix: &str) -> Result<Option<String>, BucketsError> {
        Ok(Some(prefix.to_owned()))
    }
}

/// What the jobs of a control plane share that begins with this store.
pub(crate) fn control_plane(store: &Store, data_dir: &Path, engine: &Arc<Machine>) -> Arc<Plane> {
    with_settings(settings(data_dir), store, engine)
}

/// The same, where somebody outside listens.
pub(crate) fn announcing_plane(
    store: &Store,
    data_dir: &Path,
    engine: &Arc<Machine>,
) -> Arc<Plane> {
    let settings = Settings {
        announced: true,
        ..settings(data_dir)
    };
    with_settings(settings, store, engine)
}

fn settings(data_dir: &Path) -> Settings {
    Settings {
        identity: Identity {
            region: "us-east-1".parse().unwrap(),
            account: "123456789012".parse().unwrap(),
        },
        control: ControlAddress::File(PathBuf::new()),
        data_dir: data_dir.to_owned(),
        cache_dir: PathBuf::new(),
        images: Vec::new(),
        engine_socket: None,
        tolerance: Tolerance::default(),
        announced: false,
        preempt_spot: false,
        compiler_images: BTreeMap::new(),
        eagle_image: None,
        file_systems: Vec::new(),
        fast_file: FastFile::default(),
        external_store: None,
    }
}

fn with_settings(settings: Settings, store: &Store, engine: &Arc<Machine>) -> Arc<Plane> {
    let keys = SessionKeys::new(b"secret");
    Plane::new(
        settings,
        store.clone(),
        engine.clone(),
        Arc::new(Full),
        keys,
    )
}

/// Has a control plane run its jobs of one kind.
pub(crate) async fn start(plane: &Arc<Plane>, jobs: &(impl Kind + Clone + 'static)) {
    let kind: Arc<dyn Kind> = Arc::new(jobs.clone());
    plane::start(plane, vec![kind]).await.unwrap();
}

/// Waits until something holds.
pub(crate) async fn until(mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "it never held");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
