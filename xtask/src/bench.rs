//! `cargo xtask bench`: builds Kiln as it is shipped, sets up the peers, and runs
//! the benchmarks. The page of figures goes to standard output, and all else
//! to standard error.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;

use crate::test::{cargo, execute, root};

/// How much to run.
#[derive(Args)]
pub struct Options {
    /// Only see that everything runs, without an optimised build; the figures mean nothing
    #[arg(long)]
    tiny: bool,
    /// Measure nothing but latency, throughput, data, logs, idle, command-line, trees,
    /// neural or optimize
    #[arg(long, value_name = "SECTION")]
    only: Option<String>,
    /// Move nothing but this, or these with commas between them, and measure no other
    /// section
    #[arg(long, value_name = "MOVE", conflicts_with = "only")]
    measure: Option<String>,
}

/// A static shell for the jobs, as Debian's package installs it.
const BUSYBOX: &str = "/bin/busybox";
const PIGZ: &str = "/usr/bin/pigz";

/// Runs the benchmarks.
pub fn run(options: &Options) -> Result<(), String> {
    let root = root()?;
    install_tools()?;
    let peers = environment(&root, "bench/requirements.txt", "bench-venv")?;
    let clients = environment(&root, "bench/clients.txt", "bench-clients-venv")?;
    let mut build = cargo(&root);
    build.args(["build", "--package", "kiln", "--package", "kiln-bench"]);
    if !options.tiny {
        build.args(["--profile", "dist"]);
    }
    execute(&mut build)?;
    let programs = root.join(if options.tiny {
        "target/debug"
    } else {
        "target/dist"
    });
    let mut bench = Command::new(programs.join("kiln-bench"));
    bench
        .arg("--kiln")
        .arg(programs.join("kiln"))
        .arg("--moto-server")
        .arg(peers.join("bin/moto_server"))
        .arg("--aws")
        .arg(clients.join("bin/aws"))
        .arg("--s5cmd")
        .arg(clients.join("bin/s5cmd"))
        .args(["--busybox", BUSYBOX]);
    if options.tiny {
        bench.arg("--tiny");
    }
    if options.only.as_deref() == Some("trees") {
        let peers = environment(&root, "bench/trees.txt", "bench-trees-venv")?;
        bench.arg("--trees").arg(peers.join("bin/python"));
    }
    if options.only.as_deref() == Some("neural") {
        let tools = environment(&root, "bench/neural.txt", "bench-neural-venv")?;
        bench.arg("--neural").arg(tools.join("bin/python"));
    }
    if options.only.as_deref() == Some("optimize") {
        let peers = environment(&root, "bench/optimize.txt", "bench-optimize-venv")?;
        bench.arg("--optimizers").arg(peers.join("bin/python"));
    }
    if let Some(section) = &options.only {
        bench.args(["--only", section]);
    }
    if let Some(moves) = &options.measure {
        bench.args(["--measure", moves]);
    }
    if std::env::var_os("KILN_CACHE_DIR").is_none() {
        // The tests' framework environments serve here as well.
        bench.env("KILN_CACHE_DIR", root.join("target/test-cache"));
    }
    execute(&mut bench)
}

/// The shell of the jobs, and a parallel gzip to compare with.
fn install_tools() -> Result<(), String> {
    if [BUSYBOX, PIGZ].iter().all(|tool| Path::new(tool).exists()) {
        return Ok(());
    }
    let install = "apt-get update -qq && apt-get install -y -qq --no-install-recommends \
                   busybox-static pigz";
    let mut shell = Command::new("sh");
    shell
        .args(["-c", install])
        .env("DEBIAN_FRONTEND", "noninteractive");
    execute(shell.stdout(Stdio::null()))
}

/// A Python environment in `target/` with exactly the pinned peers.
fn environment(root: &Path, requirements: &str, name: &str) -> Result<PathBuf, String> {
    let directory = root.join("target").join(name);
    let requirements = root.join(requirements);
    let wanted = std::fs::read_to_string(&requirements)
        .map_err(|error| format!("{}: {error}", requirements.display()))?;
    let stamp = directory.join("requirements.installed");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(directory);
    }
    eprintln!("Creating the peers' Python environment");
    execute(
        Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(&directory),
    )?;
    let mut pip = Command::new(directory.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--no-deps"])
        .arg("--requirement")
        .arg(&requirements);
    execute(pip.stdout(Stdio::null()))?;
    std::fs::write(&stamp, wanted).map_err(|error| format!("{}: {error}", stamp.display()))?;
    Ok(directory)
}
