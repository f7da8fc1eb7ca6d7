//! What to run, and how much of it.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

/// A part of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Section {
    /// Jobs that do nothing.
    Latency,
    /// Requests a second.
    Throughput,
    /// Data in and out of jobs.
    Data,
    /// A job that writes much to its log.
    Logs,
    /// A server with nothing to do, and the heads of queues.
    Idle,
    /// One invocation of the command line.
    CommandLine,
    /// Compiled tree ensembles.
    Trees,
    /// Compiled neural networks.
    Neural,
    /// Optimized language models.
    Optimize,
}

/// A part of the figures on data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Move {
    /// One large object in File mode.
    Large,
    /// Many small objects in File mode, which takes minutes for the peers.
    Small,
    /// One large object in Pipe mode.
    Pipe,
    /// One large object in Pipe mode, as a record.
    RecordIo,
    /// One large object in FastFile mode.
    FastFile,
    /// The first byte of a long object in FastFile mode.
    FirstByte,
    /// Artifacts.
    Archive,
}

/// Runs Kiln against its targets and its peers, and prints a table.
#[derive(Debug, Parser)]
#[command(name = "kiln-bench")]
pub struct Options {
    /// The `kiln` program to measure, built for release.
    #[arg(long, value_name = "PROGRAM")]
    pub kiln: PathBuf,
    /// The `moto_server` program to compare with.
    #[arg(long, value_name = "PROGRAM")]
    pub moto_server: PathBuf,
    /// The AWS CLI to compare with.
    #[arg(long, value_name = "PROGRAM")]
    pub aws: PathBuf,
    /// The `s5cmd` program to compare with.
    #[arg(long, value_name = "PROGRAM")]
    pub s5cmd: PathBuf,
    /// A statically linked busybox, the shell of the jobs that are run.
    #[arg(long, value_name = "PROGRAM", default_value = "/bin/busybox")]
    pub busybox: PathBuf,
    /// A Python with xgboost, ONNX Runtime, tl2cgen and zig, for compiled trees.
    #[arg(long, value_name = "PROGRAM")]
    pub trees: Option<PathBuf>,
    /// A Python with IREE's compiler, ONNX Runtime and zig, for compiled networks.
    #[arg(long, value_name = "PROGRAM")]
    pub neural: Option<PathBuf>,
    /// A Python with llm-compressor and a sentence encoder, for optimized models.
    #[arg(long, value_name = "PROGRAM")]
    pub optimizers: Option<PathBuf>,
    /// Only see that everything runs: few jobs, short times, no script mode.
    /// The figures mean nothing.
    #[arg(long)]
    pub tiny: bool,
    /// Measure nothing but this, to repeat it when the machine is idle.
    #[arg(long, value_name = "SECTION")]
    pub only: Option<Section>,
    /// Move nothing but this, or these, and measure no other section.
    #[arg(long, value_name = "MOVE", value_delimiter = ',')]
    pub measure: Vec<Move>,
}

impl Options {
    /// Whether this section is measured.
    pub fn measures(&self, section: Section) -> bool {
        let data = self.measure.is_empty() || section == Section::Data;
        data && self.only.is_none_or(|only| only == section)
    }

    /// Whether the figures on data have this part.
    pub fn moves(&self, one: Move) -> bool {
        self.measure.is_empty() || self.measure.contains(&one)
    }

    /// How many jobs that do nothing are run, one after another.
    pub fn shell_jobs(&self) -> usize {
        if self.tiny { 3 } else { 60 }
    }

    /// How many script-mode jobs are run, one after another.
    pub fn script_jobs(&self) -> usize {
        10
    }

    /// Script mode needs a framework environment of some hundred megabytes.
    pub fn measures_script_mode(&self) -> bool {
        !self.tiny && self.measures(Section::Latency)
    }

    /// Trees are compared with peers that take a gigabyte and minutes.
    pub fn measures_trees(&self) -> bool {
        self.trees.is_some() && self.measures(Section::Trees)
    }

    /// Networks need a compiler of some hundred megabytes, and minutes.
    pub fn measures_neural(&self) -> bool {
        self.neural.is_some() && self.measures(Section::Neural)
    }

    /// Optimizations are compared with a peer that takes gigabytes and minutes.
    pub fn measures_optimize(&self) -> bool {
        self.optimizers.is_some() && self.measures(Section::Optimize)
    }

    /// How many jobs lie in either store.
    pub fn stored_jobs(&self) -> usize {
        if self.tiny { 50 } else { 10_000 }
    }

    /// Bytes of one large object.
    pub fn large_bytes(&self) -> u64 {
        if self.tiny { 8 << 20 } else { 2 << 30 }
    }

    /// How many small objects there are.
    pub fn small_objects(&self) -> usize {
        if self.tiny { 50 } else { 20_000 }
    }

    /// How often data is moved, of which the median counts.
    pub fn rounds(&self) -> usize {
        if self.tiny { 1 } else { 5 }
    }

    /// How many lines a job writes to its log in one round.
    pub fn lines(&self) -> usize {
        if self.tiny { 2_000 } else { 200_000 }
    }

    /// How many jobs have ended on the server that has nothing to do.
    pub fn ended_jobs(&self) -> usize {
        if self.tiny { 200 } else { 100_000 }
    }

    /// How often each first page over all jobs is asked for.
    pub fn asked_pages(&self) -> usize {
        if self.tiny { 3 } else { 200 }
    }

    /// How long a server is watched that has nothing to do.
    pub fn rest(&self) -> Duration {
        Duration::from_secs(if self.tiny { 1 } else { 20 })
    }

    /// How many jobs stand in queues whose first jobs are followed.
    pub fn queue_lengths(&self) -> [usize; 2] {
        if self.tiny { [3, 30] } else { [100, 10_000] }
    }

    /// How many jobs of each queue are followed.
    pub fn started_jobs(&self) -> usize {
        if self.tiny { 3 } else { 100 }
    }

    /// How long one kind of request is sent.
    pub fn load_time(&self) -> Duration {
        Duration::from_secs(if self.tiny { 1 } else { 5 })
    }
}
