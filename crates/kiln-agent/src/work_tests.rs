//! Containers that hang, fail and start too late, and that none of it lasts.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;

use super::*;
use crate::cluster::Cluster;
use crate::opt_ml::OptMl;
use crate::plan::ProfilePlan;
use crate::plan::sample::plan;
use crate::runtime::{
    ControlAddress, ImageConfig, Limits, NetworkPolicy, ResolvedImage, Root, Usage,
};
use crate::spool::SpoolReader;

/// What a container does to whoever runs it.
#[derive(Debug, Clone, Copy)]
enum Behaviour {
    /// Its start never comes to an end.
    NeverStarts,
    /// Its start takes some seconds.
    StartsLate,
    /// It runs, and nothing can be learnt of it.
    CannotBeWatched,
    /// It runs whatever is done.
    Undying,
    /// It does not take SIGTERM, and dies of SIGKILL.
    Deaf,
    /// The same, and whoever sends SIGTERM waits for ever.
    Hanging,
    /// It ends well as soon as it is looked at, and cannot be removed.
    Unremovable,
    /// It ends well when it is stopped, and somebody else has its output.
    Overheard,
}

struct Fake {
    behaviour: Behaviour,
    removed: Arc<AtomicBool>,
}

#[async_trait]
impl Runtime for Fake {
    async fn open_network(
        &self,
        _: &str,
        _: NetworkPolicy,
        _: &ControlAddress,
        _: &Cluster,
    ) -> Result<Network, RuntimeError> {
        Ok(network())
    }

    async fn start(
        &self,
        _: &Container,
        _: &Network,
        output: OwnedFd,
    ) -> Result<Box<dyn Running>, RuntimeError> {
        match self.behaviour {
            Behaviour::NeverStarts => std::future::pending().await,
            Behaviour::StartsLate => tokio::time::sleep(START_SEEN_THROUGH / 2).await,
            _ => {}
        }
        Ok(Box::new(FakeContainer {
            behaviour: self.behaviour,
            removed: self.removed.clone(),
            killed: watch::Sender::new(false),
            output: Some(output),
        }))
    }
}

struct FakeContainer {
    behaviour: Behaviour,
    removed: Arc<AtomicBool>,
    killed: watch::Sender<bool>,
    /// Open as long as the container is there.
    output: Option<OwnedFd>,
}

#[async_trait]
impl Running for FakeContainer {
    async fn wait(&mut self) -> Result<Exit, RuntimeError> {
        if let Behaviour::CannotBeWatched = self.behaviour {
            return Err(RuntimeError::Machine("nobody knows".to_owned()));
        }
        if let Behaviour::Unremovable = self.behaviour {
            return Ok(Exit::Code(0));
        }
        let mut killed = self.killed.subscribe();
        let _ = killed.wait_for(|killed| *killed).await;
        match self.behaviour {
            Behaviour::Overheard => Ok(Exit::Code(0)),
            _ => Ok(Exit::Signal(SIGKILL)),
        }
    }

    async fn signal(&self, signal: i32) -> Result<(), RuntimeError> {
        match (self.behaviour, signal) {
            (Behaviour::Undying, _) => Ok(()),
            (Behaviour::Hanging, SIGTERM) => std::future::pending().await,
            (_, SIGKILL) | (Behaviour::Overheard, SIGTERM) => {
                self.killed.send_replace(true);
                Ok(())
            }
            _ => Err(RuntimeError::Machine("deaf".to_owned())),
        }
    }

    fn meter(&self) -> Option<Box<dyn Meter>> {
        Some(Box::new(Idle))
    }

    async fn remove(mut self: Box<Self>) -> Result<(), RuntimeError> {
        if let Behaviour::Overheard = self.behaviour {
            std::mem::forget(self.output.take());
        }
        if let Behaviour::Unremovable = self.behaviour {
            return Err(RuntimeError::Machine("it stays".to_owned()));
        }
        self.removed.store(true, Ordering::Relaxed);
        Ok(())
    }
}

