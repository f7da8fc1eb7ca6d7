//! Runs Kiln against its targets and its peers, and prints a table.
//!
//! Everything happens on this machine and in one run: how soon a job's own code
//! begins, how long a job that does nothing takes, and how many requests a
//! second are answered beside `moto_server`, with the same jobs in both stores,
//! how fast data moves in and out of jobs, what a job pays for its log, and what
//! a server costs that has nothing to do, how fast compiled tree ensembles and
//! neural networks are, and what it takes to quantize language models.

mod client;
mod data;
mod error;
mod http;
mod idle;
mod image;
mod invocation;
mod latency;
mod load;
mod logs;
mod neural;
mod occupant;
mod optimize;
mod options;
mod peer;
mod processes;
mod report;
mod samples;
mod script_mode;
mod server;
mod sign;
mod throughput;
mod trees;

use std::process::ExitCode;

use clap::Parser;

use crate::error::BenchError;
use crate::options::{Options, Section};
use crate::report::Report;

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("kiln-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<Report, BenchError> {
    Ok(Report {
        tiny: options.tiny,
        machine: report::machine(),
        shell: options
            .measures(Section::Latency)
            .then(|| latency::measure(options))
            .transpose()?,
        script: options
            .measures_script_mode()
            .then(|| script_mode::measure(options))
            .transpose()?,
        throughput: options
            .measures(Section::Throughput)
            .then(|| throughput::measure(options))
            .transpose()?,
        data: options
            .measures(Section::Data)
            .then(|| data::measure(options))
            .transpose()?,
        logs: options
            .measures(Section::Logs)
            .then(|| logs::measure(options))
            .transpose()?,
        idle: options
            .measures(Section::Idle)
            .then(|| idle::measure(options))
            .transpose()?,
        invocations: options
            .measures(Section::CommandLine)
            .then(|| invocation::measure(options))
            .transpose()?,
        trees: options
            .measures_trees()
            .then(|| trees::measure(options))
            .transpose()?,
        neural: options
            .measures_neural()
            .then(|| neural::measure(options))
            .transpose()?,
        optimizers: options
            .measures_optimize()
            .then(|| optimize::measure(options))
            .transpose()?,
    })
}
