//! `model.tar.gz` of data of which half compresses, beside `tar`.

use std::time::Duration;

use super::clients::shell;
use super::job::Channel;
use super::{Bench, Peer, Transfer, material, median};
use crate::error::BenchError;
use crate::latency::BUCKET;

const FILES: u64 = 8;

/// Packs outputs.
pub fn measure(bench: &Bench<'_>) -> Result<Vec<Transfer>, BenchError> {
    let directory = bench.path("mixed");
    let bytes = bench.options.large_bytes();
    let file = |n: u64| material::mixed(&directory.join(n.to_string()), bytes / FILES);
    let made = std::fs::create_dir(&directory).and_then(|()| (0..FILES).try_for_each(file));
    made.map_err(BenchError::io("making data"))?;
    let from = format!("{}/", directory.display());
    bench
        .clients
        .s5cmd(&from, &format!("s3://{BUCKET}/mixed/"))?;
    let (kiln, size) = packed_by_kiln(bench)?;
    let mut peers = Vec::new();
    let mut sizes = vec![format!("Kiln {} MiB", size >> 20)];
    for (name, pack, target) in [
        ("tar cz", "tar -C mixed -cz .", None),
        ("tar c \\| pigz", "tar -C mixed -c . | pigz", Some(90)),
    ] {
        // What a store has taken in is on the disk, too.
        let line = format!("{pack} > archive && sync archive");
        let took = median(bench.options.rounds(), || {
            shell(bench.directory.path(), &line)
        })?;
        let archive = bench.path("archive").metadata();
        let size = archive.map_err(BenchError::io("looking at an archive"))?;
        sizes.push(format!("{name} {} MiB", size.len() >> 20));
        peers.push(Peer { name, took, target });
    }
    let what = format!("model.tar.gz, half of it text ({})", sizes.join(", "));
    Ok(vec![Transfer {
        what,
        bytes,
        kiln,
        peers,
    }])
}

/// How long an archive takes to be packed and stored, and its size.
fn packed_by_kiln(bench: &Bench<'_>) -> Result<(Duration, u64), BenchError> {
    let channel = Channel {
        mode: "File",
        wrapper: "None",
        prefix: "mixed/",
    };
    let mut jobs = bench.jobs("archive");
    let mut last = String::new();
    let took = median(bench.options.rounds(), || {
        let ended = jobs.run(channel, "mv /opt/ml/input/data/data/* /opt/ml/model/")?;
        last.clone_from(&ended.name);
        ended.stage("Uploading")
    })?;
    let key = format!("out/{last}/output/model.tar.gz");
    let object = ["--bucket", BUCKET, "--key", &key];
    let size = bench.clients.api("head-object", "ContentLength", &object)?;
    let size = size.parse();
    let size = size.map_err(|_| BenchError::job(&last, "stored no archive"))?;
    Ok((took, size))
}
