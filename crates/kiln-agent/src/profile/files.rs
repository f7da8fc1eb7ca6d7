//! The files that records go into, one for each minute, in a directory for each
//! hour: `profiler/system/incremental/2020060305/1591160640.algo-1.json`.
//!
//! They lie among the job's outputs, where its code may put whatever it likes in
//! their way. So every step goes from one directory's descriptor to the next and
//! follows no link, and only into a plain file is anything written.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{Mode, mkdirat};
use time::OffsetDateTime;

/// The directory of all records, below the outputs.
const DIRECTORIES: [&str; 3] = ["profiler", "system", "incremental"];

const DIRECTORY: OFlag = OFlag::O_RDONLY
    .union(OFlag::O_DIRECTORY)
    .union(OFlag::O_NOFOLLOW)
    .union(OFlag::O_CLOEXEC);
/// A FIFO must not block who opens it.
const APPENDED: OFlag = OFlag::O_WRONLY
    .union(OFlag::O_CREAT)
    .union(OFlag::O_APPEND)
    .union(OFlag::O_NOFOLLOW)
    .union(OFlag::O_NONBLOCK)
    .union(OFlag::O_NOCTTY)
    .union(OFlag::O_CLOEXEC);

/// The files of one host.
pub(super) struct RecordFiles {
    /// The directory of the job's outputs, whose name the job cannot change.
    output: PathBuf,
    host: String,
}

impl RecordFiles {
    pub(super) fn new(output: PathBuf, host: &str) -> Self {
        Self {
            output,
            host: host.to_owned(),
        }
    }

    /// Appends lines to the file of their minute.
    ///
    /// # Errors
    /// When the disk refuses, or the job has put something else there.
    pub(super) fn append(&self, at: SystemTime, lines: &[u8]) -> io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        let (hour, name) = self.place(at);
        let mut directory = open(&self.output, DIRECTORY, Mode::empty())?;
        for below in DIRECTORIES.into_iter().chain([&*hour]) {
            directory = enter(&directory, below)?;
        }
        let mode = Mode::from_bits_truncate(0o644);
        let file = File::from(openat(&directory, name.as_str(), APPENDED, mode)?);
        if !file.metadata()?.is_file() {
            return Err(io::Error::other(format!("{name} is no file")));
        }
        (&file).write_all(lines)
    }

    /// The hour's directory and the minute's file.
    fn place(&self, at: SystemTime) -> (String, String) {
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let minute = since.as_secs() / 60 * 60;
        let date = OffsetDateTime::from(UNIX_EPOCH + Duration::from_secs(minute));
        let (year, month, day) = date.to_calendar_date();
        let month = u8::from(month);
        let hour = format!("{year:04}{month:02}{day:02}{:02}", date.hour());
        (hour, format!("{minute}.{}.json", self.host))
    }
}

/// Opens a directory inside, which is made if it is not there.
fn enter(directory: &OwnedFd, name: &str) -> nix::Result<OwnedFd> {
    match mkdirat(directory, name, Mode::from_bits_truncate(0o755)) {
        Ok(()) | Err(Errno::EEXIST) => openat(directory, name, DIRECTORY, Mode::empty()),
        Err(errno) => Err(errno),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use super::*;

    const PLACE: &str = "profiler/system/incremental/2020060305/1591160640.algo-1.json";

    fn at() -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(1_591_160_699_457)
    }

    #[test]
    fn a_minute_has_a_file_and_an_hour_a_directory() {
        let output = tempfile::tempdir().unwrap();
        let files = RecordFiles::new(output.path().to_owned(), "algo-1");
        files.append(at(), b"").unwrap();
        assert!(!output.path().join("profiler").exists());
        files.append(at(), b"a\n").unwrap();
        files.append(at(), b"b\n").unwrap();
        let written = std::fs::read(output.path().join(PLACE)).unwrap();
        assert_eq!(written, b"a\nb\n");
    }

    #[test]
    fn nothing_that_the_job_puts_in_the_way_is_followed() {
        let outside = tempfile::tempdir().unwrap();
        let secret = outside.path().join("secret");
        std::fs::write(&secret, "untouched").unwrap();
        let place = Path::new(PLACE);
        for planted in place.ancestors().filter(|path| *path != Path::new("")) {
            for target in [outside.path(), &secret] {
                let output = tempfile::tempdir().unwrap();
                let link = output.path().join(planted);
                std::fs::create_dir_all(link.parent().unwrap()).unwrap();
                symlink(target, link).unwrap();
                let files = RecordFiles::new(output.path().to_owned(), "algo-1");
                assert!(files.append(at(), b"a\n").is_err(), "{planted:?}");
            }
        }
        assert_eq!(std::fs::read(&secret).unwrap(), b"untouched");
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_pipe_in_the_way_blocks_nobody() {
        let output = tempfile::tempdir().unwrap();
        let pipe = output.path().join(PLACE);
        std::fs::create_dir_all(pipe.parent().unwrap()).unwrap();
        nix::unistd::mkfifo(&pipe, Mode::S_IRWXU).unwrap();
        let files = RecordFiles::new(output.path().to_owned(), "algo-1");
        assert!(files.append(at(), b"a\n").is_err());
        // Nor does one that has a reader get anything.
        let reader = File::options().read(true).write(true).open(&pipe).unwrap();
        assert!(files.append(at(), b"a\n").is_err());
        drop(reader);
    }
}
