//! Channels in every mode, from the embedded S3 and from a second server.

use std::path::Path;
use std::time::Duration;

use super::clients::shell;
use super::job::{Channel, Jobs};
use super::{Bench, Peer, Transfer, material, median};
use crate::client::Client;
use crate::error::BenchError;
use crate::latency::BUCKET;
use crate::server::Kiln;

const SMALL: u64 = 64 << 10;
/// A long object is made of so many copies of the large one.
const COPIES: u64 = 5;
const LONG: &str = "long/object";

const LARGE_FILE: Channel = Channel {
    mode: "File",
    wrapper: "None",
    prefix: "large/",
};
const SMALL_FILES: Channel = Channel {
    prefix: "small/",
    ..LARGE_FILE
};

/// Moves objects into jobs.
pub fn measure(bench: &Bench<'_>) -> Result<Vec<Transfer>, BenchError> {
    provide(bench)?;
    let mut transfers = files(bench)?;
    for (what, wrapper) in [("raw", "None"), ("RecordIO", "RecordIO")] {
        transfers.push(piped(bench, what, wrapper)?);
    }
    transfers.push(fast_file(bench)?);
    Ok(transfers)
}

/// Makes the objects, and the same as files.
fn provide(bench: &Bench<'_>) -> Result<(), BenchError> {
    let options = bench.options;
    let large = bench.path("large");
    let made = std::fs::create_dir(&large)
        .and_then(|()| material::noise(&large.join("object"), options.large_bytes()))
        .and_then(|()| material::many(&bench.path("small"), options.small_objects(), SMALL));
    made.map_err(BenchError::io("making data"))?;
    for name in ["large", "small"] {
        let from = format!("{}/", bench.path(name).display());
        bench
            .clients
            .s5cmd(&from, &format!("s3://{BUCKET}/{name}/"))?;
    }
    Ok(())
}

fn files(bench: &Bench<'_>) -> Result<Vec<Transfer>, BenchError> {
    let kinds = [
        ("one large object", "large", LARGE_FILE),
        ("many small objects", "small", SMALL_FILES),
    ];
    let outer = Kiln::start_beside(bench.options, bench.kiln.endpoint())?;
    let mut transfers = Vec::new();
    for (what, name, channel) in kinds {
        let peers = copies(bench, name)?;
        let (large, count) = (bench.options.large_bytes(), bench.options.small_objects());
        let bytes = match name {
            "large" => large,
            _ => SMALL * count as u64,
        };
        let servers = [
            ("embedded S3", bench.jobs(name)),
            (
                "second S3 server",
                Jobs::new(Client::new(outer.endpoint()), name),
            ),
        ];
        for (server, mut jobs) in servers {
            let kiln = median(bench.options.rounds(), || {
                jobs.run(channel, "true")?.stage("Downloading")
            })?;
            transfers.push(Transfer {
                what: format!("File mode, {what}, {server}"),
                bytes,
                kiln,
                peers: peers.clone(),
            });
        }
    }
    Ok(transfers)
}

/// What others take to bring the same objects.
fn copies(bench: &Bench<'_>, name: &str) -> Result<Vec<Peer>, BenchError> {
    let from = format!("s3://{BUCKET}/{name}/");
    let to = bench.path("copies");
    let cleared = |run: &dyn Fn(&str) -> Result<Duration, BenchError>| {
        let took = run(&format!("{}/", to.display()));
        let _ = std::fs::remove_dir_all(&to);
        took
    };
    let rounds = bench.options.rounds();
    let aws = cleared(&|to| bench.clients.aws(&from, to))?;
    let s5cmd = median(rounds, || {
        cleared(&|to| bench.clients.s5cmd(&format!("{from}*"), to))
    })?;
    let line = format!("cp -r {name} copies");
    let cp = median(rounds, || {
        cleared(&|_| shell(bench.directory.path(), &line))
    })?;
    let (of_aws, of_cp) = match name {
        "large" => (None, Some(80)),
        _ => (Some(500), None),
    };
    Ok(vec![
        peer("aws s3 cp --recursive", aws, of_aws),
        peer("s5cmd", s5cmd, None),
        peer("cp of the files", cp, of_cp),
    ])
}

