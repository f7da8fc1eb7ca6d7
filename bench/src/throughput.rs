//! Requests a second beside `moto_server`: the same jobs in both stores, the
//! same signed requests, one server after the other on the same machine.

use serde_json::{Value, json};

use crate::client::{Client, Endpoint};
use crate::error::BenchError;
use crate::latency::{BUCKET, request};
use crate::load::{self, Load};
use crate::occupant::Occupant;
use crate::options::Options;
use crate::server::{Kiln, Moto};

/// Both servers' figures.
#[derive(Debug, Clone, Default)]
pub struct Throughput {
    /// Jobs in either store.
    pub jobs: usize,
    /// Kiln's figures.
    pub kiln: Figures,
    /// `moto_server`'s figures.
    pub moto: Figures,
}

/// One server's figures.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// `CreateTrainingJob`, until all jobs are there.
    pub create: Load,
    /// `DescribeTrainingJob`, of every job in turn.
    pub describe: Load,
    /// `ListTrainingJobs`, the newest ten.
    pub list: Load,
}

/// Loads both servers.
pub fn measure(options: &Options) -> Result<Throughput, BenchError> {
    let kiln = Kiln::start(options)?;
    let mut client = Client::new(kiln.endpoint());
    client.put(&format!("/{BUCKET}"), b"")?;
    // The jobs that follow wait in the queue.
    Occupant::take_machine(&mut client, "throughput")?;
    let of_kiln = figures(kiln.endpoint(), options)?;
    drop(kiln);
    let moto = Moto::start(&options.moto_server)?;
    Ok(Throughput {
        jobs: options.stored_jobs(),
        kiln: of_kiln,
        moto: figures(moto.endpoint(), options)?,
    })
}

fn figures(endpoint: &Endpoint, options: &Options) -> Result<Figures, BenchError> {
    let mut client = Client::new(endpoint);
    // A server may load what it needs only when it is first asked.
    client.sagemaker("ListTrainingJobs", &json!({}))?;
    let names: Vec<String> = (0..options.stored_jobs())
        .map(|n| format!("job-{n:05}"))
        .collect();
    let mut prepare = |operation: &str, input: fn(&str) -> Value| -> Vec<Vec<u8>> {
        let signed = names
            .iter()
            .map(|name| client.prepare(operation, &input(name)));
        signed.collect()
    };
    let time = options.load_time();
    let creates = prepare("CreateTrainingJob", |name| request(name, "true"));
    let create = load::once(endpoint, &creates)?;
    let describes = prepare(
        "DescribeTrainingJob",
        |name| json!({"TrainingJobName": name}),
    );
    let describe = load::repeat(endpoint, &describes, time)?;
    let lists = prepare("ListTrainingJobs", |_| json!({"MaxResults": 10}));
    let list = load::repeat(endpoint, &lists, time)?;
    Ok(Figures {
        create,
        describe,
        list,
    })
}
