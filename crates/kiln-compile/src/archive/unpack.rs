//! Writes the files of an archive below a directory.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, Write};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::entry::{Kind, kind};
use super::header::{Ahead, Described};
use super::limits::Bounded;
use super::name::{shown, sound};
use super::walk::Walk;
use super::{ArchiveError, Limits};

/// The first bytes of every gzip.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// What was in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpacked {
    /// The directory that its files are in.
    pub root: PathBuf,
    /// The files, relative to the directory and in order.
    pub files: BTreeSet<PathBuf>,
}

/// Unpacks a `.tar.gz` into a directory that exists and is empty.
///
/// # Errors
///
/// If it is none, or if it holds more or other than a model does.
pub fn unpack(archive: &Path, into: &Path, limits: &Limits) -> Result<Unpacked, ArchiveError> {
    let failed = || ArchiveError::read(archive);
    let mut file = File::open(archive).map_err(failed())?;
    let packed = file.metadata().map_err(failed())?.len();
    expect_gzip(&mut file).map_err(ArchiveError::unreadable)?;
    let decoder = MultiGzDecoder::new(BufReader::new(file));

    let mut archive = Walk::new(Bounded::new(decoder, limits, packed));
    let mut unpacking = Unpacking::new(into, limits);
    unpacking.take_all(&mut archive)?;
    // To the end, since that is where a gzip says whether it is whole.
    let rest = io::copy(&mut archive.into_inner(), &mut io::sink());
    rest.map_err(ArchiveError::unreadable)?;
    unpacking.end()
}

fn expect_gzip(file: &mut File) -> io::Result<()> {
    let mut start = [0; 2];
    let read = file.read_exact(&mut start);
    if read.is_err() || start != GZIP {
        return Err(io::Error::other("it does not begin as a gzip does"));
    }
    file.rewind()
}

/// What has been unpacked so far.
struct Unpacking<'a> {
    root: &'a Path,
    limits: &'a Limits,
    files: BTreeSet<PathBuf>,
    entries: usize,
    ahead: Ahead,
}

impl<'a> Unpacking<'a> {
    fn new(root: &'a Path, limits: &'a Limits) -> Self {
        Self {
            root,
            limits,
            files: BTreeSet::new(),
            entries: 0,
            ahead: Ahead::default(),
        }
    }

    fn take_all(&mut self, archive: &mut Walk<impl Read>) -> Result<(), ArchiveError> {
        while let Some(header) = archive.next().map_err(ArchiveError::unreadable)? {
            self.entries += 1;
            if self.entries > self.limits.entries {
                return Err(ArchiveError::TooMany(self.limits.entries));
            }
            self.take(&header, archive)?;
        }
        Ok(())
    }

    fn take(
        &mut self,
        header: &tar::Header,
        archive: &mut Walk<impl Read>,
    ) -> Result<(), ArchiveError> {
        let entry_type = header.entry_type();
        let size = header.entry_size().map_err(ArchiveError::unreadable)?;
        let short_name = header.path_bytes().into_owned();
        if let Kind::Extension(extension) = kind(entry_type, &short_name) {
            return archive.entry(size, |said| self.ahead.take(extension, size, said));
        }
        let described = std::mem::take(&mut self.ahead).applied(short_name, size);
        let size = described.size;
        archive.entry(size, |content| self.place(entry_type, described, content))
    }

    fn place(
        &mut self,
        entry_type: tar::EntryType,
        Described { name, size, sparse }: Described,
        content: &mut impl Read,
    ) -> Result<(), ArchiveError> {
        let refuse = |kind| {
            let path = shown(&name);
            Err(ArchiveError::Kind { path, kind })
        };
        match kind(entry_type, &name) {
            Kind::Refused(kind) => refuse(kind),
            Kind::File if sparse => refuse("a sparse file"),
            Kind::File => self.file(&name, size, content),
            Kind::Directory | Kind::Extension(_) => self.directory(&name),
        }
    }

    fn directory(&self, name: &[u8]) -> Result<(), ArchiveError> {
        let path = sound(name, self.limits)?;
        self.expect_free_of_files(&path)?;
        let path = self.root.join(path);
        fs::create_dir_all(&path).map_err(ArchiveError::written(path))
    }

    fn file(&mut self, name: &[u8], size: u64, content: impl Read) -> Result<(), ArchiveError> {
        let path = sound(name, self.limits)?;
        let whole = self.root.join(&path);
        self.expect_free_of_files(&path)?;
        if path.as_os_str().is_empty() || whole.is_dir() {
            return Err(ArchiveError::Twice(shown(name)));
        }
        if let Some(parent) = whole.parent() {
            fs::create_dir_all(parent).map_err(ArchiveError::written(parent))?;
        }
        let written = copy(content, &whole)?;
        if written != size {
            let why = format!("it ends within '{}'", shown(name));
            return Err(ArchiveError::NotTarGz(why));
        }
        self.files.insert(path);
        Ok(())
    }

    /// Neither the path nor a directory that it lies in may be a file already.
    fn expect_free_of_files(&self, path: &Path) -> Result<(), ArchiveError> {
        match path.ancestors().find(|path| self.files.contains(*path)) {
            None => Ok(()),
            Some(taken) => Err(ArchiveError::Twice(taken.display().to_string())),
        }
    }

    fn end(self) -> Result<Unpacked, ArchiveError> {
        if self.files.is_empty() {
            return Err(ArchiveError::NotTarGz("it holds no files".to_owned()));
        }
        Ok(Unpacked {
            root: self.root.to_owned(),
            files: self.files,
        })
    }
}

/// Writes a new file, and counts its bytes. `io::copy` would not tell apart
/// whether the archive or the disk has failed.
fn copy(mut content: impl Read, path: &Path) -> Result<u64, ArchiveError> {
    let opened = OpenOptions::new().write(true).create_new(true).open(path);
    let mut file = opened.map_err(ArchiveError::written(path))?;
    let mut buffer = vec![0; 256 << 10];
    let mut written = 0;
    loop {
        let read = content
            .read(&mut buffer)
            .map_err(ArchiveError::unreadable)?;
        if read == 0 {
            return Ok(written);
        }
        let wrote = file.write_all(&buffer[..read]);
        wrote.map_err(ArchiveError::written(path))?;
        written += read as u64;
    }
}
