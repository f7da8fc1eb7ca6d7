//! Reading an object to its end, whatever breaks on the way.
//!
//! A body that breaks off, stalls or ends too early is gone on with from where
//! it stopped, as long as the object has the same entity tag. The length and
//! the checksum that the store declared are checked at the end.

use std::ops::Range;

use bytes::Bytes;
use reqwest::header::{ETAG, HeaderMap};
use reqwest::{Response, StatusCode};

use super::Objects;
use super::answer::{self, ObjectHead};
use super::checksum::{Checksum, Digest};
use super::connection::Headers;
use super::local::{FileReader, LocalBody, WORTH_ASKING};
use super::retry::Backoff;
use crate::DataError;

/// The bytes of an object, or of a part of it, in order.
pub struct ObjectBody {
    objects: Objects,
    bucket: String,
    key: String,
    head: ObjectHead,
    /// Where the next byte lies in the object.
    at: u64,
    /// Where the bytes end, when that is known.
    end: Option<u64>,
    /// Bytes that come before the next one, from a store without ranges.
    ahead: u64,
    origin: Origin,
    digest: Option<(Digest, Checksum)>,
    backoff: Backoff,
}

/// Where the next bytes come from.
enum Origin {
    /// The object has to be opened again first.
    Nowhere,
    Answer(Response),
    /// The object's own file, on this machine.
    File(FileReader),
}

impl std::fmt::Debug for ObjectBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ObjectBody")
            .field("bucket", &self.bucket)
            .field("key", &self.key)
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

impl Objects {
    /// Opens an object, to be read to its end and checked.
    ///
    /// # Errors
    /// When the store refuses, or cannot be reached.
    pub async fn read(&self, bucket: &str, key: &str) -> Result<ObjectBody, DataError> {
        let response = self.get(bucket, key).await?;
        let head = ObjectHead::of(response.headers());
        let mut body = ObjectBody::new(self, bucket, key, 0, head.size);
        body.origin = Origin::Answer(response);
        body.expect(head);
        Ok(body)
    }

    /// Opens an object as [`Objects::read`] does, past the network where its
    /// file can be found and the size with which it was listed is worth that.
    ///
    /// # Errors
    /// When the store refuses, or cannot be reached.
    pub async fn read_listed(
        &self,
        bucket: &str,
        key: &str,
        size: Option<u64>,
    ) -> Result<ObjectBody, DataError> {
        let Some((found, size)) = self.local_body(bucket, key, size).await else {
            return self.read(bucket, key).await;
        };
        let mut body = ObjectBody::new(self, bucket, key, 0, Some(size));
        body.origin = Origin::File(FileReader::new(found.file, 0..size));
        body.expect(found.head);
        Ok(body)
    }

    /// The file of an object on this machine, and its size, where the size with
    /// which it was listed is worth the question.
    pub(crate) async fn local_body(
        &self,
        bucket: &str,
        key: &str,
        listed: Option<u64>,
    ) -> Option<(LocalBody, u64)> {
        let local = self.local.as_ref()?;
        listed.filter(|size| *size >= WORTH_ASKING)?;
        let found = local.find(bucket, key).await?;
        let size = found.head.size?;
        Some((found, size))
    }

    /// Opens a part of an object; with `if_match`, only of the object that has
    /// this entity tag.
    ///
    /// # Errors
    /// When the store refuses or cannot be reached, or the object was replaced.
    pub async fn read_range(
        &self,
        bucket: &str,
        key: &str,
        range: Range<u64>,
        if_match: Option<&str>,
    ) -> Result<ObjectBody, DataError> {
        let mut body = ObjectBody::new(self, bucket, key, range.start, Some(range.end));
        body.head.etag = if_match.map(str::to_owned);
        if !range.is_empty() {
            body.open().await?;
        }
        Ok(body)
    }
}

impl ObjectBody {
    fn new(objects: &Objects, bucket: &str, key: &str, at: u64, end: Option<u64>) -> Self {
        Self {
            objects: objects.clone(),
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            head: ObjectHead {
                size: None,
                etag: None,
                checksum: None,
            },
            at,
            end,
            ahead: 0,
            origin: Origin::Nowhere,
            digest: None,
            backoff: Backoff::new(objects.patience),
        }
    }

    /// Takes in what is known of the whole object.
    fn expect(&mut self, head: ObjectHead) {
        self.digest = head.checksum.map(|checksum| (checksum.digest(), checksum));
        self.head = head;
    }

    /// What the store said of the object when it was opened.
    #[must_use]
    pub fn head(&self) -> &ObjectHead {
        &self.head
    }

