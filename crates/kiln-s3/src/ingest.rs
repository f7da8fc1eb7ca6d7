//! Taking in bodies: every byte is written and hashed once, on a thread that
//! may block, while the async side only passes the chunks on.

use std::fs::File;
use std::io::{Read, Write};

use bytes::Bytes;
use futures::StreamExt;
use kiln_store::objects::ChecksumAlgorithm;
use s3s::dto::StreamingBlob;
use s3s::{S3ErrorCode, StdError};
use tokio::sync::mpsc;

use crate::S3Error;
use crate::bodies::{Bodies, Draft};
use crate::digest::{Digests, Hasher};

/// Chunks in flight between the network and the disk.
const QUEUE: usize = 16;
/// How much of a file is read at once when it is hashed.
const READ_SIZE: usize = 1 << 20;

/// A body that was written and hashed, but is neither verified nor durable.
#[derive(Debug)]
pub(crate) struct Received {
    draft: Draft,
    file: File,
    /// The number of bytes.
    pub(crate) size: u64,
    /// Their digests.
    pub(crate) digests: Digests,
}

impl Received {
    /// Makes the body durable.
    pub(crate) async fn persist(self) -> Result<(Draft, u64, Digests), S3Error> {
        blocking(move || {
            self.draft.sync(&self.file)?;
            Ok((self.draft, self.size, self.digests))
        })
        .await
    }
}

/// Writes a request's body to a new file.
pub(crate) async fn receive(
    bodies: &Bodies,
    body: Option<StreamingBlob>,
    algorithms: Vec<ChecksumAlgorithm>,
) -> Result<Received, S3Error> {
    let (chunks, queue) = mpsc::channel(QUEUE);
    let bodies = bodies.clone();
    let writer = tokio::task::spawn_blocking(move || write(&bodies, queue, &algorithms));
    if let Some(body) = body {
        forward(body, chunks).await?;
    } else {
        drop(chunks);
    }
    writer.await.map_err(|_| S3Error::WorkerGone)?
}

/// Copies `length` bytes of an open file to a new body.
pub(crate) async fn copy(
    bodies: &Bodies,
    source: File,
    length: u64,
    algorithm: ChecksumAlgorithm,
) -> Result<Received, S3Error> {
    let bodies = bodies.clone();
    blocking(move || {
        let (draft, mut file) = bodies.create()?;
        let failed = || S3Error::file("copy to", draft.path());
        let (size, digests) = each_chunk(source.take(length), algorithm, |chunk| {
            file.write_all(chunk)
        })
        .map_err(failed())?;
        Ok(Received {
            draft,
            file,
            size,
            digests,
        })
    })
    .await
}

/// Hashes an open file.
pub(crate) async fn hash(source: File, algorithm: ChecksumAlgorithm) -> Result<Digests, S3Error> {
    blocking(move || {
        let hashed = each_chunk(source, algorithm, |_| Ok(()));
        let (_, digests) = hashed.map_err(S3Error::file("read", "a body".as_ref()))?;
        Ok(digests)
    })
    .await
}

/// Runs `work` on a thread that may block.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, S3Error> + Send + 'static,
) -> Result<T, S3Error> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| S3Error::WorkerGone)?
}

fn write(
    bodies: &Bodies,
    mut queue: mpsc::Receiver<Bytes>,
    algorithms: &[ChecksumAlgorithm],
) -> Result<Received, S3Error> {
    let (draft, mut file) = bodies.create()?;
    let mut hasher = Hasher::new(algorithms);
    let mut size = 0;
    while let Some(chunk) = queue.blocking_recv() {
        file.write_all(&chunk)
            .map_err(S3Error::file("write", draft.path()))?;
        hasher.update(&chunk);
        size += chunk.len() as u64;
    }
    Ok(Received {
        draft,
        file,
        size,
        digests: hasher.finish(),
    })
}

/// Passes the chunks on until the body ends. When it ends badly the writer's
/// result is never asked for, and its draft vanishes with it.
async fn forward(mut body: StreamingBlob, chunks: mpsc::Sender<Bytes>) -> Result<(), S3Error> {
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| broken_body(&error))?;
        if chunks.send(chunk).await.is_err() {
            // The writer has failed; what it says is what counts.
            return Ok(());
        }
    }
    Ok(())
}

fn each_chunk(
    mut source: impl Read,
    algorithm: ChecksumAlgorithm,
    mut sink: impl FnMut(&[u8]) -> std::io::Result<()>,
) -> std::io::Result<(u64, Digests)> {
    let mut hasher = Hasher::new(&[algorithm]);
    let mut buffer = vec![0; READ_SIZE];
    let mut size = 0;
    loop {
        let read = source.read(&mut buffer)?;
        if read == 0 {
            return Ok((size, hasher.finish()));
        }
        hasher.update(&buffer[..read]);
        sink(&buffer[..read])?;
        size += read as u64;
    }
}

/// Why a body broke off. s3s keeps the types of these errors to itself, so
/// their text is all there is to go by; the tests drive each of them over HTTP.
fn broken_body(error: &StdError) -> S3Error {
    let text = error.to_string();
    if text.contains("Sha256Mismatch") {
        return S3Error::refused(
            S3ErrorCode::Custom("XAmzContentSHA256Mismatch".into()),
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        );
    }
    if text.contains("SignatureMismatch") {
        return S3Error::refused(
            S3ErrorCode::SignatureDoesNotMatch,
            "The signature of a chunk does not match what was computed.",
        );
    }
    S3Error::refused(
        S3ErrorCode::IncompleteBody,
        "The request body terminated unexpectedly",
    )
}