fn piped(
    bench: &Bench<'_>,
    what: &'static str,
    wrapper: &'static str,
) -> Result<Transfer, BenchError> {
    let channel = Channel {
        mode: "Pipe",
        wrapper,
        prefix: LARGE_FILE.prefix,
    };
    let name = if wrapper == "None" { "pipe" } else { "record" };
    let script = "probe; cat /opt/ml/input/data/data_0 > /dev/null; probe";
    let mut jobs = bench.jobs(name);
    let busybox = bench.options.busybox.display();
    let line = format!(
        "rm -f fifo; mkfifo fifo; cat large/object > fifo & {busybox} cat fifo > /dev/null; wait"
    );
    let rounds = bench.options.rounds();
    Ok(Transfer {
        what: format!("Pipe mode, {what}, into `cat`"),
        bytes: bench.options.large_bytes(),
        kiln: median(rounds, || jobs.run(channel, script)?.between_probes())?,
        peers: vec![peer(
            "cat file > fifo",
            median(rounds, || shell(bench.directory.path(), &line))?,
            Some(80),
        )],
    })
}

fn fast_file(bench: &Bench<'_>) -> Result<Transfer, BenchError> {
    let channel = Channel {
        mode: "FastFile",
        ..LARGE_FILE
    };
    let read = |file: &Path| format!("dd if={} of=/dev/null bs=1M", file.display());
    let inside = read(Path::new("/opt/ml/input/data/data/object"));
    let script = format!("probe; {inside} 2>/dev/null; probe");
    let mut jobs = bench.jobs("fast");
    let busybox = bench.options.busybox.display();
    let line = format!("{busybox} {} 2>/dev/null", read(Path::new("large/object")));
    let rounds = bench.options.rounds();
    Ok(Transfer {
        what: "FastFile mode, one sequential read".to_owned(),
        bytes: bench.options.large_bytes(),
        kiln: median(rounds, || jobs.run(channel, &script)?.between_probes())?,
        peers: vec![peer(
            "dd of the local file",
            median(rounds, || shell(bench.directory.path(), &line))?,
            None,
        )],
    })
}

/// The size of a long object, and how soon its first byte is there.
pub fn first_byte(bench: &Bench<'_>) -> Result<(u64, Duration), BenchError> {
    make_long(bench)?;
    let channel = Channel {
        mode: "FastFile",
        wrapper: "None",
        prefix: "long/",
    };
    let script = "probe; head -c 1 /opt/ml/input/data/data/object > /dev/null; probe";
    let mut jobs = bench.jobs("first-byte");
    let took = median(bench.options.rounds(), || {
        jobs.run(channel, script)?.between_probes()
    })?;
    bench.clients.api(
        "delete-object",
        "VersionId",
        &["--bucket", BUCKET, "--key", LONG],
    )?;
    Ok((COPIES * bench.options.large_bytes(), took))
}

/// Makes the long object on the server, of parts that are copies.
fn make_long(bench: &Bench<'_>) -> Result<(), BenchError> {
    let object = ["--bucket", BUCKET, "--key", LONG];
    let api = |call, query, rest: &[&str]| {
        bench
            .clients
            .api(call, query, &[&object[..], rest].concat())
    };
    let upload = api("create-multipart-upload", "UploadId", &[])?;
    let source = format!("{BUCKET}/large/object");
    let mut parts = Vec::new();
    for number in 1..=COPIES {
        let number = number.to_string();
        let named = ["--upload-id", &upload, "--part-number", &number];
        let rest = [&named[..], &["--copy-source", &source]].concat();
        let tag = api("upload-part-copy", "CopyPartResult.ETag", &rest)?;
        let tag = tag.trim_matches('"');
        parts.push(format!(r#"{{"ETag": "{tag}", "PartNumber": {number}}}"#));
    }
    let parts = format!(r#"{{"Parts": [{}]}}"#, parts.join(","));
    let rest = ["--upload-id", &upload, "--multipart-upload", &parts];
    api("complete-multipart-upload", "ETag", &rest).map(drop)
}

fn peer(name: &'static str, took: Duration, target: Option<u32>) -> Peer {
    Peer { name, took, target }
}
