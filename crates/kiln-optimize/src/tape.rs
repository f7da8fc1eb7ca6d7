//! A file that is written from its beginning to its end. Its bytes are digested on the way,
//! while the processor still has them at hand, and go to the disk past the system's cache
//! where the file system lets them: to copy them there costs more than to quantize them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use memmap2::{Advice, MmapMut};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};

use crate::report::{Digester, FileReport};

/// What writes past the cache must be a multiple of, in the file as in memory: the largest
/// block that disks have.
const BLOCK: usize = 4096;

/// So much is written at a time: a huge page.
const ROOM: usize = 2 << 20;

/// The file, and what of it is not there yet.
#[derive(Debug)]
pub(crate) struct Tape {
    file: File,
    /// How many bytes the file will have.
    size: u64,
    room: Room,
    /// How many bytes of the room are taken.
    taken: usize,
    /// Where they go.
    begin: u64,
    /// What came too early, by where it goes.
    held: BTreeMap<u64, Vec<u8>>,
    digester: Digester,
}

impl Tape {
    /// Of a file with nothing in it, which will have so many bytes.
    pub(crate) fn new(file: File, size: u64) -> Self {
        // Where it is refused, writes go through the cache.
        let _ = go_past_cache(&file, true);
        Self {
            file,
            size,
            room: Room::default(),
            taken: 0,
            begin: 0,
            held: BTreeMap::new(),
            digester: Digester::new(size),
        }
    }

    /// Appends what comes next in the file, and what is held and comes thereafter. What
    /// comes later is held. With the last byte all is written.
    pub(crate) fn put(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        if at != self.end() {
            self.hold(at, bytes);
            return Ok(());
        }
        self.append(bytes)?;
        while let Some(next) = self.held.remove(&self.end()) {
            self.append(&next)?;
        }
        if self.end() == self.size {
            self.end_here()?;
        }
        Ok(())
    }

    /// Writes whole blocks, and gives the memory back but for what is left, until more comes:
    /// that may be long, when there are many files, and their headers are long.
    pub(crate) fn rest(&mut self) -> io::Result<()> {
        let whole = self.taken / BLOCK * BLOCK;
        let left = self.room.bytes(self.taken)[whole..].to_vec();
        self.taken = whole;
        self.write()?;
        self.taken = left.len();
        self.room = Room::Closed(left);
        Ok(())
    }

    /// What is written.
    pub(crate) fn report(&self) -> FileReport {
        self.digester.report()
    }

    /// The file.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Where in the file comes what is next.
    fn end(&self) -> u64 {
        self.begin + self.taken as u64
    }

    fn hold(&mut self, at: u64, bytes: &[u8]) {
        match self.held.range_mut(..at).next_back() {
            Some((begin, before)) if begin + before.len() as u64 == at => before.extend(bytes),
            _ => {
                self.held.insert(at, bytes.to_vec());
            }
        }
    }

    fn append(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            // The next one begins at a multiple of its size, as the leaves of digests do.
            let room = ROOM - (self.begin % ROOM as u64) as usize;
            let free = &mut self.room.open()?[self.taken..room];
            let (now, later) = bytes.split_at(bytes.len().min(free.len()));
            free[..now.len()].copy_from_slice(now);
            self.taken += now.len();
            bytes = later;
            if self.taken == room {
                self.write()?;
            }
        }
        Ok(())
    }

    /// Writes what is left, and gives the memory back: others of a result's many files need
    /// it.
    fn end_here(&mut self) -> io::Result<()> {
        if !self.taken.is_multiple_of(BLOCK) {
            go_past_cache(&self.file, false)?;
        }
        self.write()?;
        self.room = Room::default();
        Ok(())
    }

    /// Writes and digests what the room has, which is empty then.
    fn write(&mut self) -> io::Result<()> {
        let bytes = self.room.bytes(self.taken);
        self.digester.update(bytes);
        match self.file.write_all_at(bytes, self.begin) {
            // So say file systems that need larger blocks, or do not write past the cache.
            Err(error) if error.raw_os_error() == Some(Errno::EINVAL as i32) => {
                go_past_cache(&self.file, false)?;
                self.file.write_all_at(bytes, self.begin)?;
            }
            written => written?,
        }
        self.begin += self.taken as u64;
        self.taken = 0;
        Ok(())
    }
}

