//! What the kernel asks of a mounted channel, and the answers.
//!
//! Names, sizes and attributes are answered from the tree, which never changes,
//! so the kernel may remember them for ever. A read is answered on the spot
//! when its bytes are in memory; otherwise a task waits for them, and the thread
//! that took the request is free for the next. Nothing can be written: the
//! mount is read-only, and the kernel refuses by itself.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use fuser::{
    Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, InitFlags,
    KernelConfig, LockOwner, OpenFlags, ReplyAttr, ReplyData, ReplyDirectory, ReplyDirectoryPlus,
    ReplyEmpty, ReplyEntry, ReplyOpen, ReplyStatfs, ReplyXattr, Request,
};
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::cache::{Cache, LongReader, Missing, Parts, Remote};
use super::stride::{Plan, Stride};
use super::tree::{Kind, ROOT, Tree};
use crate::DataError;
use crate::catalogue::{Catalogue, Entry};

/// Nothing changes while the channel is mounted.
const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// Each inode number has only ever one file.
const GENERATION: Generation = Generation(0);
/// What programs are told to read at a time.
const BLOCK: u32 = 128 << 10;
/// The requests that the kernel may send without waiting for answers.
const BACKGROUND: u16 = 64;
const LONGEST_NAME: u32 = 1024;

/// The last failure of a read that could not be served.
pub type Failure = watch::Sender<Option<Arc<DataError>>>;

/// A channel as a file system.
#[derive(Debug)]
pub struct ChannelFiles {
    pub tree: Tree,
    pub catalogue: Catalogue,
    pub cache: Arc<Cache>,
    pub failure: Failure,
    pub runtime: Handle,
    pub mounted: SystemTime,
    pub readers: Readers,
}

/// The open files.
#[derive(Debug, Default)]
pub struct Readers {
    next: AtomicU64,
    open: Mutex<HashMap<u64, Arc<Reader>>>,
}

#[derive(Debug)]
struct Reader {
    remote: Arc<Remote>,
    movement: Mutex<Movement>,
}

#[derive(Debug, Default)]
struct Movement {
    stride: Stride,
    counted: Option<LongReader>,
}

impl Readers {
    fn add(&self, remote: Remote) -> FileHandle {
        let handle = self.next.fetch_add(1, Ordering::Relaxed);
        let reader = Reader {
            remote: Arc::new(remote),
            movement: Mutex::default(),
        };
        self.open().insert(handle, Arc::new(reader));
        FileHandle(handle)
    }

    fn get(&self, handle: FileHandle) -> Option<Arc<Reader>> {
        self.open().get(&handle.0).cloned()
    }

    fn remove(&self, handle: FileHandle) {
        self.open().remove(&handle.0);
    }

    fn open(&self) -> MutexGuard<'_, HashMap<u64, Arc<Reader>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ChannelFiles {
    fn attributes(&self, node: u32) -> Option<FileAttr> {
        let (kind, perm, size, nlink) = match self.tree.kind(node)? {
            Kind::File { size, .. } => (FileType::RegularFile, 0o644, size, 1),
            Kind::Directory { .. } => (FileType::Directory, 0o755, 0, 2),
        };
        Some(FileAttr {
            ino: inode(node),
            size,
            blocks: size.div_ceil(512),
            atime: self.mounted,
            mtime: self.mounted,
            ctime: self.mounted,
            crtime: self.mounted,
            kind,
            perm,
            nlink,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: BLOCK,
            flags: 0,
        })
    }

    /// What is behind a file, from the catalogue.
    fn remote(&self, file: u32) -> Result<Remote, Errno> {
        let entry = match self.tree.kind(file) {
            Some(Kind::File { entry, .. }) => self.catalogue.entry(entry as usize),
            Some(Kind::Directory { .. }) => return Err(Errno::EISDIR),
            None => return Err(Errno::ENOENT),
        };
        match (entry, self.tree.kind(file)) {
            (Ok(Entry::Object(object)), Some(Kind::File { size, .. })) => {
                Ok(Remote { file, object, size })
            }
            (Err(error), _) => Err(failed(&self.failure, Arc::new(error))),
            _ => Err(Errno::EIO),
        }
    }

    /// A directory's entries from this place on: itself, its parent, and its
    /// children, each with the place that follows it.
    fn entries(&self, directory: u32, from: u64) -> impl Iterator<Item = (u64, u32, &OsStr)> {
        let own = [(directory, "."), (self.tree.parent(directory), "..")];
        let own = own.map(|(node, name)| (node, OsStr::new(name)));
        let children = self.tree.children(directory).iter();
        let named = |&child: &u32| (child, OsStr::from_bytes(self.tree.name(child)));
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        let children = children.skip(from.saturating_sub(own.len())).map(named);
        own.into_iter()
            .skip(from)
            .chain(children)
            .zip(from as u64 + 1..)
            .map(|((node, name), next)| (next, node, name))
    }
}

impl Reader {
    /// The parts that answer a read; what comes next is asked for, too.
    fn read(&self, cache: &Arc<Cache>, offset: u64, length: u32) -> Parts {
        let size = self.remote.size;
        let start = offset.min(size);
        let range = start..(start + u64::from(length)).min(size);
        let plan = self.movement().step(range.clone(), size, cache);
        cache.read(&self.remote, range, &plan)
    }

