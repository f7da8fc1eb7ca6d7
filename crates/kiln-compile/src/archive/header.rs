//! What precedes an entry whose name or size does not fit into its header.

use std::io::Read;

use super::ArchiveError;
use super::entry::Extension;

/// More than any name needs, and little enough to be kept in memory.
const MOST: u64 = 64 << 10;

/// What was said of the next entry.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    name: Option<Vec<u8>>,
    size: Option<u64>,
    sparse: bool,
}

/// An entry, with what was said of it ahead.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Described {
    pub(super) name: Vec<u8>,
    pub(super) size: u64,
    pub(super) sparse: bool,
}

impl Ahead {
    /// Takes in an extension.
    pub(super) fn take(
        &mut self,
        extension: Extension,
        size: u64,
        content: &mut impl Read,
    ) -> Result<(), ArchiveError> {
        if size > MOST {
            return Err(broken("an entry's header is too large"));
        }
        let mut bytes = Vec::new();
        let read = content.take(MOST).read_to_end(&mut bytes);
        read.map_err(ArchiveError::unreadable)?;
        match extension {
            Extension::Ignored => Ok(()),
            Extension::LongName => {
                while bytes.last() == Some(&0) {
                    bytes.pop();
                }
                self.name = Some(bytes);
                Ok(())
            }
            Extension::Records => self.take_records(&bytes),
        }
    }

    /// The entry that has come, with what its own header says where nothing was said ahead.
    pub(super) fn applied(self, name: Vec<u8>, size: u64) -> Described {
        Described {
            name: self.name.unwrap_or(name),
            size: self.size.unwrap_or(size),
            sparse: self.sparse,
        }
    }

    /// Records are `length key=value`, each with a line break.
    fn take_records(&mut self, mut records: &[u8]) -> Result<(), ArchiveError> {
        while !records.is_empty() {
            let (record, rest) = first_record(records)
                .ok_or_else(|| broken("the extended header of an entry is broken"))?;
            records = rest;
            let Some(equals) = record.iter().position(|byte| *byte == b'=') else {
                return Err(broken("the extended header of an entry is broken"));
            };
            let (key, value) = (&record[..equals], &record[equals + 1..]);
            match key {
                b"path" => self.name = Some(value.to_vec()),
                b"size" => self.size = Some(decimal(value)?),
                _ if key.starts_with(b"GNU.sparse") => self.sparse = true,
                _ => {}
            }
        }
        Ok(())
    }
}

fn decimal(text: &[u8]) -> Result<u64, ArchiveError> {
    let number = std::str::from_utf8(text).ok();
    let number = number.and_then(|number| number.parse().ok());
    number.ok_or_else(|| broken("the size of an entry is no number"))
}

/// The text of the first record, and what is behind it.
fn first_record(records: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = records.iter().position(|byte| *byte == b' ')?;
    let length: usize = std::str::from_utf8(&records[..space]).ok()?.parse().ok()?;
    if length <= space + 1 || length > records.len() || records[length - 1] != b'\n' {
        return None;
    }
    Some((&records[space + 1..length - 1], &records[length..]))
}

fn broken(why: &str) -> ArchiveError {
    ArchiveError::NotTarGz(why.to_owned())
}
