//! `cargo xtask test`: sets up what the tests need, and runs all of them.
//!
//! The Rust tests come first, then the end-to-end tests, which drive the built
//! program with real clients from a pinned Python environment. A container
//! engine of our own is started for the tests that need one.

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;

/// What else to run.
#[derive(Args)]
pub struct Options {
    /// Also run the tests that create a PyTorch environment of some gigabytes
    #[arg(long)]
    torch: bool,
    /// Also run the tests that drive the SageMaker Python SDKs and Airflow, more than a gigabyte
    #[arg(long)]
    sdks: bool,
    /// Also run the tests of the programs that export models of PyTorch, TensorFlow and for Core
    /// ML, with environments of several gigabytes
    #[arg(long)]
    exporters: bool,
    /// Also run the tests that reload optimized models with transformers, several gigabytes
    #[arg(long)]
    optimizers: bool,
    /// Also run the tests that load optimized models with vLLM, on the processor, many gigabytes
    #[arg(long)]
    vllm: bool,
    /// Also run the optimizer's Rust tests as a program for ARM, in an emulator; needs rustup
    #[arg(long)]
    arm: bool,
    /// Only the end-to-end tests, with these arguments for pytest
    #[arg(last = true)]
    pytest: Vec<String>,
}

/// A file, and Debian's package that has it.
type Package = (&'static str, &'static str);

/// What the tests use.
const PACKAGES: [Package; 7] = [
    ("/bin/busybox", "busybox-static"),
    ("/usr/bin/aws", "awscli"),
    ("/usr/bin/mpirun", "openmpi-bin"),
    ("/usr/sbin/sshd", "openssh-server"),
    ("/usr/bin/qemu-aarch64-static", "qemu-user-static"),
    ("/usr/aarch64-linux-gnu/lib/libc.so.6", "libc6-arm64-cross"),
    (
        "/usr/arm-linux-gnueabihf/lib/libc.so.6",
        "libc6-armhf-cross",
    ),
];

/// What links programs for ARM.
const ARM_LINKER: [Package; 1] = [("/usr/bin/aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu")];

/// Programs for ARM, as Rust calls them.
const ARM: &str = "aarch64-unknown-linux-gnu";

/// What runs them here.
const ARM_RUNNER: &str = "qemu-aarch64-static -L /usr/aarch64-linux-gnu";

/// The Python environment of the end-to-end tests: its name and its requirements.
const TESTS: (&str, &str) = ("test-venv", "tests/requirements.txt");

/// The environment with the compilers' tools, and the variable that tells the tests where
/// it is.
const TOOLS: (&str, (&str, &str)) = (
    "KILN_TEST_TOOLS",
    ("tools-venv", "tests/requirements-tools.txt"),
);

/// The environment that reloads optimized models, and the variable that tells the tests
/// where it is.
const OPTIMIZERS: (&str, (&str, &str)) = (
    "KILN_TEST_OPTIMIZERS",
    ("optimizers-venv", "tests/requirements-optimizers.txt"),
);

/// The environment with vLLM for processors, and the variable that tells the tests where
/// it is.
const VLLM: (&str, (&str, &str)) = (
    "KILN_TEST_VLLM",
    ("vllm-venv", "tests/requirements-vllm.txt"),
);

/// The directory of the JavaScript programs of the tests, and the one in `target/` where
/// what they need is installed.
const JAVASCRIPT: (&str, &str) = ("tests/javascript", "javascript");

/// The environments of the SDKs, and the variables that tell the tests where they are.
const SDKS: [(&str, (&str, &str)); 3] = [
    (
        "KILN_TEST_SDK_V2",
        ("sdk-v2-venv", "tests/requirements-sdk-v2.txt"),
    ),
    (
        "KILN_TEST_SDK_V3",
        ("sdk-v3-venv", "tests/requirements-sdk-v3.txt"),
    ),
    (
        "KILN_TEST_AIRFLOW",
        ("airflow-venv", "tests/requirements-airflow.txt"),
    ),
];

/// The environments of the exporters, by the locks that jobs get theirs from, and the
/// variables that tell the tests where they are.
const EXPORTERS: [(&str, (&str, &str)); 3] = [
    (
        "KILN_EXPORTER_PYTORCH",
        (
            "exporter-pytorch-venv",
            "crates/kiln-agent/environments/locks/exporter-pytorch.lock",
        ),
    ),
    (
        "KILN_EXPORTER_TENSORFLOW",
        (
            "exporter-tensorflow-venv",
            "crates/kiln-agent/environments/locks/exporter-tensorflow.lock",
        ),
    ),
    (
        "KILN_EXPORTER_COREML",
        (
            "exporter-coreml-venv",
            "crates/kiln-agent/environments/locks/exporter-coreml.lock",
        ),
    ),
];

