//! The servers under measurement, as child processes that end with us.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::client::Endpoint;
use crate::error::BenchError;
use crate::options::Options;
use crate::{image, processes};

/// How long a server may take to be ready.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// The data directory, in the server's own.
const DATA: &str = "data";
const READY: &str = "kiln is ready at http://";

/// A running `kiln serve` on a data directory of its own, with the shell image.
#[derive(Debug)]
pub struct Kiln {
    endpoint: Endpoint,
    child: Child,
    directory: TempDir,
    program: PathBuf,
    /// The other S3 that it has its objects in, if it has.
    store: Option<Endpoint>,
}

impl Kiln {
    /// Starts it and waits until it is ready.
    pub fn start(options: &Options) -> Result<Self, BenchError> {
        Self::start_with(options, None)
    }

    /// Starts one that has its objects in another S3.
    pub fn start_beside(options: &Options, store: &Endpoint) -> Result<Self, BenchError> {
        Self::start_with(options, Some(store))
    }

    fn start_with(options: &Options, store: Option<&Endpoint>) -> Result<Self, BenchError> {
        let directory =
            TempDir::with_prefix("kiln-bench-").map_err(BenchError::io("making a directory"))?;
        let data = directory.path().join(DATA);
        let root = image::make(directory.path(), &options.busybox)?;
        let mut add = Command::new(&options.kiln);
        add.args(["images", "add", image::NAME]).arg(root);
        output(add.arg("--data-dir").arg(&data))?;
        let (child, address) = serve(&options.kiln, &data, directory.path(), store)?;
        let mut kiln = Self {
            endpoint: Endpoint {
                address,
                access_key: String::new(),
                secret_key: String::new(),
            },
            child,
            directory,
            program: options.kiln.clone(),
            store: store.cloned(),
        };
        let exports = output(
            Command::new(&options.kiln)
                .arg("env")
                .arg("--data-dir")
                .arg(&data),
        )?;
        kiln.endpoint.access_key = export(&options.kiln, &exports, "AWS_ACCESS_KEY_ID")?;
        kiln.endpoint.secret_key = export(&options.kiln, &exports, "AWS_SECRET_ACCESS_KEY")?;
        Ok(kiln)
    }

    /// Stops it, and starts it on what it left; it answers at another address.
    /// Answers when it was started.
    pub fn restart(&mut self) -> Result<Instant, BenchError> {
        end(&mut self.child);
        let started = Instant::now();
        let directory = self.directory.path();
        let store = self.store.as_ref();
        (self.child, self.endpoint.address) =
            serve(&self.program, &directory.join(DATA), directory, store)?;
        Ok(started)
    }

    /// Where it answers, and to whom.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The server's process.
    pub fn process(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }
}

impl Drop for Kiln {
    fn drop(&mut self) {
        end(&mut self.child);
        processes::end_all_that_mention(self.directory.path());
    }
}

fn serve(
    program: &Path,
    data: &Path,
    directory: &Path,
    store: Option<&Endpoint>,
) -> Result<(Child, SocketAddr), BenchError> {
    let log = File::create(directory.join("server.log"))
        .map_err(BenchError::io("making the server's log"))?;
    let mut serve = Command::new(program);
    serve
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(data);
    if let Some(store) = store {
        serve
            .arg("--s3-endpoint")
            .arg(format!("http://{}", store.address))
            .env("AWS_ACCESS_KEY_ID", &store.access_key)
            .env("AWS_SECRET_ACCESS_KEY", &store.secret_key);
    }
    let mut child = serve
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .map_err(BenchError::io(format!("starting {}", program.display())))?;
    let mut line = String::new();
    if let Some(stdout) = child.stdout.take() {
        BufReader::new(stdout)
            .read_line(&mut line)
            .map_err(BenchError::io("reading what the server says"))?;
    }
    let address = line
        .strip_prefix(READY)
        .and_then(|rest| rest.split(' ').next());
    match address.and_then(|address| address.parse().ok()) {
        Some(address) => Ok((child, address)),
        None => {
            end(&mut child);
            let log = std::fs::read_to_string(directory.join("server.log")).unwrap_or_default();
            Err(BenchError::program(
                program,
                format!("did not get ready: {line}{log}"),
            ))
        }
    }
}

/// A running `moto_server`.
#[derive(Debug)]
pub struct Moto {
    endpoint: Endpoint,
    child: Child,
}

impl Moto {
    /// Starts it and waits until it accepts connections.
    pub fn start(program: &Path) -> Result<Self, BenchError> {
        let address = free_address().map_err(BenchError::io("looking for a free port"))?;
        let child = Command::new(program)
            .args(["--host", "127.0.0.1", "--port", &address.port().to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(BenchError::io(format!("starting {}", program.display())))?;
        // Any key will do: this server verifies nothing.
        let endpoint = Endpoint {
            address,
            access_key: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret_key: "anything".to_owned(),
        };
        let moto = Self { endpoint, child };
        let deadline = Instant::now() + READY_WITHIN;
        while TcpStream::connect(address).is_err() {
            if Instant::now() > deadline {
                return Err(BenchError::program(program, "did not get ready"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(moto)
    }

    /// Where it answers.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

fn free_address() -> std::io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}

/// Asks a process to end, and waits until it has.
fn end(child: &mut Child) {
    let id = Pid::from_raw(child.id().cast_signed());
    // Either fails only for a process that is gone.
    let _ = kill(id, Signal::SIGTERM);
    let _ = child.wait();
}

fn output(command: &mut Command) -> Result<String, BenchError> {
    let program = PathBuf::from(command.get_program());
    let output = command
        .output()
        .map_err(BenchError::io(format!("running {}", program.display())))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(BenchError::program(&program, format!("failed: {said}")));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn export(program: &Path, exports: &str, name: &str) -> Result<String, BenchError> {
    let prefix = format!("export {name}=");
    let value = exports.lines().find_map(|line| line.strip_prefix(&prefix));
    value
        .map(str::to_owned)
        .ok_or_else(|| BenchError::program(program, format!("exported no {name}")))
}
