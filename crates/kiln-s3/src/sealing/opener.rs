//! Opening a range of a sealed body, block by block.

use std::fs::File;
use std::io;
use std::ops::Range;

use bytes::Bytes;
use kiln_store::objects::{Sealed, Segment};
use ring::aead::{Aad, LessSafeKey, NONCE_LEN, Nonce};

use super::chunks::{self, CHUNK, SEALED_CHUNK};
use super::master::Wrapper;
use super::{MasterKey, Place, SealError};
use crate::content::read_at;

/// A range of a sealed body on its way out.
#[derive(Debug)]
pub(crate) struct Opener {
    file: File,
    wrapper: Wrapper,
    /// The segments from the present one on.
    segments: std::vec::IntoIter<Segment>,
    present: Option<Open>,
    /// What has not been handed out, counted from where the present segment
    /// begins or, without one, where the next does.
    rest: Range<u64>,
    /// Where that is on disk.
    offset: u64,
}

/// The segment that is being read, with its data key unwrapped.
#[derive(Debug)]
struct Open {
    size: u64,
    cipher: LessSafeKey,
}

impl Opener {
    /// Opens these bytes of an object.
    pub(crate) fn new(
        master: &MasterKey,
        file: File,
        sealed: &Sealed,
        place: Place,
        bytes: Range<u64>,
    ) -> Result<Self, SealError> {
        Ok(Self {
            file,
            wrapper: master.wrapper(&sealed.encryption, place)?,
            segments: sealed.segments.clone().into_iter(),
            present: None,
            rest: bytes,
            offset: 0,
        })
    }

    /// The next bytes, `most` of them or fewer; none at the end.
    pub(crate) fn next_block(&mut self, most: u64) -> io::Result<Bytes> {
        if self.rest.is_empty() {
            return Ok(Bytes::new());
        }
        self.advance().map_err(io::Error::other)?;
        let Some(present) = &self.present else {
            return Err(io::Error::other(SealError::Incomplete));
        };
        let start = self.rest.start;
        let end = self.rest.end.min(present.size);
        let end = end.min(chunks::block_end(start, most));
        let chunks = chunks::holding(&(start..end));
        let place = chunks::on_disk(&chunks, present.size);
        let mut block = read_at(
            &self.file,
            self.offset + place.start,
            place.end - place.start,
        )?;
        open_chunks(&present.cipher, chunks.start, &mut block).map_err(io::Error::other)?;

        let within = |at: u64| usize::try_from(at - chunks.start * CHUNK).unwrap_or(0);
        self.rest.start = end;
        Ok(Bytes::from(block).slice(within(start)..within(end)))
    }

    /// Goes on to the segment in which the rest begins.
    fn advance(&mut self) -> Result<(), SealError> {
        let passed = |open: &Open| self.rest.start >= open.size;
        if let Some(open) = self.present.take_if(|open| passed(open)) {
            self.pass(open.size);
        }
        while self.present.is_none() {
            let Some(segment) = self.segments.next() else {
                return Err(SealError::Incomplete);
            };
            if self.rest.start >= segment.size {
                self.pass(segment.size);
                continue;
            }
            let data_key = self.wrapper.unwrap(&segment)?;
            self.present = Some(Open {
                size: segment.size,
                cipher: data_key.cipher,
            });
        }
        Ok(())
    }

    /// Leaves a segment behind.
    fn pass(&mut self, size: u64) {
        self.rest = self.rest.start - size..self.rest.end - size;
        self.offset += chunks::sealed_size(size);
    }
}

/// Opens chunks where they lie; each moves up to where the one before it ends.
fn open_chunks(cipher: &LessSafeKey, first: u64, block: &mut [u8]) -> Result<(), SealError> {
    let sealed = usize::try_from(SEALED_CHUNK).unwrap_or(usize::MAX);
    let plain = usize::try_from(CHUNK).unwrap_or(usize::MAX);
    for (index, number) in (0..block.len().div_ceil(sealed)).zip(first..) {
        let end = ((index + 1) * sealed).min(block.len());
        let chunk = &mut block[index * plain..end];
        cipher
            .open_within(
                nonce(number),
                Aad::empty(),
                chunk,
                index * (sealed - plain)..,
            )
            .map_err(|_| SealError::Chunk(number))?;
    }
    Ok(())
}