/// Runs the tests.
pub fn run(options: &Options) -> Result<(), String> {
    let root = root()?;
    install(&PACKAGES)?;
    let engine = Engine::start(&root)?;
    let tools = python_environment(&root, TOOLS.1)?;
    let tools = tools.ancestors().nth(2).unwrap_or(&root);
    if options.pytest.is_empty() {
        step("The Rust tests");
        let mut tests = cargo(&root);
        tests
            .args(["test", "--workspace", "--all-targets"])
            .env(TOOLS.0, tools)
            .env("KILN_TEST_DOCKER", &engine.address);
        execute(&mut tests)?;
    }
    if options.arm {
        arm(&root)?;
    }
    step("The end-to-end tests");
    execute(cargo(&root).args(["build", "--package", "kiln"]))?;
    let mut pytest = Command::new(python_environment(&root, TESTS)?);
    pytest
        .args(["-m", "pytest"])
        .args(&options.pytest)
        .current_dir(&root);
    if options.torch {
        pytest.arg("--torch");
    }
    if options.exporters {
        for (variable, environment) in EXPORTERS {
            pytest.env(variable, python_environment(&root, environment)?);
        }
    }
    for (is_wanted, (variable, environment)) in
        [(options.optimizers, OPTIMIZERS), (options.vllm, VLLM)]
    {
        if is_wanted {
            let python = python_environment(&root, environment)?;
            pytest.env(variable, python.ancestors().nth(2).unwrap_or(&root));
        }
    }
    if options.sdks {
        pytest.arg("--sdks");
        for (variable, environment) in SDKS {
            pytest.env(variable, python_environment(&root, environment)?);
        }
    }
    pytest
        .env(TOOLS.0, tools)
        .env("KILN_BIN", root.join("target/debug/kiln"))
        .env(
            "KILN_TEST_JAVASCRIPT",
            javascript_packages(&root, JAVASCRIPT)?,
        )
        .env("KILN_CACHE_DIR", root.join("target/test-cache"))
        .env("KILN_TEST_DOCKER_HOST", &engine.address);
    execute(&mut pytest)
}

/// Runs the optimizer's Rust tests on ARM. They are compiled as what is released, since nothing
/// else has the vector instructions.
fn arm(root: &Path) -> Result<(), String> {
    install(&ARM_LINKER)?;
    step("The optimizer's Rust tests, on ARM");
    execute(Command::new("rustup").args(["target", "add", ARM]))?;
    let mut tests = cargo(root);
    tests
        .args(["test", "--release", "--package", "kiln-optimize", "--tests"])
        .args(["--target", ARM])
        .env(
            "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER",
            ARM_LINKER[0].0,
        )
        .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER", ARM_RUNNER);
    execute(&mut tests)
}

/// The workspace's directory.
pub fn root() -> Result<PathBuf, String> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = manifest.parent().ok_or("the workspace has no directory")?;
    Ok(root.to_owned())
}

/// Says what comes next.
pub fn step(what: &str) {
    println!("\n== {what}");
}

/// The cargo that runs us.
///
/// What it says to us of our own package is not for it: build scripts that look at such
/// variables, like that of `ring`, would run again, and all that stands on them be built anew.
pub fn cargo(root: &Path) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(root);
    let ours = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(ours) {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a command to its end, and fails when it fails.
pub fn execute(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{program} failed ({status})")),
        Err(error) => Err(format!("{program} could not be run: {error}")),
    }
}

/// Installs the packages whose files are missing.
fn install(packages: &[Package]) -> Result<(), String> {
    let missing = packages
        .iter()
        .filter(|(file, _)| !Path::new(file).exists());
    let missing: Vec<&str> = missing.map(|(_, package)| *package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    step(&format!("Installing {}", missing.join(", ")));
    execute(Command::new("apt-get").args(["update", "-qq"]))?;
    let install = ["install", "-y", "-qq", "--no-install-recommends"];
    execute(
        Command::new("apt-get")
            .args(install)
            .args(missing)
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )
}

/// The Python of an environment in `target/` with exactly the pinned requirements.
fn python_environment(root: &Path, (name, requirements): (&str, &str)) -> Result<PathBuf, String> {
    let directory = root.join("target").join(name);
    let python = directory.join("bin/python");
    let requirements = root.join(requirements);
    let wanted = read(&requirements)?;
    let stamp = directory.join("requirements.installed");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    step(&format!("Creating the Python environment {name}"));
    execute(
        Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(&directory),
    )?;
    let mut pip = Command::new(&python);
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--requirement",
    ])
    .arg(&requirements);
    execute(&mut pip)?;
    write(&stamp, &wanted)?;
    Ok(python)
}

/// A directory in `target/` with exactly the packages that a lock file names.
fn javascript_packages(root: &Path, (wanted, name): (&str, &str)) -> Result<PathBuf, String> {
    let wanted = root.join(wanted);
    let directory = root.join("target").join(name);
    let lock = read(&wanted.join("package-lock.json"))?;
    let stamp = directory.join("package-lock.installed");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(directory);
    }
    step("Installing the packages of JavaScript");
    write(
        &directory.join("package.json"),
        &read(&wanted.join("package.json"))?,
    )?;
    write(&directory.join("package-lock.json"), &lock)?;
    let quietly = ["--no-audit", "--no-fund", "--no-update-notifier"];
    let mut npm = Command::new("npm");
    npm.arg("ci").args(quietly).current_dir(&directory);
    execute(&mut npm)?;
    write(&stamp, &lock)?;
    Ok(directory)
}

/// Writes a file, and makes the directory that it is in.
fn write(path: &Path, text: &str) -> Result<(), String> {
    let directory = path.parent().unwrap_or(path);
    let made = std::fs::create_dir_all(directory);
    made.and_then(|()| std::fs::write(path, text))
        .map_err(|error| format!("{}: {error}", path.display()))
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// A container engine of the tests' own, stopped when dropped.
struct Engine {
    script: PathBuf,
    address: String,
}

impl Engine {
    fn start(root: &Path) -> Result<Self, String> {
        step("Starting a container engine");
        let script = root.join("tests/tools/docker-up.sh");
        let output = Command::new("sh").arg(&script).arg("up").output();
        let output = output.map_err(|error| format!("{}: {error}", script.display()))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(format!("no container engine could be started: {said}"));
        }
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let address = said.lines().last().unwrap_or_default().trim().to_owned();
        Ok(Self { script, address })
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // The next `up` takes over whatever is left.
        let _ = Command::new("sh").arg(&self.script).arg("down").status();
    }
}