/// Measures what does nothing.
struct Idle;

#[async_trait]
impl Meter for Idle {
    async fn read(&self) -> Usage {
        Usage {
            memory_bytes: Some(1),
            ..Usage::default()
        }
    }
}

fn network() -> Network {
    Network {
        hosts: Vec::new(),
        endpoint: None,
        interface: "lo".to_owned(),
        address: std::net::Ipv4Addr::LOCALHOST.into(),
        held: Box::new(()),
    }
}

fn container(scratch: &Path) -> Container {
    Container {
        id: "kiln-work-test".to_owned(),
        image: ResolvedImage {
            root: Root::Engine("image".to_owned()),
            config: ImageConfig::default(),
        },
        start: Default::default(),
        env: vec![("NAME".to_owned(), "secret-value".to_owned())],
        mounts: Vec::new(),
        shared: Vec::new(),
        hostname: "algo-1".to_owned(),
        hosts: Vec::new(),
        gpus: Vec::new(),
        limits: Limits {
            memory_bytes: 1 << 30,
            cpus: 1.0,
            processes: 1,
            shm_bytes: 0,
        },
        scratch: scratch.to_owned(),
    }
}

/// Runs a container that is told to stop after a second; answers how the work
/// ended and whether the container was removed, and nothing left to the server.
async fn run(behaviour: Behaviour) -> (Result<Worked, Outcome>, bool) {
    let directory = tempfile::tempdir().unwrap();
    run_in(directory.path(), behaviour, Cut::Stop).await
}

/// The same with the instance's directory, and another reason to end.
async fn run_in(
    directory: &Path,
    behaviour: Behaviour,
    cut: Cut,
) -> (Result<Worked, Outcome>, bool) {
    let orders = watch::Sender::new(Orders::default());
    let told = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        orders.send_replace(Orders {
            cut: Some(cut),
            ..Orders::default()
        });
    };
    tokio::join!(run_under(directory, behaviour, orders.subscribe()), told).0
}

/// The same under orders that somebody else gives.
async fn run_under(
    directory: &Path,
    behaviour: Behaviour,
    orders: watch::Receiver<Orders>,
) -> (Result<Worked, Outcome>, bool) {
    let spool = Arc::new(Spool::create(directory).unwrap());
    let opt_ml = OptMl::create(directory).unwrap();
    let mut plan = plan(1, 0);
    plan.profile = Some(ProfilePlan { interval_ms: 500 });
    let work = Work {
        directory,
        spool: &spool,
        orders: &orders,
        deadline: Instant::now() + Duration::from_secs(86_400),
        trouble: watch::channel(None).1,
        grace: Duration::from_secs(120),
        file_systems: FileSystems::default(),
        profiler: Profiler::prepare(&plan, &opt_ml, &orders),
        gauge: None,
        unsettled: &AtomicBool::new(false),
    };
    let removed = Arc::new(AtomicBool::new(false));
    let fake = Fake {
        behaviour,
        removed: removed.clone(),
    };
    let (container, network) = (container(directory), network());
    let running = work.run(&fake, &container, &network, Vec::new());
    let ended = tokio::time::timeout(Duration::from_secs(600), running);
    let ended = ended.await.expect("a stop must end the work");
    let removed = removed.load(Ordering::Relaxed);
    assert_ne!(work.unsettled.load(Ordering::Relaxed), removed);
    (ended, removed)
}

#[tokio::test(start_paused = true)]
async fn a_start_that_hangs_is_cut() {
    let (ended, removed) = run(Behaviour::NeverStarts).await;
    assert_eq!((ended, removed), (Err(Outcome::Stopped), false));
}

#[tokio::test(start_paused = true)]
async fn what_starts_too_late_is_removed() {
    let (ended, removed) = run(Behaviour::StartsLate).await;
    assert_eq!((ended, removed), (Err(Outcome::Stopped), true));
}

