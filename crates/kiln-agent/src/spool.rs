//! The spool: every report, on disk, before it is delivered.
//!
//! Reports are appended as lines of JSON and delivered from the file, so a
//! control plane that is away for an hour costs disk and no memory, and an
//! agent that dies leaves behind what it had not delivered.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

use crate::report::{Numbered, Report};

/// The spool's name in the instance's directory.
pub const SPOOL_FILE: &str = "reports.spool";

/// The writing end.
#[derive(Debug)]
pub struct Spool {
    inner: Mutex<Inner>,
    last: watch::Sender<u64>,
}

#[derive(Debug)]
struct Inner {
    file: File,
    /// The last report's number and time; times never step back.
    n: u64,
    at: i64,
}

impl Spool {
    /// Creates the spool of a fresh instance.
    ///
    /// # Errors
    /// When the file exists or cannot be made.
    pub fn create(directory: &Path) -> io::Result<Self> {
        let file = File::options()
            .append(true)
            .create_new(true)
            .open(directory.join(SPOOL_FILE))?;
        Ok(Self {
            inner: Mutex::new(Inner { file, n: 0, at: 0 }),
            last: watch::Sender::new(0),
        })
    }

    /// Appends reports that happened now, in one write.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn append(&self, reports: impl IntoIterator<Item = Report>) -> io::Result<()> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.at = inner.at.max(now());
        let mut lines = Vec::new();
        for report in reports {
            inner.n += 1;
            let numbered = Numbered {
                n: inner.n,
                at: inner.at,
                report,
            };
            serde_json::to_writer(&mut lines, &numbered)?;
            lines.push(b'\n');
        }
        inner.file.write_all(&lines)?;
        self.last.send_replace(inner.n);
        Ok(())
    }

    /// Watches the number of the last report.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.last.subscribe()
    }
}

/// The reading end.
#[derive(Debug)]
pub struct SpoolReader {
    file: BufReader<File>,
    offset: u64,
}

impl SpoolReader {
    /// Opens an instance's spool at its beginning.
    ///
    /// # Errors
    /// When there is none.
    pub fn open(directory: &Path) -> io::Result<Self> {
        let file = BufReader::new(File::open(directory.join(SPOOL_FILE))?);
        Ok(Self { file, offset: 0 })
    }

    /// Reads the next whole reports, up to a number and a size in bytes. A last
    /// line that was cut off is left for later, or for ever.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read(&mut self, most: usize, bytes: usize) -> io::Result<Vec<Numbered>> {
        let mut reports = Vec::new();
        let begun = self.offset;
        let mut line = Vec::new();
        while reports.len() < most && self.offset - begun < bytes as u64 {
            line.clear();
            self.file.read_until(b'\n', &mut line)?;
            if line.last() != Some(&b'\n') {
                self.file.seek(SeekFrom::Start(self.offset))?;
                break;
            }
            match serde_json::from_slice(&line) {
                Ok(report) => reports.push(report),
                Err(error) if reports.is_empty() => return Err(error.into()),
                // What came before it is worth having; the next read says why it ends.
                Err(_) => {
                    self.file.seek(SeekFrom::Start(self.offset))?;
                    break;
                }
            }
            self.offset += line.len() as u64;
        }
        Ok(reports)
    }
}

/// Epoch milliseconds.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    since.as_millis() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_read_back_in_order_and_a_torn_line_waits() {
        let directory = tempfile::tempdir().unwrap();
        let spool = Spool::create(directory.path()).unwrap();
        let log = |n: u64| Report::Log(format!("line {n}"));
        spool.append((1..=5).map(log)).unwrap();
        let mut reader = SpoolReader::open(directory.path()).unwrap();
        let numbers = |reports: Vec<Numbered>| reports.iter().map(|r| r.n).collect::<Vec<_>>();
        assert_eq!(numbers(reader.read(3, 1 << 20).unwrap()), [1, 2, 3]);
        let mut raw = File::options()
            .append(true)
            .open(directory.path().join(SPOOL_FILE))
            .unwrap();
        raw.write_all(b"{\"n\":6,").unwrap();
        assert_eq!(numbers(reader.read(9, 1 << 20).unwrap()), [4, 5]);
        raw.write_all(b"\"at\":1,\"report\":{\"log\":\"x\"}}\n")
            .unwrap();
        assert_eq!(numbers(reader.read(9, 1 << 20).unwrap()), [6]);
    }

    #[test]
    fn an_instance_has_one_spool() {
        let directory = tempfile::tempdir().unwrap();
        let _spool = Spool::create(directory.path()).unwrap();
        assert!(Spool::create(directory.path()).is_err());
    }
}
