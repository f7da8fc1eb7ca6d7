//! The spool: every report, on disk, before it is delivered.
//!
//! Reports are appended as lines of JSON and delivered from the file, so a
//! control plane that is away for an hour costs disk and no memory, and an
//! agent that dies leaves behind what it had not delivered. What was delivered is
//! given back to the disk while the file grows on, as a hole at its beginning.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use nix::fcntl::{FallocateFlags, fallocate};
use nix::unistd::{Whence, lseek};
use tokio::sync::watch;

use crate::report::{Numbered, Report};

/// The spool's name in the instance's directory.
pub const SPOOL_FILE: &str = "reports.spool";

/// No report is written as a longer line; what claims to be one is damage.
const LONGEST_REPORT: u64 = 4 << 20;
/// What a reader takes from the file at once.
const READ: usize = 64 << 10;
/// Reports read back at once.
const READ_BACK: usize = 1000;
/// Room is given back in pieces of this size: whole blocks of any file system.
const PIECE: u64 = 16 << 20;

/// What a spool says of the agents that wrote it before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Past {
    /// There was one that reported something.
    pub has_begun: bool,
    /// It reported the instance's end.
    pub has_ended: bool,
}

/// The writing end.
#[derive(Debug)]
pub struct Spool {
    inner: Mutex<Inner>,
    last: watch::Sender<u64>,
}

#[derive(Debug)]
struct Inner {
    file: File,
    /// Bytes of whole lines.
    length: u64,
    /// Whether more than whole lines may be in the file.
    torn: bool,
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
            inner: Mutex::new(Inner {
                file,
                length: 0,
                torn: false,
                n: 0,
                at: 0,
            }),
            last: watch::Sender::new(0),
        })
    }

    /// Opens the spool of an instance that an agent which died has lived before, or
    /// creates one. Numbers go on where they were, above the last one that is `known` of
    /// the instance; half a line is cut off.
    ///
    /// # Errors
    /// When the file cannot be made or read, or nothing of it says which number was
    /// the last.
    pub fn resume(directory: &Path, known: u64) -> io::Result<(Self, Past)> {
        let path = directory.join(SPOOL_FILE);
        if !path.exists() {
            drop(Self::create(directory)?);
        }
        let mut reader = SpoolReader::open(directory)?;
        let mut past = Past::default();
        let (mut n, mut at) = (0, 0);
        loop {
            let reports = reader.read(READ_BACK, READ)?;
            let Some(last) = reports.last() else {
                break;
            };
            (n, at) = (last.n, last.at);
            past.has_begun = true;
            past.has_ended = matches!(last.report, Report::Ended(_));
        }
        let n = n.max(known);
        if n == 0 && reader.offset > 0 {
            return Err(io::Error::other("no report is left whole"));
        }
        let mut inner = Inner {
            file: File::options().append(true).open(path)?,
            length: reader.offset,
            torn: true,
            n,
            at,
        };
        inner.mend()?;
        let spool = Self {
            inner: Mutex::new(inner),
            last: watch::Sender::new(n),
        };
        Ok((spool, past))
    }

    /// Appends reports that happened now.
    ///
    /// # Errors
    /// When the disk refuses. Reports that it has taken in whole stay.
    pub fn append(&self, reports: impl IntoIterator<Item = Report>) -> io::Result<()> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = inner.lines(reports)?;
        let written = inner.write(&lines);
        self.last.send_replace(inner.n);
        written
    }

    /// Watches the number of the last report.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.last.subscribe()
    }
}

impl Inner {
    /// The reports as lines, numbered from the next number on.
    fn lines(&mut self, reports: impl IntoIterator<Item = Report>) -> io::Result<Vec<u8>> {
        self.at = self.at.max(now());
        let mut lines = Vec::new();
        for (n, report) in (self.n + 1..).zip(reports) {
            let at = self.at;
            serde_json::to_writer(&mut lines, &Numbered { n, at, report })?;
            lines.push(b'\n');
        }
        Ok(lines)
    }

