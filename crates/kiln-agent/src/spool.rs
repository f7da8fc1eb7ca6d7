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
/// Room is given back in pieces of this size: whole blocks of any file system.
const PIECE: u64 = 16 << 20;

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
            released: 0,
        })
    }

    /// Gives the room of what was read back to the disk, a large piece at a time.
    /// The rest stays where it is in the file.
    ///
    /// # Errors
    /// When the file system cannot.
    pub fn release(&mut self) -> io::Result<()> {
        // Whoever opens the file anew skips the report that the hole ends in,
        // or before: one that was read.
        let read = self.offset.saturating_sub(1);
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
    fn what_is_too_long_for_a_report_is_not_read_into_memory() {
        let directory = tempfile::tempdir().unwrap();
        let spool = Spool::create(directory.path()).unwrap();
        spool.append([Report::Log("line".to_owned())]).unwrap();
        // As a crash may leave it: a hole of zeros, which takes no room.
        let raw = File::options()
            .append(true)
            .open(directory.path().join(SPOOL_FILE));
        raw.unwrap().set_len(1 << 40).unwrap();
        let mut reader = SpoolReader::open(directory.path()).unwrap();
        assert_eq!(reader.read(9, 1 << 20).unwrap().len(), 1);
        let error = reader.read(9, 1 << 20).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn what_was_delivered_takes_no_room_and_the_rest_is_still_found() {
        use std::os::unix::fs::MetadataExt;
        let directory = tempfile::tempdir().unwrap();
        let spool = Spool::create(directory.path()).unwrap();
        let line = "x".repeat(100_000);
        let count = 400;
        spool
            .append((0..count).map(|_| Report::Log(line.clone())))
            .unwrap();
        let mut reader = SpoolReader::open(directory.path()).unwrap();
        let before = reader.read(count, usize::MAX >> 1).unwrap();
        assert_eq!(before.len(), count);
        if reader.release().is_err() {
            // Not every file system knows of holes.
            return;
        }
        spool.append([Report::Log("last".to_owned())]).unwrap();
        assert_eq!(reader.read(9, READ).unwrap()[0].n, count as u64 + 1);

        let held = File::open(directory.path().join(SPOOL_FILE)).unwrap();
        let held = held.metadata().unwrap();
        assert!(held.blocks() * 512 <= held.len() - 2 * PIECE + READ as u64);
        let mut another = SpoolReader::open(directory.path()).unwrap();
        let left = another.read(count, usize::MAX >> 1).unwrap();
        assert!(left[0].n > 300 && left.len() as u64 == count as u64 + 2 - left[0].n);
        assert_eq!(left.last().unwrap().report, Report::Log("last".to_owned()));
    }

    /// A directory on a disk of a few pages, which only this thread sees.
    fn small_disk(directory: &Path) {
        use nix::mount::{MsFlags, mount};
        use nix::sched::{CloneFlags, unshare};
        const NOTHING: Option<&str> = None;
        unshare(CloneFlags::CLONE_FS | CloneFlags::CLONE_NEWNS).unwrap();
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(NOTHING, "/", NOTHING, private, NOTHING).unwrap();
        let size = Some("size=32k");
        mount(
            Some("disk"),
            directory,
            Some("tmpfs"),
            MsFlags::empty(),
            size,
        )
        .unwrap();
    }

    #[test]
    fn a_full_disk_costs_the_reports_that_find_no_room_and_no_others() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        small_disk(directory.path());
        let filler = directory.path().join("filler");
        std::fs::write(&filler, vec![0; 20 << 10]).unwrap();
        let spool = Spool::create(directory.path()).unwrap();
        let log = |text: &str| Report::Log(text.to_owned());
        let long = "x".repeat(3000);
        spool.append([log("first")]).unwrap();
        let refused = spool.append((0..9).map(|_| log(&long))).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::StorageFull);
        let whole = *spool.watch().borrow();
        assert!((2..10).contains(&whole), "{whole}");

        std::fs::remove_file(&filler).unwrap();
        spool.append([log("last")]).unwrap();
        let mut reader = SpoolReader::open(directory.path()).unwrap();
        let read = reader.read(100, 1 << 20).unwrap();
        let numbers: Vec<u64> = read.iter().map(|report| report.n).collect();
        assert_eq!(numbers, Vec::from_iter(1..=whole + 1));
        assert_eq!(read.last().unwrap().report, log("last"));
    }

    #[test]
    fn an_instance_has_one_spool() {
        let directory = tempfile::tempdir().unwrap();
        let _spool = Spool::create(directory.path()).unwrap();
        assert!(Spool::create(directory.path()).is_err());
    }
}
