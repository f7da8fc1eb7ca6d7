//! Sealing a segment while it is written.

use std::io::{self, Write};

use kiln_store::objects::{Encryption, Segment};
use ring::aead::Aad;

use super::chunks::{CHUNK, SEALED_CHUNK};
use super::master::{DataKey, Wrapper};
use super::{MasterKey, Place, SealError, opener};

/// Seals one segment for one object.
pub(crate) struct Sealer {
    data_key: DataKey,
    wrapper: Wrapper,
    /// The bytes of the chunk that is not full yet.
    pending: Vec<u8>,
    /// The number of bytes so far.
    size: u64,
}

impl Sealer {
    /// A sealer with a new data key.
    pub(crate) fn new(
        master: &MasterKey,
        encryption: &Encryption,
        place: Place,
    ) -> Result<Self, SealError> {
        Ok(Self {
            data_key: DataKey::generate()?,
            wrapper: master.wrapper(encryption, place)?,
            pending: Vec::with_capacity(usize::try_from(SEALED_CHUNK).unwrap_or(0)),
            size: 0,
        })
    }

    /// Takes in the next bytes, and writes each chunk that they fill.
    pub(crate) fn write(&mut self, mut bytes: &[u8], sink: &mut impl Write) -> io::Result<()> {
        let chunk = usize::try_from(CHUNK).unwrap_or(usize::MAX);
        while !bytes.is_empty() {
            let fits = bytes.len().min(chunk - self.pending.len());
            let (now, later) = bytes.split_at(fits);
            self.pending.extend_from_slice(now);
            self.size += now.len() as u64;
            if self.pending.len() == chunk {
                self.write_chunk(sink)?;
            }
            bytes = later;
        }
        Ok(())
    }

    /// Writes what is left, and returns what it takes to open the segment.
    pub(crate) fn finish(mut self, sink: &mut impl Write) -> io::Result<Segment> {
        if !self.pending.is_empty() {
            self.write_chunk(sink)?;
        }
        let segment = self.wrapper.wrap(&self.data_key, self.size);
        segment.map_err(io::Error::other)
    }

    fn write_chunk(&mut self, sink: &mut impl Write) -> io::Result<()> {
        let number = (self.size - 1) / CHUNK;
        let nonce = opener::nonce(number);
        self.data_key
            .cipher
            .seal_in_place_append_tag(nonce, Aad::empty(), &mut self.pending)
            .map_err(|_| io::Error::other(SealError::Cipher))?;
        sink.write_all(&self.pending)?;
        self.pending.clear();
        Ok(())
    }
}
