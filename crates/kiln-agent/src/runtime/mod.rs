//! What runs a container: the embedded runtime or a container engine.
//!
//! An agent first opens a [`Network`], which says how the container will reach
//! the control plane's S3, and then starts the [`Container`] in it. Everything
//! the container writes to its standard output and error goes to one pipe that
//! the agent reads. Dropping a [`Running`] kills what it started.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::cluster::Cluster;

pub mod embedded;
mod endpoint;
pub mod engine;
mod relay;
mod shared_directory;
pub mod usage;

pub use shared_directory::SharedDirectory;
pub use usage::{Meter, Usage};

/// Where a container's root file system comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Root {
    /// The host's own system directories (`/usr`, `/lib`, `/bin`, …), read-only,
    /// with a private `/etc`, `/tmp`, `/root`, `/opt` and `/var`. `visible` are
    /// further host directories bound read-only at their own paths: a framework
    /// environment and the Python installation that it stands on.
    System {
        /// Absolute host directories, bound read-only at the same path.
        visible: Vec<PathBuf>,
    },
    /// An unpacked image: a read-only directory shared by all its containers,
    /// under a private writable layer.
    Directory(PathBuf),
    /// An image by the name that the container engine knows it by.
    Engine(String),
}

/// The part of an OCI image configuration that says how its containers start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageConfig {
    /// `NAME=value` pairs, weaker than the job's own.
    pub env: Vec<(String, String)>,
    /// The image's ENTRYPOINT.
    pub entrypoint: Vec<String>,
    /// The image's CMD.
    #[serde(default)]
    pub command: Vec<String>,
    /// The image's WORKDIR; `/` when it names none.
    pub working_dir: Option<PathBuf>,
}

/// An image, found: what its containers see and how they start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolvedImage {
    /// The root file system.
    pub root: Root,
    /// The start-up defaults. Empty for [`Root::Engine`], where the engine
    /// applies the image's own.
    pub config: ImageConfig,
}

/// The job's `ContainerEntrypoint` and `ContainerArguments`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// Replaces the image's ENTRYPOINT when present.
    pub entrypoint: Option<Vec<String>>,
    /// Replaces `train` when present.
    pub arguments: Option<Vec<String>>,
}

impl Start {
    /// As the image itself says. An engine that knows the image goes by it where
    /// nothing is said.
    #[must_use]
    pub fn of_image(config: &ImageConfig) -> Self {
        Self {
            entrypoint: None,
            arguments: Some(config.command.clone()),
        }
    }

    /// What `docker run` would be given after the image's name: the arguments
    /// that follow whichever entrypoint is in force. SageMaker passes `train`
    /// unless the job brings an entrypoint or arguments of its own.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        match (&self.entrypoint, &self.arguments) {
            (_, Some(arguments)) => arguments.clone(),
            (Some(_), None) => Vec::new(),
            (None, None) => vec!["train".to_owned()],
        }
    }

    /// The whole command line, for a runtime that applies the image's
    /// entrypoint itself.
    #[must_use]
    pub fn command_line(&self, image_entrypoint: &[String]) -> Vec<String> {
        let entrypoint = self.entrypoint.as_deref().unwrap_or(image_entrypoint);
        entrypoint.iter().cloned().chain(self.arguments()).collect()
    }
}

/// A host directory seen inside the container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// The host directory, which exists.
    pub source: PathBuf,
    /// The absolute path inside; made when the image lacks it.
    pub target: PathBuf,
    /// Whether writes are refused.
    pub read_only: bool,
}

/// What a container may use of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Memory in bytes, page cache included.
    pub memory_bytes: u64,
    /// Processors, as a share of time: 1.5 is one and a half.
    pub cpus: f64,
    /// Processes and threads.
    pub processes: u32,
    /// Size of `/dev/shm` in bytes.
    pub shm_bytes: u64,
}

/// One container to run.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Container {
    /// Unique on the machine; lower-case letters, digits and `-`, at most 63.
    /// Cgroups and engine containers carry it.
    pub id: String,
    /// The image.
    pub image: ResolvedImage,
    /// How it starts.
    pub start: Start,
    /// `NAME=value` pairs, stronger than the image's.
    pub env: Vec<(String, String)>,
    /// Directories of the job.
    pub mounts: Vec<Mount>,
    /// Directories of file systems that others use too.
    pub shared: Vec<SharedDirectory>,
    /// The host name inside.
    pub hostname: String,
    /// Names that resolve inside, and their addresses: this host's own and its
    /// peers'.
    pub hosts: Vec<(String, IpAddr)>,
    /// Resource limits.
    pub limits: Limits,
    /// The machine's GPUs that it may use, by number.
    pub gpus: Vec<u32>,
    /// An existing directory of this instance, on the data volume, where the
    /// runtime keeps the writable layer and its own files.
    pub scratch: PathBuf,
}

/// Variables and arguments may hold secrets.
impl std::fmt::Debug for Container {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Container")
            .field("id", &self.id)
            .field("root", &self.image.root)
            .field("mounts", &self.mounts)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// Where the control plane answers now. A server that restarts may come back
/// on another port, so this is looked up for every new connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ControlAddress {
    /// A fixed address.
    Fixed(SocketAddr),
    /// A file whose first line is the address, rewritten at every server start.
    File(PathBuf),
}

