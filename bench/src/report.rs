//! The figures as a page of Markdown, with the targets beside them.

use std::fmt;
use std::time::Duration;

use crate::data::Data;
use crate::idle::Idle;
use crate::invocation::Invocations;
use crate::latency::Latency;
use crate::load::Load;
use crate::logs::Logs;
use crate::neural::Neural;
use crate::optimize::Optimizers;
use crate::samples::Samples;
use crate::throughput::Throughput;
use crate::trees::Trees;

/// Everything that was measured.
#[derive(Debug, Clone)]
pub struct Report {
    /// Whether so little was measured that the figures mean nothing.
    pub tiny: bool,
    /// What it was measured on.
    pub machine: String,
    /// Jobs with a shell entrypoint.
    pub shell: Option<Latency>,
    /// Jobs in script mode, when they were run.
    pub script: Option<Latency>,
    /// Requests a second.
    pub throughput: Option<Throughput>,
    /// Data in and out of jobs.
    pub data: Option<Data>,
    /// A job that writes much to its log.
    pub logs: Option<Logs>,
    /// A server with nothing to do, and the heads of queues.
    pub idle: Option<Idle>,
    /// Invocations of the command line.
    pub invocations: Option<Invocations>,
    /// Compiled tree ensembles.
    pub trees: Option<Trees>,
    /// Compiled neural networks.
    pub neural: Option<Neural>,
    /// Optimized language models.
    pub optimizers: Option<Optimizers>,
}

/// The machine: how many processors, how many processes want one.
pub fn machine() -> String {
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("unknown").to_owned();
    format!("{cpus} processors, load {load} at the start")
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# Benchmarks\n\nOn {}.\n", self.machine)?;
        if self.tiny {
            writeln!(
                f,
                "This run was too small for its figures to mean anything.\n"
            )?;
        }
        if let Some(shell) = &self.shell {
            write_latency(f, "a shell entrypoint", shell, ["50 ms", "150 ms"])?;
        }
        if let Some(script) = &self.script {
            write_latency(f, "script mode", script, ["1000 ms", "–"])?;
        }
        if let Some(throughput) = &self.throughput {
            write_throughput(f, throughput)?;
        }
        if let Some(data) = &self.data {
            write!(f, "\n{data}")?;
        }
        if let Some(logs) = &self.logs {
            write!(f, "\n{logs}")?;
        }
        if let Some(idle) = &self.idle {
            write!(f, "\n{idle}")?;
        }
        if let Some(invocations) = &self.invocations {
            write!(f, "\n{invocations}")?;
        }
        if let Some(trees) = &self.trees {
            write!(f, "\n{trees}")?;
        }
        if let Some(neural) = &self.neural {
            write!(f, "\n{neural}")?;
        }
        match &self.optimizers {
            Some(optimizers) => write!(f, "\n{optimizers}"),
            None => Ok(()),
        }
    }
}

fn write_latency(
    f: &mut fmt::Formatter<'_>,
    what: &str,
    latency: &Latency,
    targets: [&str; 2],
) -> fmt::Result {
    let count = latency.whole.count();
    writeln!(
        f,
        "## A job that does nothing, with {what} ({count} jobs)\n"
    )?;
    writeln!(f, "| | p50 | p90 | target |\n|---|---|---|---|")?;
    let [first, whole] = targets;
    write_samples(
        f,
        "first instruction after create's answer",
        &latency.first_instruction,
        first,
    )?;
    write_samples(
        f,
        "whole job, from create to Completed",
        &latency.whole,
        whole,
    )?;
    for (stage, samples) in &latency.stages {
        write_samples(f, &format!("of it: {stage}"), samples, "")?;
    }
    writeln!(f)
}

fn write_samples(
    f: &mut fmt::Formatter<'_>,
    what: &str,
    samples: &Samples,
    target: &str,
) -> fmt::Result {
    let (p50, p90) = (
        millis(samples.percentile(50)),
        millis(samples.percentile(90)),
    );
    writeln!(f, "| {what} | {p50} ms | {p90} ms | {target} |")
}

fn write_throughput(f: &mut fmt::Formatter<'_>, throughput: &Throughput) -> fmt::Result {
    let Throughput { jobs, kiln, moto } = throughput;
    writeln!(f, "## Requests a second, {jobs} jobs in the store\n")?;
    writeln!(
        f,
        "Signatures are verified by Kiln and not by moto. Targets: 50 times moto's throughput, \
         p99 under 2 ms.\n"
    )?;
    writeln!(f, "| | Kiln | p50 | p99 | moto | p50 | p99 | ratio |")?;
    writeln!(f, "|---|---|---|---|---|---|---|---|")?;
    for (operation, ours, theirs) in [
        ("CreateTrainingJob", &kiln.create, &moto.create),
        ("DescribeTrainingJob", &kiln.describe, &moto.describe),
        ("ListTrainingJobs", &kiln.list, &moto.list),
    ] {
        let ratio = ratio(ours.per_second(), theirs.per_second());
        writeln!(
            f,
            "| {operation} | {} | {} | {ratio} |",
            columns(ours),
            columns(theirs)
        )?;
    }
    Ok(())
}

fn columns(load: &Load) -> String {
    let latency = |percent| millis(load.latencies.percentile(percent));
    format!(
        "{:.0}/s | {} ms | {} ms",
        load.per_second(),
        latency(50),
        latency(99)
    )
}

fn millis(duration: Duration) -> String {
    format!("{:.2}", duration.as_secs_f64() * 1000.0)
}

fn ratio(ours: f64, theirs: f64) -> String {
    if theirs > 0.0 {
        format!("{:.1} ×", ours / theirs)
    } else {
        "–".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_as_a_person_would_write_them() {
        assert_eq!(millis(Duration::from_micros(1_234)), "1.23");
        assert_eq!(ratio(100.0, 8.0), "12.5 ×");
        assert_eq!(ratio(100.0, 0.0), "–");
    }
}
