//! What every test here needs: the engine, an image made on the spot, and a
//! container that runs to its end.

use std::io::{PipeReader, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use kiln_agent::cluster::Cluster;
use kiln_agent::runtime::engine::EngineRuntime;
use kiln_agent::runtime::{
    Container, ControlAddress, Exit, ImageConfig, Limits, Network, NetworkPolicy, ResolvedImage,
    Root, Running, Runtime as _, RuntimeError, Start,
};

/// Nothing but busybox, no entrypoint, and a command that must never run.
pub const PLAIN: &str = "kiln-test/plain:latest";
/// The same with an entrypoint, variables and an anonymous volume.
pub const CONFIGURED: &str = "kiln-test/configured:latest";

const COMMANDS: [&str; 14] = [
    "cat", "echo", "env", "grep", "hostname", "ls", "nc", "sed", "seq", "sh", "sleep", "tail",
    "touch", "wget",
];

/// An engine to test against, and a directory for this test's files.
pub struct Rig {
    pub runtime: EngineRuntime,
    pub directory: tempfile::TempDir,
    pub socket: PathBuf,
}

/// How a container ended and everything it wrote.
#[derive(Debug)]
pub struct Outcome {
    pub exit: Exit,
    pub output: Vec<u8>,
}

impl Outcome {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.output).unwrap()
    }
}

/// A container on its way.
pub struct Launched {
    pub running: Box<dyn Running>,
    pub reader: PipeReader,
    pub network: Network,
}

impl Launched {
    /// Reads the output to its end, waits, and removes the container.
    pub async fn finish(mut self) -> Outcome {
        let mut reader = self.reader;
        let reading = tokio::task::spawn_blocking(move || {
            let mut output = Vec::new();
            reader.read_to_end(&mut output).unwrap();
            output
        });
        let exit = self.running.wait().await.unwrap();
        let output = reading.await.unwrap();
        self.running.remove().await.unwrap();
        Outcome { exit, output }
    }

    /// Reads until `marker` was written.
    pub async fn read_until(&mut self, marker: &'static str) {
        let mut reader = self.reader.try_clone().unwrap();
        let reading = tokio::task::spawn_blocking(move || {
            let mut seen = Vec::new();
            while !seen.ends_with(marker.as_bytes()) {
                let mut byte = [0];
                reader.read_exact(&mut byte).unwrap();
                seen.extend(byte);
            }
        });
        reading.await.unwrap();
    }
}

impl Rig {
    /// Connects to the engine that the environment names, or says why the test
    /// does nothing.
    pub async fn new() -> Option<Self> {
        let Ok(address) = std::env::var("KILN_TEST_DOCKER") else {
            println!("skipped: KILN_TEST_DOCKER names no container engine");
            return None;
        };
        let socket = PathBuf::from(address.trim_start_matches("unix://"));
        let runtime = EngineRuntime::connect(Some(socket.clone())).await.unwrap();
        let rig = Self {
            runtime,
            directory: tempfile::tempdir().unwrap(),
            socket,
        };
        rig.make_images();
        Some(rig)
    }

    /// Runs the docker client, and returns what it printed.
    pub fn docker(&self, arguments: &[&str]) -> String {
        self.docker_with_input(arguments, &[])
    }

    fn docker_with_input(&self, arguments: &[&str], input: &[u8]) -> String {
        let mut child = Command::new("docker")
            .args(["-H", &format!("unix://{}", self.socket.display())])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let done = child.wait_with_output().unwrap();
        assert!(done.status.success(), "docker {arguments:?}");
        String::from_utf8(done.stdout).unwrap()
    }