impl ControlAddress {
    /// The address at this moment.
    ///
    /// # Errors
    /// When the file cannot be read or holds no socket address.
    pub fn current(&self) -> std::io::Result<SocketAddr> {
        match self {
            Self::Fixed(address) => Ok(*address),
            Self::File(path) => std::fs::read_to_string(path)?
                .trim()
                .parse()
                .map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidData, error)),
        }
    }
}

/// What a container may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NetworkPolicy {
    /// The control plane's S3 and the outside world, but nothing on the host's
    /// own loopback interface.
    Open,
    /// Nothing but itself and its peers: `EnableNetworkIsolation`.
    Isolated,
}

/// An open network, ready for a container.
pub struct Network {
    /// The URL by which code in the container reaches the control plane, with
    /// no trailing slash; `None` when isolated.
    pub endpoint: Option<String>,
    /// The interface that carries the container's own address: `eth0`, or `lo`
    /// when there is no other.
    pub interface: String,
    /// The container's own address, which its host name resolves to.
    pub address: IpAddr,
    /// The hosts of the cluster, this one included, and their addresses.
    pub hosts: Vec<(String, IpAddr)>,
    /// Kept open as long as the network is; the runtime that made it knows what
    /// is inside.
    pub(crate) held: Box<dyn std::any::Any + Send + Sync>,
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Network")
            .field("endpoint", &self.endpoint)
            .field("interface", &self.interface)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// How a container ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    /// The first process ended by itself.
    Code(i32),
    /// The first process was killed by this signal.
    Signal(i32),
    /// The kernel killed the container because it passed its memory limit.
    OutOfMemory,
}

/// Why a container could not be run.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The image is not here or cannot be used; the caller's fault.
    #[error("the image cannot be used: {0}")]
    Image(String),
    /// The command does not exist in the image or cannot be executed. The
    /// agent reports exit code 127 or 126, as a shell would.
    #[error("{message}")]
    Command {
        /// What a container runtime says, such as `exec: "train": executable
        /// file not found in $PATH`.
        message: String,
        /// 127 when it was not found, 126 when it cannot be executed.
        code: i32,
    },
    /// The machine cannot run containers this way.
    #[error("this machine cannot run the container: {0}")]
    Machine(String),
    /// Input or output failed.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done, as a sentence fragment.
        doing: String,
        /// The cause.
        source: std::io::Error,
    },
}

impl RuntimeError {
    /// What failed while something was being done.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }
}

/// Something that runs containers.
#[async_trait]
pub trait Runtime: Send + Sync {
    /// Opens the network of the container that will be called `id`, in which its
    /// peers' containers can be reached on all ports. Like a start, it may be
    /// dropped before it is done; what an engine then makes all the same is
    /// removed if this process lives to see it.
    async fn open_network(
        &self,
        id: &str,
        policy: NetworkPolicy,
        control: &ControlAddress,
        cluster: &Cluster,
    ) -> Result<Network, RuntimeError>;

    /// Starts the container and returns once its first process runs. Its output
    /// goes to `output`, a pipe's write end; every copy of it is closed when the
    /// container has ended. Whoever drops the start before it is done has the
    /// container removed, whether or not it came to be, if this process lives to
    /// see it.
    async fn start(
        &self,
        container: &Container,
        network: &Network,
        output: OwnedFd,
    ) -> Result<Box<dyn Running>, RuntimeError>;
}

/// A container that was started.
#[async_trait]
pub trait Running: Send + Sync {
    /// Waits for the first process to end. When this returns, no process of the
    /// container is alive.
    async fn wait(&mut self) -> Result<Exit, RuntimeError>;

    /// Sends a signal to every process of the container for SIGTERM, so that
    /// shells do not swallow it, and to the whole container for SIGKILL.
    async fn signal(&self, signal: i32) -> Result<(), RuntimeError>;

    /// What measures the container while it runs, where that is possible.
    fn meter(&self) -> Option<Box<dyn Meter>> {
        None
    }

    /// Removes what the runtime made for it: cgroups, layers, engine containers.
    async fn remove(self: Box<Self>) -> Result<(), RuntimeError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn an_image_starts_as_it_says_itself() {
        let config = ImageConfig {
            entrypoint: words("/entry fixed"),
            command: words("serve now"),
            ..ImageConfig::default()
        };
        let start = Start::of_image(&config);
        let line = start.command_line(&config.entrypoint);
        assert_eq!(line, words("/entry fixed serve now"));
        let unsaid = Start::of_image(&ImageConfig::default());
        assert!(unsaid.arguments().is_empty());
    }

    #[test]
    fn the_start_command_follows_the_container_contract() {
        let image = words("/entry fixed");
        let cases = [
            (None, None, "/entry fixed train"),
            (Some("/bin/sh -c x"), None, "/bin/sh -c x"),
            (None, Some("a b"), "/entry fixed a b"),
            (Some("/bin/sh"), Some("a b"), "/bin/sh a b"),
        ];
        for (entrypoint, arguments, expected) in cases {
            let start = Start {
                entrypoint: entrypoint.map(words),
                arguments: arguments.map(words),
            };
            assert_eq!(start.command_line(&image), words(expected));
        }
    }
}