/// Has what is written to a file go past the system's cache, or not.
fn go_past_cache(file: &File, past: bool) -> nix::Result<()> {
    let mut flags = OFlag::from_bits_retain(fcntl(file, FcntlArg::F_GETFL)?);
    flags.set(OFlag::O_DIRECT, past);
    fcntl(file, FcntlArg::F_SETFL(flags)).map(drop)
}

/// What waits to be written.
#[derive(Debug)]
enum Room {
    /// These few bytes, until more come.
    Closed(Vec<u8>),
    /// Whatever comes.
    Open(Page),
}

impl Room {
    /// All of it, for which memory is taken, if that is not done.
    fn open(&mut self) -> io::Result<&mut [u8]> {
        if let Self::Closed(left) = self {
            *self = Self::Open(Page::new(left)?);
        }
        Ok(match self {
            Self::Closed(left) => left,
            Self::Open(page) => &mut page.memory[page.begin..][..ROOM],
        })
    }

    /// The first ones.
    fn bytes(&self, count: usize) -> &[u8] {
        match self {
            Self::Closed(left) => &left[..count],
            Self::Open(page) => &page.memory[page.begin..][..count],
        }
    }
}

impl Default for Room {
    fn default() -> Self {
        Self::Closed(Vec::new())
    }
}

/// Memory that is one huge page, where the system has them: what is written past the cache is
/// looked up and handed to the disk page by page, which is a tenth of all that a model takes.
#[derive(Debug)]
struct Page {
    memory: MmapMut,
    begin: usize,
}

impl Page {
    /// Of what it begins with.
    fn new(left: &[u8]) -> io::Result<Self> {
        // Somewhere in twice as much is one that begins where a huge page does; what of it
        // nobody touches takes nothing.
        let mut memory = MmapMut::map_anon(2 * ROOM)?;
        // Only a hint.
        let _ = memory.advise(Advice::HugePage);
        let begin = memory.as_ptr().align_offset(ROOM);
        memory[begin..][..left.len()].copy_from_slice(left);
        Ok(Self { memory, begin })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::report::digest;

    /// Where the parts of a file of so many bytes begin and end.
    fn parts(size: usize, cuts: &[usize]) -> Vec<[usize; 2]> {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % size).collect();
        cuts.extend([0, size]);
        cuts.sort_unstable();
        cuts.dedup();
        cuts.windows(2).map(|cut| [cut[0], cut[1]]).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn a_file_is_whole_whatever_the_order_of_its_parts(
            size in prop_oneof![1..9000_usize, 1..3 * ROOM, Just(ROOM), Just(2 * ROOM + BLOCK)],
            cuts in prop::collection::vec(0..3 * ROOM, 0..9),
            order in any::<prop::sample::Index>(),
            rests in 0..9_usize,
        ) {
            let home = tempfile::tempdir().unwrap();
            let path = home.path().join("file");
            let bytes: Vec<u8> = (0..size).map(|at| ((at * 40503) >> 7) as u8).collect();
            let mut tape = Tape::new(File::create_new(&path).unwrap(), size as u64);
            let mut parts = parts(size, &cuts);
            let first = order.index(parts.len());
            parts.rotate_left(first);
            for (number, [begin, end]) in parts.into_iter().enumerate() {
                tape.put(begin as u64, &bytes[begin..end]).unwrap();
                if number == rests {
                    tape.rest().unwrap();
                }
            }
            let told = tape.report();
            prop_assert!(std::fs::read(&path).unwrap() == bytes);
            prop_assert_eq!(told, digest(&path).unwrap());
        }
    }
}