    fn movement(&self) -> MutexGuard<'_, Movement> {
        self.movement.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Movement {
    fn step(&mut self, read: Range<u64>, size: u64, cache: &Arc<Cache>) -> Plan {
        let plan = self.stride.step(read, size, cache.share());
        if !self.stride.is_long() {
            self.counted = None;
        } else if self.counted.is_none() {
            self.counted = Some(cache.long_reader());
        }
        plan
    }
}

impl Filesystem for ChannelFiles {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> std::io::Result<()> {
        let wished = [
            InitFlags::FUSE_ASYNC_READ,
            InitFlags::FUSE_PARALLEL_DIROPS,
            InitFlags::FUSE_DO_READDIRPLUS,
            InitFlags::FUSE_READDIRPLUS_AUTO,
        ];
        for flag in wished {
            // Each only makes things quicker, where the kernel has it.
            let _ = config.add_capabilities(flag);
        }
        let _ = config.set_max_background(BACKGROUND);
        Ok(())
    }

    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let child = node(parent).and_then(|parent| self.tree.child(parent, name.as_bytes()));
        match child.and_then(|child| self.attributes(child)) {
            Some(attributes) => reply.entry(&FOR_EVER, &attributes, GENERATION),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match node(ino).and_then(|node| self.attributes(node)) {
            Some(attributes) => reply.attr(&FOR_EVER, &attributes),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn open(&self, _: &Request, ino: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        let remote = node(ino).ok_or(Errno::ENOENT);
        match remote.and_then(|file| self.remote(file)) {
            // What was read once stays in the kernel's page cache: an object
            // is pinned to the version that was listed.
            Ok(remote) => {
                let flags = FopenFlags::FOPEN_KEEP_CACHE | FopenFlags::FOPEN_NOFLUSH;
                reply.opened(self.readers.add(remote), flags);
            }
            Err(error) => reply.error(error),
        }
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let Some(reader) = self.readers.get(handle) else {
            return reply.error(Errno::EBADF);
        };
        let parts = reader.read(&self.cache, offset, size);
        if let Some(bytes) = parts.peek() {
            return answer(reply, bytes, &self.failure);
        }
        let failure = self.failure.clone();
        self.runtime
            .spawn(async move { answer(reply, parts.join().await, &failure) });
    }

    fn release(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        _: OpenFlags,
        _: Option<LockOwner>,
        _: bool,
        reply: ReplyEmpty,
    ) {
        self.readers.remove(handle);
        reply.ok();
    }

    fn opendir(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        let flags = FopenFlags::FOPEN_CACHE_DIR | FopenFlags::FOPEN_KEEP_CACHE;
        reply.opened(FileHandle(0), flags);
    }

    fn readdir(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        for (next, child, name) in self.entries(node(ino).unwrap_or(ROOT), offset) {
            let kind = match self.tree.kind(child) {
                Some(Kind::File { .. }) => FileType::RegularFile,
                _ => FileType::Directory,
            };
            if reply.add(inode(child), next, kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn readdirplus(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        mut reply: ReplyDirectoryPlus,
    ) {
        for (next, child, name) in self.entries(node(ino).unwrap_or(ROOT), offset) {
            let Some(attributes) = self.attributes(child) else {
                continue;
            };
            if reply.add(inode(child), next, name, &FOR_EVER, &attributes, GENERATION) {
                break;
            }
        }
        reply.ok();
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        let blocks = self.tree.bytes().div_ceil(u64::from(BLOCK));
        let files = self.tree.len() as u64;
        reply.statfs(blocks, 0, 0, files, 0, BLOCK, LONGEST_NAME, BLOCK);
    }

    // The kernel asks these once, is told that there is no such thing, and
    // does not ask again.

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.error(Errno::ENOSYS);
    }

    fn getxattr(&self, _: &Request, _: INodeNo, _: &OsStr, _: u32, reply: ReplyXattr) {
        reply.error(Errno::ENOSYS);
    }

    fn listxattr(&self, _: &Request, _: INodeNo, _: u32, reply: ReplyXattr) {
        reply.error(Errno::ENOSYS);
    }
}

fn answer(reply: ReplyData, bytes: Result<Bytes, Missing>, failure: &Failure) {
    match bytes {
        Ok(bytes) => reply.data(&bytes),
        Err(Missing::Failed(error)) => reply.error(failed(failure, error)),
        Err(Missing::Closed) => reply.error(Errno::EIO),
    }
}

/// Writes down the first failure, and answers what the reader is told.
fn failed(failure: &Failure, error: Arc<DataError>) -> Errno {
    tracing::warn!(%error, "a file of a channel could not be read");
    failure.send_if_modified(|first| {
        let is_first = first.is_none();
        first.get_or_insert(error);
        is_first
    });
    Errno::EIO
}

fn inode(node: u32) -> INodeNo {
    INodeNo(u64::from(node) + 1)
}

fn node(inode: INodeNo) -> Option<u32> {
    u32::try_from(inode.0.checked_sub(1)?).ok()
}
