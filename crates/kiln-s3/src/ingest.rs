//! Taking in bodies: every byte is hashed, sealed where the object is encrypted,
//! and written once, on a thread that may block, while the async side only
//! passes the chunks on.

use std::fs::File;

use bytes::Bytes;
use futures::StreamExt;
use kiln_store::objects::Segment;
use s3s::dto::StreamingBlob;
use s3s::{S3ErrorCode, StdError};
use tokio::sync::mpsc;

use crate::S3Error;
use crate::bodies::{Bodies, Draft};
use crate::content::Content;
use crate::digest::{Digests, Hasher};
use crate::sealing::Sealer;

/// Chunks in flight between the network and the disk.
const QUEUE: usize = 16;

/// A body that was written and hashed, but is neither verified nor durable.
#[derive(Debug)]
pub(crate) struct Received {
    file: File,
    stored: Stored,
}

/// A body that is durable.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) draft: Draft,
    /// The number of bytes before encryption.
    pub(crate) size: u64,
    /// Their digests.
    pub(crate) digests: Digests,
    /// What opens it, when it was sealed.
    pub(crate) segment: Option<Segment>,
}

impl Received {
    /// The number of bytes.
    pub(crate) fn size(&self) -> u64 {
        self.stored.size
    }

    /// Their digests.
    pub(crate) fn digests(&self) -> &Digests {
        &self.stored.digests
    }

    /// Makes the body durable.
    pub(crate) async fn persist(self) -> Result<Stored, S3Error> {
        blocking(move || {
            self.stored.draft.sync(&self.file)?;
            Ok(self.stored)
        })
        .await
    }
}

/// A new body while it is written.
struct Writer {
    draft: Draft,
    file: File,
    hasher: Hasher,
    sealer: Option<Sealer>,
    size: u64,
}

impl Writer {
    fn create(bodies: &Bodies, hasher: Hasher, sealer: Option<Sealer>) -> Result<Self, S3Error> {
        let (draft, file) = bodies.create()?;
        Ok(Self {
            draft,
            file,
            hasher,
            sealer,
            size: 0,
        })
    }

    fn write(&mut self, chunk: &[u8]) -> Result<(), S3Error> {
        use std::io::Write;
        let written = match &mut self.sealer {
            None => self.file.write_all(chunk),
            Some(sealer) => sealer.write(chunk, &mut self.file),
        };
        written.map_err(S3Error::file("write", self.draft.path()))?;
        self.hasher.update(chunk);
        self.size += chunk.len() as u64;
        Ok(())
    }

    fn finish(mut self) -> Result<Received, S3Error> {
        let segment = self.sealer.map(|sealer| sealer.finish(&mut self.file));
        let segment = segment
            .transpose()
            .map_err(S3Error::file("write", self.draft.path()))?;
        Ok(Received {
            file: self.file,
            stored: Stored {
                draft: self.draft,
                size: self.size,
                digests: self.hasher.finish(),
                segment,
            },
        })
    }
}

/// Writes a request's body to a new file.
pub(crate) async fn receive(
    bodies: &Bodies,
    body: Option<StreamingBlob>,
    hasher: Hasher,
    sealer: Option<Sealer>,
) -> Result<Received, S3Error> {
    let (chunks, mut queue) = mpsc::channel::<Bytes>(QUEUE);
    let bodies = bodies.clone();
    let writer = tokio::task::spawn_blocking(move || {
        let mut writer = Writer::create(&bodies, hasher, sealer)?;
        while let Some(chunk) = queue.blocking_recv() {
            writer.write(&chunk)?;
        }
        writer.finish()
    });
    if let Some(body) = body {
        forward(body, chunks).await?;
    } else {
        drop(chunks);
    }
    writer.await.map_err(|_| S3Error::WorkerGone)?
}

/// Copies what an open body holds to a new one.
pub(crate) async fn copy(
    bodies: &Bodies,
    mut source: Content,
    hasher: Hasher,
    sealer: Option<Sealer>,
) -> Result<Received, S3Error> {
    let bodies = bodies.clone();
    blocking(move || {
        let mut writer = Writer::create(&bodies, hasher, sealer)?;
        loop {
            let block = source.next_block()?;
            if block.is_empty() {
                return writer.finish();
            }
            writer.write(&block)?;
        }
    })
    .await
}

/// Hashes what an open body holds.
pub(crate) async fn hash(mut source: Content, mut hasher: Hasher) -> Result<Digests, S3Error> {
    blocking(move || {
        loop {
            let block = source.next_block()?;
            if block.is_empty() {
                return Ok(hasher.finish());
            }
            hasher.update(&block);
        }
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

/// Why a body broke off. s3s keeps the types of these errors to itself, so
/// their text is all there is to go by; the tests drive each of them over HTTP.
#[must_use]
pub fn broken_body(error: &StdError) -> S3Error {
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
