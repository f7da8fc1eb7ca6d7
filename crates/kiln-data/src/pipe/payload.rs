//! What one object or value puts into the pipe: decompressed and framed as the
//! channel asks for.

use std::path::PathBuf;

use bytes::Bytes;

use super::feed::Outlet;
use super::gunzip::Gunzip;
use super::poured::FileBody;
use super::spool::Spool;
use crate::recordio::{LengthError, Record};
use crate::{DataError, Objects};

/// How a channel presents its objects.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Presentation {
    /// Objects are decompressed with gzip.
    pub decompress: bool,
    /// Each object or value is one RecordIO record.
    pub record_io: bool,
}

/// The bytes for a value of an augmented manifest, which is never compressed.
pub(super) fn of_text(text: String, presentation: Presentation) -> Vec<Bytes> {
    let text = Bytes::from(text);
    match presentation.record_io {
        true => record(text),
        false => vec![text],
    }
}

fn record(payload: Bytes) -> Vec<Bytes> {
    let mut written = Vec::new();
    let mut write = |bytes| written.push(bytes);
    let mut record = Record::new(payload.len() as u64);
    let framed = record
        .push(payload, &mut write)
        .and_then(|()| record.finish(&mut write));
    debug_assert_eq!(framed, Ok(()), "the length announced is the payload's");
    written
}

/// Fetches an object and sends what it puts into the pipe to the outlet.
///
/// # Errors
/// When the object cannot be fetched, or is not what the channel says that it is.
/// The message names the object.
pub(super) async fn send_object(
    objects: &Objects,
    (bucket, key, size): (&str, &str, Option<u64>),
    presentation: Presentation,
    spool_directory: PathBuf,
    outlet: &mut Outlet,
) -> Result<(), DataError> {
    let uri = || format!("s3://{bucket}/{key}");
    if !presentation.decompress
        && let Some((local, size)) = objects.local_body(bucket, key, size).await
    {
        let record = presentation.record_io.then(|| Record::new(size));
        outlet.send_file(FileBody::new(local, size, record, uri()));
        return Ok(());
    }
    let mut body = objects
        .read_listed(bucket, key, size)
        .await
        .map_err(|error| error.fetching(bucket, key))?;
    let mut gunzip = presentation.decompress.then(Gunzip::new);
    let size = body.head().size.filter(|_| gunzip.is_none());
    let mut framing = match (presentation.record_io, size) {
        (false, _) => Framing::None,
        (true, Some(size)) => Framing::Record(Record::new(size)),
        (true, None) => Framing::Spool(Spool::new(spool_directory)),
    };
    while let Some(mut chunk) = body
        .chunk()
        .await
        .map_err(|error| error.fetching(bucket, key))?
    {
        let Some(gunzip) = &mut gunzip else {
            framing.push(chunk, outlet, uri).await?;
            continue;
        };
        while !chunk.is_empty() {
            let plain = gunzip.push(&mut chunk).map_err(not_gzip(uri))?;
            framing.push(plain, outlet, uri).await?;
        }
    }
    if let Some(gunzip) = gunzip {
        let plain = gunzip.finish().map_err(not_gzip(uri))?;
        framing.push(plain, outlet, uri).await?;
    }
    framing.finish(outlet, uri).await
}

/// What is made of a payload on its way.
enum Framing {
    None,
    /// A record of a length that is known.
    Record(Record),
    /// A record whose length is found by taking in the whole payload.
    Spool(Spool),
}

impl Framing {
    async fn push(
        &mut self,
        payload: Bytes,
        outlet: &mut Outlet,
        uri: impl Fn() -> String,
    ) -> Result<(), DataError> {
        match self {
            Self::None => outlet.send(payload).await,
            Self::Record(record) => push(record, payload, outlet, &uri).await?,
            Self::Spool(spool) => {
                if spool.overflows_with(&payload) {
                    // One file at a time: that of the object which is needed next.
                    outlet.foremost().await;
                }
                spool.push(&payload)?;
            }
        }
        Ok(())
    }

    async fn finish(self, outlet: &mut Outlet, uri: impl Fn() -> String) -> Result<(), DataError> {
        let record = match self {
            Self::None => return Ok(()),
            Self::Record(record) => record,
            Self::Spool(spool) => {
                let mut record = Record::new(spool.length());
                let mut spooled = spool.rewind()?;
                while let Some(chunk) = spooled.next()? {
                    push(&mut record, chunk, outlet, &uri).await?;
                }
                record
            }
        };
        let mut written = Vec::new();
        record
            .finish(&mut |bytes| written.push(bytes))
            .map_err(other_length(&uri))?;
        outlet.send_all(written).await;
        Ok(())
    }
}

async fn push(
    record: &mut Record,
    payload: Bytes,
    outlet: &mut Outlet,
    uri: &impl Fn() -> String,
) -> Result<(), DataError> {
    let mut written = Vec::new();
    record
        .push(payload, &mut |bytes| written.push(bytes))
        .map_err(other_length(uri))?;
    outlet.send_all(written).await;
    Ok(())
}

fn not_gzip(uri: impl Fn() -> String) -> impl FnOnce(std::io::Error) -> DataError {
    move |source| DataError::NotGzip { uri: uri(), source }
}

fn other_length(uri: &impl Fn() -> String) -> impl FnOnce(LengthError) -> DataError {
    move |error| DataError::Protocol(format!("{}: {error}", uri()))
}
