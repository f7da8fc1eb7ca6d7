//! An object whose bytes are a file of this machine, copied block by block by one
//! thread, which holds each block against the object's checksum while it has it.
//! On file systems that can share blocks, the copy takes none.
//!
//! The kernel's own copy between two files would not save anything: the bytes
//! must be read for the checksum anyway, it writes them in smaller pieces, and a
//! second thread that reads them contends for the memory.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::Path;

use super::{Arrived, writer};
use crate::objects::Checked;
use crate::wanted::{Wanted, while_wanted};
use crate::{DataError, LocalBody};

mod ioctl {
    // `FICLONE` of `linux/fs.h`.
    nix::ioctl_write_int!(ficlone, 0x94, 9);
}

/// Copies the object to a new file, and answers its size.
///
/// # Errors
/// When the file cannot be written, or is not what was stored.
pub(super) async fn copy(
    local: LocalBody,
    size: u64,
    path: &Path,
    uri: &str,
    arrived: &Arrived,
) -> Result<u64, DataError> {
    let (path, uri) = (path.to_owned(), uri.to_owned());
    let arrived = arrived.clone();
    while_wanted(move |wanted| {
        let target = writer::create(&path, &uri)?;
        let filled = fill(
            &target,
            Checked::new(local, size),
            size,
            (wanted, &arrived),
            &uri,
            &path,
        );
        if filled.is_err() {
            let _ = std::fs::remove_file(&path);
        }
        filled.map(|()| size)
    })
    .await
}

fn fill(
    mut target: &File,
    mut source: Checked,
    size: u64,
    (wanted, arrived): (&Wanted, &Arrived),
    uri: &str,
    path: &Path,
) -> Result<(), DataError> {
    let failed = |error| writer::failed(path, uri, error);
    let shared = share_blocks(source.file(), target);
    if !shared {
        writer::take_room(target, size).map_err(failed)?;
    }
    let reading = || DataError::io(format!("reading {uri}"));
    while let Some(block) = source.next().map_err(reading())? {
        wanted.check().map_err(reading())?;
        arrived.add(block.bytes.len());
        if !shared {
            target.write_all(&block.bytes).map_err(failed)?;
        }
    }
    match source.agrees() {
        true => Ok(()),
        false => Err(DataError::Corrupt(uri.to_owned())),
    }
}

/// Makes the target the source without copying, where the file system can.
fn share_blocks(source: &File, target: &File) -> bool {
    // The descriptor is a small number that is not negative.
    let source = source.as_raw_fd() as nix::sys::ioctl::ioctl_param_type;
    // SAFETY: both descriptors are open, and the call touches no memory of ours.
    unsafe { ioctl::ficlone(target.as_raw_fd(), source) }.is_ok()
}