    /// The next bytes; `None` at the end. Dropping the future loses none.
    ///
    /// # Errors
    /// When the store refuses to go on or cannot be reached, when the object was
    /// replaced, or when the bytes are not those that the store declared.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, DataError> {
        loop {
            if self.end.is_some_and(|end| self.at >= end) {
                return self.finish().map(|()| None);
            }
            let broken = match self.receive().await {
                Ok(Some(chunk)) => match self.take(chunk) {
                    Some(chunk) => return Ok(Some(chunk)),
                    None => continue,
                },
                Ok(None) if self.end.is_none() => return self.finish().map(|()| None),
                Ok(None) => answer::broken("its body ended too early"),
                Err(error) => error,
            };
            self.origin = Origin::Nowhere;
            self.backoff.wait(broken).await?;
            self.open().await?;
        }
    }

    async fn receive(&mut self) -> Result<Option<Bytes>, DataError> {
        match &mut self.origin {
            // The last future was dropped between two tries.
            Origin::Nowhere => Err(answer::broken("its body was let go")),
            Origin::Answer(response) => self.objects.next_chunk(response).await,
            Origin::File(file) => match file.next().await {
                Ok(block) => Ok(Some(block)),
                Err(error) => {
                    // The store has better words for it, if not the bytes.
                    self.objects.local = None;
                    Err(answer::broken(&error.to_string()))
                }
            },
        }
    }

    /// What of a received chunk is asked for and new, if anything.
    fn take(&mut self, mut chunk: Bytes) -> Option<Bytes> {
        let ahead = self.ahead.min(chunk.len() as u64);
        self.ahead -= ahead;
        // Both are at most the chunk's length.
        let _ = chunk.split_to(ahead as usize);
        if let Some(end) = self.end {
            chunk.truncate(usize::try_from(end - self.at).unwrap_or(usize::MAX));
        }
        if chunk.is_empty() {
            return None;
        }
        self.at += chunk.len() as u64;
        self.backoff.reset();
        if let Some((digest, _)) = &mut self.digest {
            digest.update(&chunk);
        }
        Some(chunk)
    }

    fn finish(&mut self) -> Result<(), DataError> {
        self.end = Some(self.at);
        let checked = self.digest.take();
        if checked.is_none_or(|(digest, expected)| digest.agrees(&expected)) {
            Ok(())
        } else {
            Err(DataError::Corrupt(self.uri()))
        }
    }

    /// Asks for what is missing.
    async fn open(&mut self) -> Result<(), DataError> {
        if let Some(file) = self.file().await {
            self.origin = Origin::File(file);
            return Ok(());
        }
        let end = self.end.map(|end| end - 1);
        let end = end.map(|last| last.to_string()).unwrap_or_default();
        let mut headers: Headers = vec![("range", format!("bytes={}-{end}", self.at))];
        if let Some(etag) = &self.head.etag {
            headers.push(("if-match", format!("\"{}\"", unquoted(etag))));
        }
        let asked = self.objects.get_with(&self.bucket, &self.key, &headers);
        let response = asked.await.map_err(|error| match error {
            DataError::Refused { status: 412, .. } => DataError::Replaced(self.uri()),
            DataError::Refused { status: 416, .. } if self.head.etag.is_some() => {
                DataError::Replaced(self.uri())
            }
            error => error,
        })?;
        self.check_tag(response.headers())?;
        self.ahead = match response.status() {
            StatusCode::PARTIAL_CONTENT => 0,
            _ => self.at,
        };
        self.origin = Origin::Answer(response);
        Ok(())
    }

    /// What is missing, from the object's file. One with another tag or too few
    /// bytes is left to the store, which says what is wrong.
    async fn file(&mut self) -> Option<FileReader> {
        let missing = self.at..self.end?;
        let length = Some(missing.end - missing.start);
        let found = self.objects.local_body(&self.bucket, &self.key, length);
        let (LocalBody { file, head }, size) = found.await?;
        let (tag, expected) = (head.etag?, self.head.etag.as_deref());
        let same = expected.is_none_or(|expected| unquoted(expected) == unquoted(&tag));
        if !same || size < missing.end {
            return None;
        }
        self.head.etag = Some(tag);
        self.ahead = 0;
        Some(FileReader::new(file, missing))
    }

    /// Not every store honours `If-Match`.
    fn check_tag(&mut self, headers: &HeaderMap) -> Result<(), DataError> {
        let tag = headers.get(ETAG).and_then(|tag| tag.to_str().ok());
        match (&self.head.etag, tag) {
            (Some(expected), Some(tag)) if unquoted(expected) != unquoted(tag) => {
                Err(DataError::Replaced(self.uri()))
            }
            (None, Some(tag)) => {
                self.head.etag = Some(tag.to_owned());
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn uri(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.key)
    }
}

/// Listings of some stores leave the quotes of an entity tag out.
fn unquoted(tag: &str) -> &str {
    tag.trim_matches('"')
}
