//! A container to try things in: what it prints and how it ends.

// Each test program uses a part of this.
#![allow(dead_code)]

use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use kiln_agent::cluster::Cluster;
use kiln_agent::runtime::embedded::EmbeddedRuntime;
use kiln_agent::runtime::{
    Container, ControlAddress, Exit, ImageConfig, Limits, Mount, Network, NetworkPolicy,
    ResolvedImage, Root, Running, Runtime, RuntimeError, Start,
};

/// The memory that a container gets unless a test says otherwise.
pub const MEMORY: u64 = 256 << 20;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A runtime whose shims are this crate's own test program.
pub fn runtime() -> EmbeddedRuntime {
    EmbeddedRuntime::new(Path::new(env!("CARGO_BIN_EXE_test-shim")), &["shim"]).unwrap()
}

/// A container that runs a shell script on the host's own programs.
pub struct Sandbox {
    pub container: Container,
    pub runtime: EmbeddedRuntime,
    _scratch: tempfile::TempDir,
}

/// A container that was started.
pub struct Started {
    pub running: Box<dyn Running>,
    output: std::thread::JoinHandle<String>,
    _network: Network,
}

impl Sandbox {
    pub fn new(script: &str) -> Self {
        let words = ["/bin/sh", "-c", script].map(str::to_owned);
        Self::of(
            Root::System {
                visible: Vec::new(),
            },
            words.to_vec(),
        )
    }

    pub fn of(root: Root, words: Vec<String>) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let container = Container {
            id: format!("test-{}-{number}", std::process::id()),
            image: ResolvedImage {
                root,
                config: ImageConfig::default(),
            },
            start: Start {
                entrypoint: Some(words),
                arguments: None,
            },
            env: Vec::new(),
            mounts: Vec::new(),
            shared: Vec::new(),
            hostname: "algo-1".to_owned(),
            hosts: vec![("algo-1".to_owned(), [127, 0, 0, 1].into())],
            gpus: Vec::new(),
            limits: Limits {
                memory_bytes: MEMORY,
                cpus: 2.0,
                processes: 64,
                shm_bytes: 1 << 20,
            },
            scratch: scratch.path().to_owned(),
        };
        Self {
            container,
            runtime: runtime(),
            _scratch: scratch,
        }
    }

    pub fn with_mount(mut self, source: &Path, target: &str, read_only: bool) -> Self {
        let (source, target) = (source.to_owned(), PathBuf::from(target));
        self.container.mounts.push(Mount {
            source,
            target,
            read_only,
        });
        self
    }

    pub async fn start(&self) -> Result<Started, RuntimeError> {
        let control = ControlAddress::Fixed(([127, 0, 0, 1], 9).into());
        let id = &self.container.id;
        let network = self
            .runtime
            .open_network(
                id,
                NetworkPolicy::Isolated,
                &control,
                &Cluster::alone("algo-1", id),
            )
            .await?;
        let (mut reader, writer) = std::io::pipe().unwrap();
        let output = std::thread::spawn(move || {
            let mut text = Vec::new();
            reader.read_to_end(&mut text).unwrap();
            String::from_utf8_lossy(&text).into_owned()
        });
        let running = self
            .runtime
            .start(&self.container, &network, OwnedFd::from(writer))
            .await?;
        Ok(Started {
            running,
            output,
            _network: network,
        })
    }

    /// Runs the container to its end.
    pub async fn run(&self) -> (Exit, String) {
        self.start().await.unwrap().finish().await
    }

    /// The control groups of this container that exist.
    pub fn groups(&self) -> Vec<PathBuf> {
        let name = format!("kiln-{}", self.container.id);
        let mut found = Vec::new();
        let root = Path::new("/sys/fs/cgroup");
        for entry in std::fs::read_dir(root).unwrap().flatten() {
            found.push(entry.path().join(&name));
        }
        found.push(root.join(&name));
        found.retain(|path| path.exists());
        found
    }

    /// What the runtime left in the scratch directory.
    pub fn leftovers(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.container.scratch)
            .unwrap()
            .flatten();
        entries
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect()
    }
}

impl Started {
    pub async fn finish(mut self) -> (Exit, String) {
        let exit = self.running.wait().await.unwrap();
        let output = self.output.join().unwrap();
        self.running.remove().await.unwrap();
        (exit, output)
    }
}
