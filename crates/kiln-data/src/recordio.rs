//! RecordIO, the framing that tells a reader where one object ends.
//!
//! A record is a header of two little-endian words, the payload, and zeros up to
//! a multiple of four. The first word is a magic number. The second holds the
//! payload's length in its lower 29 bits and in the others which part of a
//! record this is, for a payload of 2^29 bytes and more goes in several parts:
//!
//! ```text
//! 0xCED7230A | flag << 29 | length | payload … | 0 to 3 zeros
//! ```
//!
//! The parts of a payload follow each other with nothing between them, as
//! SageMaker's own reader joins them. (MXNet's puts the magic number between
//! parts, since its writer cuts only where the payload holds it, and can
//! therefore not be given a payload of that length at all.)

use bytes::Bytes;

const MAGIC: u32 = 0xCED7_230A;
/// The longest payload of one part: a multiple of four, so that only a record's
/// last part is padded.
const LONGEST_PART: u32 = (1 << 29) - 4;
const PADDING: &[u8] = &[0; 3];

/// An object's length was not what its record had announced.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("its length is not the {announced} bytes that its record announced")]
pub struct LengthError {
    /// What the record's headers say.
    announced: u64,
}

/// A record that is being written as its payload comes.
#[derive(Debug)]
pub struct Record {
    length: u64,
    /// Payload that no header announces yet.
    unannounced: u64,
    /// What is still to come of the part whose header was written last.
    open: u32,
    begun: bool,
}

impl Record {
    /// A record for a payload of this length.
    #[must_use]
    pub fn new(length: u64) -> Self {
        Self {
            length,
            unannounced: length,
            open: 0,
            begun: false,
        }
    }

    /// Takes the next bytes of the payload, and hands on what to write for them.
    ///
    /// # Errors
    /// When they are more than the record announced.
    pub fn push(
        &mut self,
        mut payload: Bytes,
        write: &mut impl FnMut(Bytes),
    ) -> Result<(), LengthError> {
        while !payload.is_empty() {
            if self.open == 0 {
                self.begin_part(write);
            }
            if self.open == 0 {
                return Err(self.length_error());
            }
            let fitting = payload.len().min(self.open as usize);
            write(payload.split_to(fitting));
            self.open -= fitting as u32;
        }
        Ok(())
    }

    /// Hands on what ends the record.
    ///
    /// # Errors
    /// When the payload was shorter than the record announced.
    pub fn finish(mut self, write: &mut impl FnMut(Bytes)) -> Result<(), LengthError> {
        if !self.begun {
            self.begin_part(write);
        }
        if self.open > 0 || self.unannounced > 0 {
            return Err(self.length_error());
        }
        let padding = padding(self.length);
        if !padding.is_empty() {
            write(Bytes::from_static(padding));
        }
        Ok(())
    }

    fn begin_part(&mut self, write: &mut impl FnMut(Bytes)) {
        if self.begun && self.unannounced == 0 {
            return;
        }
        let length = part_length(self.unannounced);
        let last = u64::from(length) == self.unannounced;
        write(Bytes::copy_from_slice(&header(
            flag(!self.begun, last),
            length,
        )));
        self.begun = true;
        self.open = length;
        self.unannounced -= u64::from(length);
    }

    fn length_error(&self) -> LengthError {
        LengthError {
            announced: self.length,
        }
    }
}

/// How much of a remaining payload the next part takes.
fn part_length(remaining: u64) -> u32 {
    u32::try_from(remaining).map_or(LONGEST_PART, |remaining| remaining.min(LONGEST_PART))
}

/// Which part of its record a part is: 0 the whole, 1 the first, 2 one between,
/// 3 the last.
fn flag(first: bool, last: bool) -> u32 {
    match (first, last) {
        (true, true) => 0,
        (true, false) => 1,
        (false, false) => 2,
        (false, true) => 3,
    }
}

fn header(flag: u32, length: u32) -> [u8; 8] {
    let words = u64::from(MAGIC) | u64::from(flag << 29 | length) << 32;
    words.to_le_bytes()
}