    /// Writes lines. Those that are written whole count even if the others fail,
    /// since they may have been read already; half a line is taken back.
    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        self.mend()?;
        self.torn = true;
        let (written, outcome) = write_counted(&mut self.file, lines);
        let whole = lines[..written].iter().rposition(|byte| *byte == b'\n');
        let whole = &lines[..whole.map_or(0, |end| end + 1)];
        self.length += whole.len() as u64;
        self.n += whole.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.torn = whole.len() < written;
        outcome.and_then(|()| self.mend())
    }

    /// Cuts off the half line that a failed write has left.
    fn mend(&mut self) -> io::Result<()> {
        if self.torn {
            self.file.set_len(self.length)?;
            self.torn = false;
        }
        Ok(())
    }
}

/// Writes as much as can be written, and says how much that was.
fn write_counted(file: &mut File, bytes: &[u8]) -> (usize, io::Result<()>) {
    let mut written = 0;
    while written < bytes.len() {
        match file.write(&bytes[written..]) {
            Ok(0) => return (written, Err(io::ErrorKind::WriteZero.into())),
            Ok(count) => written += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (written, Err(error)),
        }
    }
    (written, Ok(()))
}

/// The reading end.
#[derive(Debug)]
pub struct SpoolReader {
    path: PathBuf,
    file: BufReader<File>,
    offset: u64,
    /// Where the last report that was read begins.
    last: u64,
    /// Up to where room was given back.
    released: u64,
}

impl SpoolReader {
    /// Opens an instance's spool at the first report that it still holds.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn open(directory: &Path) -> io::Result<Self> {
        let path = directory.join(SPOOL_FILE);
        let mut file = BufReader::with_capacity(READ, File::open(&path)?);
        let offset = first_report(&mut file)?;
        Ok(Self {
            path,
            file,
            offset,
            last: offset,
            released: 0,
        })
    }

    /// Gives the room of what was read back to the disk, a large piece at a time.
    /// The rest stays where it is in the file.
    ///
    /// # Errors
    /// When the file system cannot.
    pub fn release(&mut self) -> io::Result<()> {
        // Whoever opens the file anew skips the report that the hole ends in, or
        // before. The last one stays, since its number is gone on from.
        let read = self.last.saturating_sub(1);
        let end = read - read % PIECE;
        if end <= self.released {
            return Ok(());
        }
        let file = File::options().write(true).open(&self.path)?;
        let hole = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
        fallocate(file, hole, 0, end.cast_signed())?;
        self.released = end;
        Ok(())
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
            let mut rest = self.file.by_ref().take(LONGEST_REPORT);
            rest.read_until(b'\n', &mut line)?;
            let parsed = parse(&line);
            if let Ok(Some(report)) = parsed {
                reports.push(report);
                self.last = self.offset;
                self.offset += line.len() as u64;
                continue;
            }
            self.file.seek(SeekFrom::Start(self.offset))?;
            match parsed {
                Err(error) if reports.is_empty() => return Err(error),
                // What came before it is worth having; the next read says why it ends.
                _ => break,
            }
        }
        Ok(reports)
    }
}

/// Goes to the first report of a spool whose beginning may be a hole, which may
/// end within a report, and answers where that is.
fn first_report(file: &mut BufReader<File>) -> io::Result<u64> {
    // There is no data in an empty file, nor does every file system know of holes.
    let data = lseek(file.get_ref(), 0, Whence::SeekData).map_or(0, i64::cast_unsigned);
    file.seek(SeekFrom::Start(data))?;
    if data == 0 {
        return Ok(0);
    }
    let mut rest_of_one = Vec::new();
    let mut near = file.by_ref().take(LONGEST_REPORT);
    near.read_until(b'\n', &mut rest_of_one)?;
    Ok(data + rest_of_one.len() as u64)
}

/// The report in a line; `None` when the line is not whole.
fn parse(line: &[u8]) -> io::Result<Option<Numbered>> {
    if line.last() == Some(&b'\n') {
        return Ok(Some(serde_json::from_slice(line)?));
    }
    if (line.len() as u64) < LONGEST_REPORT {
        return Ok(None);
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidData,
        "a line is longer than any report",
    ))
}

/// Epoch milliseconds.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    since.as_millis() as i64
}

#[cfg(test)]
#[path = "spool_tests.rs"]
mod tests;