/// The nonce of a chunk: its number, which no other chunk under its data key has.
pub(super) fn nonce(number: u64) -> Nonce {
    let mut nonce = [0; NONCE_LEN];
    nonce[NONCE_LEN - 8..].copy_from_slice(&number.to_be_bytes());
    Nonce::assume_unique_for_key(nonce)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sealing::Sealer;
    use kiln_store::objects::Encryption;
    use proptest::prelude::*;
    use std::io::Write;

    /// A master key, and a body of segments of these sizes.
    struct Fixture {
        master: MasterKey,
        body: tempfile::NamedTempFile,
        sealed: Sealed,
        content: Vec<u8>,
    }

    fn place() -> Place {
        Place {
            bucket: "b".to_owned(),
            key: "k".to_owned(),
        }
    }

    fn fixture(sizes: &[usize]) -> Fixture {
        let directory = tempfile::tempdir().unwrap();
        let master = MasterKey::open(directory.path(), || Ok(false)).unwrap();
        let mut body = tempfile::NamedTempFile::new().unwrap();
        let total = sizes.iter().sum();
        let content: Vec<u8> = (0..total).map(|n: usize| (n % 251) as u8).collect();
        let mut rest = content.as_slice();
        let segments = sizes.iter().map(|size| {
            let (now, later) = rest.split_at(*size);
            rest = later;
            let mut sealer = Sealer::new(&master, &Encryption::Aes256, place()).unwrap();
            // Pieces that do not fall in with the chunks.
            for piece in now.chunks(50_000) {
                sealer.write(piece, &mut body).unwrap();
            }
            sealer.finish(&mut body).unwrap()
        });
        let sealed = Sealed {
            encryption: Encryption::Aes256,
            segments: segments.collect(),
        };
        body.flush().unwrap();
        Fixture {
            master,
            body,
            sealed,
            content,
        }
    }

    impl Fixture {
        fn read(&self, bytes: Range<u64>, most: u64) -> io::Result<Vec<u8>> {
            let file = self.body.reopen()?;
            let opener = Opener::new(&self.master, file, &self.sealed, place(), bytes);
            let mut opener = opener.map_err(io::Error::other)?;
            let mut all = Vec::new();
            loop {
                let block = opener.next_block(most)?;
                if block.is_empty() {
                    return Ok(all);
                }
                assert!(block.len() as u64 <= most);
                all.extend_from_slice(&block);
            }
        }

        fn all(&self) -> io::Result<Vec<u8>> {
            self.read(0..self.content.len() as u64, 1 << 20)
        }
    }

    #[test]
    fn ranges_at_the_borders_are_read() {
        let chunk = CHUNK as usize;
        let sizes = [chunk, 0, 1, 2 * chunk + 5, chunk - 1];
        let fixture = fixture(&sizes);
        let total = fixture.content.len() as u64;
        let mut borders = vec![0, total, CHUNK, CHUNK + 1, 2 * CHUNK + 1, 3 * CHUNK + 6];
        borders.extend(borders.clone().iter().map(|border| (border + 1).min(total)));
        borders.extend(
            borders
                .clone()
                .iter()
                .map(|border| border.saturating_sub(1)),
        );
        for start in &borders {
            for end in &borders {
                if start > end {
                    continue;
                }
                let read = fixture.read(*start..*end, 1 << 20).unwrap();
                let (from, to) = (*start as usize, *end as usize);
                assert!(read == fixture.content[from..to], "{start}..{end}");
            }
        }
    }

    #[test]
    fn empty_bodies_are_empty_files() {
        let fixture = fixture(&[0]);
        assert_eq!(fixture.body.as_file().metadata().unwrap().len(), 0);
        assert_eq!(fixture.all().unwrap(), b"");
    }

    #[test]
    fn what_was_changed_on_disk_is_never_read() {
        let sealed_chunk = SEALED_CHUNK as usize;
        let fixture = fixture(&[CHUNK as usize * 3]);
        let path = fixture.body.path();
        let stored = std::fs::read(path).unwrap();
        assert!(
            !stored
                .windows(200)
                .any(|window| window == &fixture.content[..200])
        );
        let refused = |changed: &[u8]| {
            std::fs::write(path, changed).unwrap();
            fixture.all().unwrap_err().to_string()
        };
        for at in [0, sealed_chunk - 1, sealed_chunk, 3 * sealed_chunk - 1] {
            let mut changed = stored.clone();
            changed[at] ^= 1;
            let number = at / sealed_chunk;
            assert!(
                refused(&changed).contains(&format!("chunk {number} ")),
                "{at}"
            );
        }
        let mut swapped = stored.clone();
        swapped[..2 * sealed_chunk].rotate_left(sealed_chunk);
        assert!(refused(&swapped).contains("chunk 0"));
        refused(&stored[..2 * sealed_chunk]);
        refused(&stored[..stored.len() - 1]);
        std::fs::write(path, &stored).unwrap();
        assert!(fixture.all().unwrap() == fixture.content);
    }

    #[test]
    fn segments_keep_their_lengths_and_order() {
        let mut fixture = fixture(&[10, 20]);
        let total = 30;
        fixture.sealed.segments.swap(0, 1);
        assert!(fixture.read(0..total, 64).is_err());
        fixture.sealed.segments.swap(0, 1);
        fixture.sealed.segments[1].size = 10;
        assert!(fixture.read(0..20, 64).is_err());
        fixture.sealed.segments.pop();
        assert!(fixture.read(0..total, 64).is_err());
        assert!(fixture.read(0..10, 64).is_ok());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn any_range_of_any_body_is_what_was_written(
            sizes in prop::collection::vec(0usize..200_000, 1..4),
            ends in any::<[prop::sample::Index; 2]>(),
            most in 1u64 << 12..1 << 18,
        ) {
            let fixture = fixture(&sizes);
            let mut ends = ends.map(|end| end.index(fixture.content.len() + 1));
            ends.sort_unstable();
            let read = fixture.read(ends[0] as u64..ends[1] as u64, most).unwrap();
            prop_assert!(read == fixture.content[ends[0]..ends[1]]);
        }
    }
}