fn padding(length: u64) -> &'static [u8] {
    &PADDING[..(length.wrapping_neg() % 4) as usize]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The record's bytes, with the payload pushed in these chunks.
    fn wrapped(announced: u64, chunks: &[&[u8]]) -> Result<Vec<u8>, LengthError> {
        let mut written = Vec::new();
        let mut write = |bytes: Bytes| written.extend_from_slice(&bytes);
        let mut record = Record::new(announced);
        for chunk in chunks {
            record.push(Bytes::copy_from_slice(chunk), &mut write)?;
        }
        record.finish(&mut write)?;
        Ok(written)
    }

    /// Reads records as SageMaker's reader does.
    fn read(mut bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut records = Vec::new();
        let mut record = Vec::new();
        while !bytes.is_empty() {
            let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
            assert_eq!(word(0), 0xCED7_230A);
            let (flag, length) = (word(4) >> 29, (word(4) & 0x1FFF_FFFF) as usize);
            record.extend_from_slice(&bytes[8..8 + length]);
            let padded = length.next_multiple_of(4);
            assert!(bytes[8 + length..8 + padded].iter().all(|byte| *byte == 0));
            bytes = &bytes[8 + padded..];
            if flag == 0 || flag == 3 {
                records.push(std::mem::take(&mut record));
            }
        }
        records
    }

    #[test]
    fn a_record_is_framed_as_its_readers_expect() {
        let cases: [(&[u8], &[u8]); 3] = [
            (b"", b"\x0a\x23\xd7\xce\0\0\0\0"),
            (b"abcd", b"\x0a\x23\xd7\xce\x04\0\0\0abcd"),
            (b"hello", b"\x0a\x23\xd7\xce\x05\0\0\0hello\0\0\0"),
        ];
        for (payload, expected) in cases {
            assert_eq!(wrapped(payload.len() as u64, &[payload]).unwrap(), expected);
        }
    }

    #[test]
    fn a_payload_of_another_length_is_refused() {
        let cases: [(u64, &[u8]); 4] = [(3, b"ab"), (3, b"abcd"), (0, b"a"), (1, b"")];
        for (announced, payload) in cases {
            assert_eq!(
                wrapped(announced, &[payload]),
                Err(LengthError { announced }),
                "{announced} {payload:?}"
            );
        }
    }

    #[test]
    fn long_payloads_go_in_parts() {
        let longest = u64::from(LONGEST_PART);
        let cases: [(u64, &[(u32, u64)]); 5] = [
            (longest, &[(0, longest)]),
            (longest + 1, &[(1, longest), (3, 1)]),
            (1 << 29, &[(1, longest), (3, 4)]),
            (2 * longest, &[(1, longest), (3, longest)]),
            (2 * longest + 7, &[(1, longest), (2, longest), (3, 7)]),
        ];
        // Shared, so that a payload of a gigabyte takes a megabyte.
        let zeros = Bytes::from(vec![0; 1 << 20]);
        for (length, expected) in cases {
            let mut parts = Vec::new();
            let mut payload = 0;
            let mut write = |bytes: Bytes| match bytes.strip_prefix(&MAGIC.to_le_bytes()) {
                Some(lrec) => {
                    let lrec = u32::from_le_bytes(lrec.try_into().unwrap());
                    parts.push((lrec >> 29, u64::from(lrec & 0x1FFF_FFFF)));
                }
                None => payload += bytes.len() as u64,
            };
            let mut record = Record::new(length);
            let mut left = length;
            while left > 0 {
                let chunk = zeros.slice(..zeros.len().min(left as usize));
                left -= chunk.len() as u64;
                record.push(chunk, &mut write).unwrap();
            }
            record.finish(&mut write).unwrap();
            assert_eq!(parts, expected);
            assert_eq!(payload, length.next_multiple_of(4));
        }
    }

    proptest! {
        #[test]
        fn records_come_back_however_they_were_cut(
            payloads in prop::collection::vec(
                prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..6),
                0..8,
            )
        ) {
            let mut stream = Vec::new();
            for chunks in &payloads {
                let chunks: Vec<_> = chunks.iter().map(Vec::as_slice).collect();
                let length = chunks.iter().map(|chunk| chunk.len() as u64).sum();
                stream.extend(wrapped(length, &chunks).unwrap());
            }
            let expected: Vec<_> = payloads.iter().map(|chunks| chunks.concat()).collect();
            prop_assert_eq!(read(&stream), expected);
        }
    }
}
