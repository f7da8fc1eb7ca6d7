//! Channels in every mode, from the embedded S3 and from a second server.

use std::path::Path;
use std::time::Duration;

use super::clients::shell;
use super::job::{Channel, Jobs};
use super::turns::{Runner, in_turns};
use super::{Bench, Peer, Transfer, material};
use crate::client::Client;
use crate::error::BenchError;
use crate::latency::BUCKET;
use crate::options::Move;
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

/// What moves the large object.
const OF_THE_LARGE: [Move; 5] = [
    Move::Large,
    Move::Pipe,
    Move::RecordIo,
    Move::FastFile,
    Move::FirstByte,
];

/// An object in the bucket, or many.
struct Material {
    what: &'static str,
    name: &'static str,
    channel: Channel,
    bytes: u64,
    /// What Kiln aims at beside the AWS CLI and beside `cp`, in per cent.
    targets: [Option<u32>; 2],
}

/// Moves objects into jobs.
pub fn measure(bench: &Bench<'_>) -> Result<Vec<Transfer>, BenchError> {
    let options = bench.options;
    let mut transfers = Vec::new();
    if OF_THE_LARGE.into_iter().any(|one| options.moves(one)) {
        provide_large(bench)?;
    }
    if options.moves(Move::Large) {
        let large = Material {
            what: "one large object",
            name: "large",
            channel: LARGE_FILE,
            bytes: options.large_bytes(),
            targets: [None, Some(80)],
        };
        transfers.extend(files(bench, &large)?);
    }
    if options.moves(Move::Small) {
        transfers.extend(files(bench, &provide_small(bench)?)?);
    }
    for (one, what, wrapper) in [
        (Move::Pipe, "raw", "None"),
        (Move::RecordIo, "RecordIO", "RecordIO"),
    ] {
        if options.moves(one) {
            transfers.push(piped(bench, what, wrapper)?);
        }
    }
    if options.moves(Move::FastFile) {
        transfers.push(fast_file(bench)?);
    }
    Ok(transfers)
}

/// Makes the large object, and the same as a file.
fn provide_large(bench: &Bench<'_>) -> Result<(), BenchError> {
    let large = bench.path("large");
    let made = std::fs::create_dir(&large)
        .and_then(|()| material::noise(&large.join("object"), bench.options.large_bytes()));
    made.map_err(BenchError::io("making data"))?;
    upload(bench, "large")
}

/// Makes the small objects, and the same as files.
fn provide_small(bench: &Bench<'_>) -> Result<Material, BenchError> {
    let count = bench.options.small_objects();
    let made = material::many(&bench.path("small"), count, SMALL);
    made.map_err(BenchError::io("making data"))?;
    upload(bench, "small")?;
    Ok(Material {
        what: "many small objects",
        name: "small",
        channel: SMALL_FILES,
        bytes: SMALL * count as u64,
        targets: [Some(500), None],
    })
}

fn upload(bench: &Bench<'_>, name: &str) -> Result<(), BenchError> {
    let from = format!("{}/", bench.path(name).display());
    let to = format!("s3://{BUCKET}/{name}/");
    bench.clients.s5cmd(&from, &to).map(drop)
}

/// What Kiln takes to bring objects from its own S3 and from another, and what
/// others take to bring the same.
fn files(bench: &Bench<'_>, material: &Material) -> Result<[Transfer; 2], BenchError> {
    let Material { name, channel, .. } = *material;
    let outer = Kiln::start_beside(bench.options, bench.kiln.endpoint())?;
    let mut jobs = bench.jobs(name);
    let mut jobs_beside = Jobs::new(Client::new(outer.endpoint()), name);
    let download = |jobs: &mut Jobs| jobs.run(channel, "true")?.stage("Downloading");
    let from = format!("s3://{BUCKET}/{name}/");
    let line = format!("cp -r {name} copies");
    let [embedded, second, aws, s5cmd, cp] = in_turns(
        bench.options.rounds(),
        [
            Runner::new(|| download(&mut jobs)),
            Runner::new(|| download(&mut jobs_beside)),
            Runner::once(|| copied(bench, |to| bench.clients.aws(&from, to))),
            Runner::new(|| copied(bench, |to| bench.clients.s5cmd(&format!("{from}*"), to))),
            Runner::new(|| copied(bench, |_| shell(bench.directory.path(), &line))),
        ],
    )?;
    let [of_aws, of_cp] = material.targets;
    let peers = vec![
        peer("aws s3 cp --recursive", aws, of_aws),
        peer("s5cmd", s5cmd, None),
        peer("cp of the files", cp, of_cp),
    ];
    let servers = [("embedded S3", embedded), ("second S3 server", second)];
    Ok(servers.map(|(server, kiln)| Transfer {
        what: format!("File mode, {}, {server}", material.what),
        bytes: material.bytes,
        kiln,
        peers: peers.clone(),
    }))
}

/// Has a peer bring the objects, and removes them.
fn copied(
    bench: &Bench<'_>,
    run: impl FnOnce(&str) -> Result<Duration, BenchError>,
) -> Result<Duration, BenchError> {
    let to = bench.path("copies");
    let took = run(&format!("{}/", to.display()));
    let _ = std::fs::remove_dir_all(&to);
    took
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
    let [kiln, cat] = in_turns(
        bench.options.rounds(),
        [
            Runner::new(|| jobs.run(channel, script)?.between_probes()),
            Runner::new(|| shell(bench.directory.path(), &line)),
        ],
    )?;
    Ok(Transfer {
        what: format!("Pipe mode, {what}, into `cat`"),
        bytes: bench.options.large_bytes(),
        kiln,
        peers: vec![peer("cat file > fifo", cat, Some(80))],
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
    let [kiln, dd] = in_turns(
        bench.options.rounds(),
        [
            Runner::new(|| jobs.run(channel, &script)?.between_probes()),
            Runner::new(|| shell(bench.directory.path(), &line)),
        ],
    )?;
    Ok(Transfer {
        what: "FastFile mode, one sequential read".to_owned(),
        bytes: bench.options.large_bytes(),
        kiln,
        peers: vec![peer("dd of the local file", dd, None)],
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
    let first_byte = Runner::new(|| jobs.run(channel, script)?.between_probes());
    let [took] = in_turns(bench.options.rounds(), [first_byte])?;
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
