//! Memory for the bodies of objects, outside the allocator.
//!
//! A long read takes and gives back hundreds of large buffers a second, on many
//! threads. The allocator would keep them in its arenas, twice as much in all
//! as the cache may hold. These come from the kernel and go back to it, except
//! for a few of the largest, which wait to be used again: the kernel clears
//! every page that it hands out.

use std::io;
use std::num::NonZeroUsize;
use std::os::raw::c_void;
use std::ptr::{NonNull, null_mut};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use nix::libc;

use super::stride::LARGEST_BODY;

const LARGEST: usize = LARGEST_BODY as usize;
/// Smaller bodies may well be the allocator's.
const SMALLEST: usize = 64 << 10;
const MOST_IDLE: usize = 4;

/// The largest buffers that are not in use.
#[derive(Debug, Clone, Default)]
pub struct Buffers {
    idle: Arc<Mutex<Vec<Region>>>,
}

impl Buffers {
    /// An empty buffer with room for a body of this length.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn take(&self, length: usize) -> io::Result<Buffer> {
        if length < SMALLEST {
            return Ok(Buffer::Small(Vec::with_capacity(length)));
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = idle.pop_if(|region| region.length.get() == length);
        drop(idle);
        Ok(Buffer::Large {
            region: Some(waiting.map_or_else(|| Region::new(length), Ok)?),
            filled: 0,
            home: self.clone(),
        })
    }

    fn give_back(&self, region: Region) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if region.length.get() == LARGEST && idle.len() < MOST_IDLE {
            idle.push(region);
        }
    }
}

/// A body that is being collected.
#[derive(Debug)]
pub enum Buffer {
    /// One that the allocator holds.
    Small(Vec<u8>),
    /// One that has pages of its own.
    Large {
        /// Its pages, until it is dropped.
        region: Option<Region>,
        /// How many bytes have come.
        filled: usize,
        /// Where the pages go in the end.
        home: Buffers,
    },
}

impl Buffer {
    /// Appends bytes, as far as there is room.
    pub fn push(&mut self, bytes: &[u8]) {
        match self {
            Self::Small(held) => held.extend_from_slice(bytes),
            Self::Large { region, filled, .. } => {
                let free = region.as_mut().map(Region::bytes_mut);
                let free = free
                    .and_then(|all| all.get_mut(*filled..))
                    .unwrap_or_default();
                let taken = bytes.len().min(free.len());
                free[..taken].copy_from_slice(&bytes[..taken]);
                *filled += taken;
            }
        }
    }

    /// The bytes, which nobody changes any more.
    pub fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Small(held) => held,
            Self::Large { region, filled, .. } => {
                let held = region.as_ref().map(Region::bytes);
                held.and_then(|all| all.get(..*filled)).unwrap_or_default()
            }
        }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Self::Large { region, home, .. } = self
            && let Some(region) = region.take()
        {
            home.give_back(region);
        }
    }
}

/// Pages of this process's own.
#[derive(Debug)]
pub struct Region {
    start: NonNull<c_void>,
    length: NonZeroUsize,
}

// SAFETY: the pages belong to the region alone, whichever thread has it, and
// shared references only read them.
unsafe impl Send for Region {}
// SAFETY: as above.
unsafe impl Sync for Region {}

impl Region {
    fn new(length: usize) -> io::Result<Self> {
        let length = NonZeroUsize::new(length).ok_or(io::ErrorKind::InvalidInput)?;
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: an anonymous mapping at a place of the kernel's choice touches
        // no memory that exists.
        let start = unsafe { libc::mmap(null_mut(), length.get(), protection, flags, -1, 0) };
        match NonNull::new(start) {
            Some(start) if start.as_ptr() != libc::MAP_FAILED => Ok(Self { start, length }),
            _ => Err(io::Error::last_os_error()),
        }
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: the mapping is of this length, readable, zeroed by the kernel,
        // and lives as long as the region.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr().cast(), self.length.get()) }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, writable, and borrowed by nobody else.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr().cast(), self.length.get()) }
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: the mapping is the region's own and no reference to it is left.
        // Unmapping the whole of a mapping cannot fail.
        unsafe { libc::munmap(self.start.as_ptr(), self.length.get()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(buffer: &Buffer) -> Option<NonNull<c_void>> {
        match buffer {
            Buffer::Small(_) => None,
            Buffer::Large { region, .. } => region.as_ref().map(|region| region.start),
        }
    }

    #[test]
    fn a_body_is_what_was_pushed() {
        let buffers = Buffers::default();
        for length in [0, 10, SMALLEST - 1, SMALLEST, SMALLEST + 1, LARGEST] {
            let whole: Vec<u8> = (0..length).map(|place| (place % 251) as u8).collect();
            let mut buffer = buffers.take(length).unwrap();
            whole.chunks(1000).for_each(|chunk| buffer.push(chunk));
            assert!(buffer.freeze() == whole, "{length}");
        }
    }

    #[test]
    fn the_largest_are_used_again_once_nobody_holds_them() {
        let buffers = Buffers::default();
        let mut buffer = buffers.take(LARGEST).unwrap();
        buffer.push(b"first");
        let first = place(&buffer);
        let body = buffer.freeze();
        let part = body.slice(1..3);
        drop(body);
        assert_ne!(place(&buffers.take(LARGEST - 1).unwrap()), first);
        assert_eq!(part, b"ir".as_slice());
        drop(part);
        let again = buffers.take(LARGEST).unwrap();
        assert_eq!(place(&again), first);
        assert_eq!(again.as_ref(), b"");
    }

    #[test]
    fn few_wait_to_be_used_again() {
        let buffers = Buffers::default();
        let taken = [(); 9].map(|()| buffers.take(LARGEST).unwrap());
        drop((taken, buffers.take(SMALLEST)));
        assert_eq!(buffers.idle.lock().unwrap().len(), MOST_IDLE);
    }
}
