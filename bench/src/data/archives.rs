//! `model.tar.gz` of data of which half compresses, beside `tar`.

use std::time::Duration;

use super::clients::shell;
use super::job::{Channel, Jobs};
use super::turns::{Runner, in_turns};
use super::{Bench, Peer, Transfer, material};
use crate::error::BenchError;
use crate::latency::BUCKET;

const FILES: u64 = 8;

/// Packs outputs.
pub fn measure(bench: &Bench<'_>) -> Result<Transfer, BenchError> {
    let bytes = provide(bench)?;
    let mut jobs = bench.jobs("archive");
    let mut last = String::new();
    let tar = |compress: &str, archive: &str| {
        // What a store has taken in is on the disk, too.
        let line = format!("tar -C mixed {compress} > {archive} && sync {archive}");
        shell(bench.directory.path(), &line)
    };
    let [kiln, tar_gzip, tar_pigz] = in_turns(
        bench.options.rounds(),
        [
            Runner::new(|| pack(&mut jobs, &mut last)),
            Runner::once(|| tar("-cz .", "gzip")),
            Runner::new(|| tar("-c . | pigz", "pigz")),
        ],
    )?;
    let what = format!(
        "model.tar.gz, half of it text (Kiln {} MiB, tar cz {} MiB, pigz {} MiB)",
        stored(bench, &last)? >> 20,
        length(bench, "gzip")? >> 20,
        length(bench, "pigz")? >> 20,
    );
    let peer = |name, took, target| Peer { name, took, target };
    Ok(Transfer {
        what,
        bytes,
        kiln,
        peers: vec![
            peer("tar cz", tar_gzip, None),
            peer("tar c \\| pigz", tar_pigz, Some(90)),
        ],
    })
}

/// Makes the files, here and in the store, and answers how many bytes they have.
fn provide(bench: &Bench<'_>) -> Result<u64, BenchError> {
    let directory = bench.path("mixed");
    let bytes = bench.options.large_bytes();
    let file = |n: u64| material::mixed(&directory.join(n.to_string()), bytes / FILES);
    let made = std::fs::create_dir(&directory).and_then(|()| (0..FILES).try_for_each(file));
    made.map_err(BenchError::io("making data"))?;
    let from = format!("{}/", directory.display());
    let to = format!("s3://{BUCKET}/mixed/");
    bench.clients.s5cmd(&from, &to).map(|_| bytes)
}

/// How long a job's archive takes to be packed and stored; notes the job's name.
fn pack(jobs: &mut Jobs, name: &mut String) -> Result<Duration, BenchError> {
    let channel = Channel {
        mode: "File",
        wrapper: "None",
        prefix: "mixed/",
    };
    let ended = jobs.run(channel, "mv /opt/ml/input/data/data/* /opt/ml/model/")?;
    name.clone_from(&ended.name);
    ended.stage("Uploading")
}

/// The size of a job's archive.
fn stored(bench: &Bench<'_>, job: &str) -> Result<u64, BenchError> {
    let key = format!("out/{job}/output/model.tar.gz");
    let object = ["--bucket", BUCKET, "--key", &key];
    let size = bench.clients.api("head-object", "ContentLength", &object)?;
    size.parse()
        .map_err(|_| BenchError::job(job, "stored no archive"))
}

fn length(bench: &Bench<'_>, archive: &str) -> Result<u64, BenchError> {
    let archive = bench.path(archive).metadata();
    let archive = archive.map_err(BenchError::io("looking at an archive"))?;
    Ok(archive.len())
}