    fn make_images(&self) {
        if !self.docker(&["images", "-q", CONFIGURED]).is_empty() {
            return;
        }
        let root = self.directory.path().join("root");
        make_root(&root);
        let mut tar = Command::new("tar");
        let tar = tar.arg("-C").arg(&root).args(["-c", "."]);
        let tar = tar.output().unwrap().stdout;
        self.docker_with_input(&["import", "-c", "CMD [\"/bin/false\"]", "-", PLAIN], &tar);
        let changes = [
            "ENTRYPOINT [\"/bin/echo\", \"entry\"]",
            "ENV FROM_IMAGE=image",
            "ENV BOTH=image",
            "WORKDIR /tmp",
            "VOLUME /volume",
        ];
        let mut arguments = vec!["import"];
        arguments.extend(changes.iter().flat_map(|change| ["-c", change]));
        arguments.extend(["-", CONFIGURED]);
        self.docker_with_input(&arguments, &tar);
    }

    /// A container of the plain image that runs a shell script.
    pub fn shell(&self, script: &str) -> Container {
        let command = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
        Container {
            start: Start {
                entrypoint: Some(command),
                arguments: None,
            },
            ..self.container(PLAIN)
        }
    }

    /// A container of the image that starts as the image says.
    pub fn container(&self, image: &str) -> Container {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        Container {
            id: format!("kiln-test-{}-{number}", std::process::id()),
            image: ResolvedImage {
                root: Root::Engine(image.to_owned()),
                config: ImageConfig::default(),
            },
            start: Start::default(),
            env: Vec::new(),
            mounts: Vec::new(),
            shared: Vec::new(),
            hostname: "ip-10-0-0-1".to_owned(),
            hosts: vec![("algo-1".to_owned(), [127, 0, 0, 1].into())],
            gpus: Vec::new(),
            limits: Limits {
                memory_bytes: 256 << 20,
                cpus: 1.0,
                processes: 64,
                shm_bytes: 16 << 20,
            },
            scratch: self.directory.path().to_owned(),
        }
    }

    /// Starts the container in a network of the policy.
    pub async fn launch(
        &self,
        container: &Container,
        policy: NetworkPolicy,
        control: &ControlAddress,
    ) -> Result<Launched, RuntimeError> {
        let network = self
            .runtime
            .open_network(
                &container.id,
                policy,
                control,
                &Cluster::alone("algo-1", &container.id),
            )
            .await?;
        self.launch_in(container, network).await
    }

    /// Starts the container in a network that is open already.
    pub async fn launch_in(
        &self,
        container: &Container,
        network: Network,
    ) -> Result<Launched, RuntimeError> {
        let (reader, writer) = std::io::pipe().unwrap();
        let output = OwnedFd::from(writer);
        let running = self.runtime.start(container, &network, output).await?;
        Ok(Launched {
            running,
            reader,
            network,
        })
    }

    /// Starts the container where it reaches nothing.
    pub async fn launch_alone(&self, container: &Container) -> Result<Launched, RuntimeError> {
        let nowhere = ControlAddress::Fixed(([127, 0, 0, 1], 1).into());
        self.launch(container, NetworkPolicy::Isolated, &nowhere)
            .await
    }

    /// Runs the container to its end, where it reaches nothing.
    pub async fn run(&self, container: &Container) -> Outcome {
        self.launch_alone(container).await.unwrap().finish().await
    }

    /// Whether the engine still has a container of this id.
    pub fn is_there(&self, id: &str) -> bool {
        let filter = format!("name=^/?{id}$");
        !self
            .docker(&["ps", "--all", "--quiet", "--filter", &filter])
            .is_empty()
    }
}

/// A root file system of one static program under many names.
fn make_root(root: &Path) {
    for directory in ["bin", "etc", "tmp"] {
        std::fs::create_dir_all(root.join(directory)).unwrap();
    }
    std::fs::copy("/bin/busybox", root.join("bin/busybox")).unwrap();
    for command in COMMANDS {
        symlink("busybox", root.join("bin").join(command)).unwrap();
    }
    let text = root.join("etc/not-a-program");
    std::fs::write(&text, "text").unwrap();
    std::fs::set_permissions(&text, std::fs::Permissions::from_mode(0o644)).unwrap();
}