#[tokio::test(start_paused = true)]
async fn a_container_that_cannot_be_watched_is_removed_before_its_output_ends() {
    let (ended, removed) = run(Behaviour::CannotBeWatched).await;
    assert!(matches!(&ended, Err(Outcome::Failed(reason)) if reason.contains("nobody knows")));
    assert!(removed);
}

#[tokio::test(start_paused = true)]
async fn a_container_that_cannot_be_killed_holds_nothing_up() {
    let (ended, removed) = run(Behaviour::Undying).await;
    assert!(matches!(&ended, Err(Outcome::Failed(reason)) if reason.contains("did not end")));
    assert!(removed);
}

#[tokio::test(start_paused = true)]
async fn work_that_cannot_be_asked_to_end_is_killed_after_its_grace() {
    let (ended, removed) = run(Behaviour::Deaf).await;
    let worked = Worked {
        exit: Exit::Signal(SIGKILL),
        cut: Some(Outcome::Stopped),
        complaint: None,
    };
    assert_eq!((ended, removed), (Ok(worked), true));
}

#[tokio::test(start_paused = true)]
async fn the_grace_counts_from_the_cut_whoever_hangs() {
    let begun = Instant::now();
    let (ended, removed) = run(Behaviour::Hanging).await;
    assert_eq!(begun.elapsed().as_secs(), 121);
    assert_eq!(ended.unwrap().cut, Some(Outcome::Stopped));
    assert!(removed);
}

#[tokio::test(start_paused = true)]
async fn work_that_is_done_is_not_lost_with_its_removal() {
    let (ended, removed) = run(Behaviour::Unremovable).await;
    let worked = Worked {
        exit: Exit::Code(0),
        cut: None,
        complaint: None,
    };
    assert_eq!((ended, removed), (Ok(worked), false));
}

#[tokio::test(start_paused = true)]
async fn an_output_that_somebody_else_keeps_open_is_not_waited_for() {
    let (ended, removed) = run(Behaviour::Overheard).await;
    assert_eq!(ended.unwrap().exit, Exit::Code(0));
    assert!(removed);
}

#[tokio::test(start_paused = true)]
async fn work_that_has_ended_was_not_cut() {
    let orders = watch::Sender::new(Orders {
        cut: Some(Cut::Stop),
        ..Orders::default()
    });
    for _ in 0..20 {
        let directory = tempfile::tempdir().unwrap();
        let (ended, _) =
            run_under(directory.path(), Behaviour::Unremovable, orders.subscribe()).await;
        assert_eq!(ended.unwrap().cut, None);
    }
}

#[tokio::test(start_paused = true)]
async fn work_is_interrupted_as_it_is_stopped_but_its_job_does_not_stop() {
    let stopping = [Report::Stage(Stage::Stopping)];
    for (cut, outcome, expected) in [
        (Cut::Stop, Outcome::Stopped, &stopping[..]),
        (Cut::Interrupt, Outcome::Interrupted, &[]),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let begun = Instant::now();
        let (ended, removed) = run_in(directory.path(), Behaviour::Deaf, cut).await;
        // A second until it is told, and the whole grace.
        assert_eq!(begun.elapsed().as_secs(), 121);
        assert_eq!(ended.unwrap().cut, Some(outcome));
        assert!(removed);
        let records = OptMl::of(directory.path()).output().join("profiler/system");
        assert!(records.exists(), "it is measured until it ends");
        let mut reader = SpoolReader::open(directory.path()).unwrap();
        let reports = reader.read(10, 1 << 20).unwrap();
        let reports: Vec<_> = reports.into_iter().map(|one| one.report).collect();
        assert_eq!(reports, expected);
    }
}

#[test]
fn a_containers_variables_are_not_printed() {
    let printed = format!("{:?}", container(Path::new("/scratch")));
    assert!(!printed.contains("secret-value"), "{printed}");
}
